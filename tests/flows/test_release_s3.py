"""Releases in a bucket, on a real S3 server: whole with their manifest or no release, and nothing overwritten."""

import hashlib
import json
import shutil
import signal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from pipelines.release_bucket import MANIFEST, UNFINISHED, staging
from pipelines.release_report import write_texts
from pipelines.study import Study
from pipelines.vault import Vault
from tests.flows.conftest import painlake
from tests.pipelines.release_factory import published_study


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study whose releases go in parts of 5 MB, encrypted."""
    study = published_study(tmp_path_factory.mktemp("release-s3") / "study").study
    params = study.params_file.read_text(encoding="utf-8")
    changed = params.replace("sse: null", "sse: AES256").replace("part_mb: 16", "part_mb: 5")
    study.params_file.write_text(changed, encoding="utf-8")
    return study


def release(study: Study, place: str) -> Result:
    return CliRunner().invoke(app, ["--study", str(study.root), "release", "--profile", "partner", place])


def objects(client: Any, prefix: str) -> dict[str, bytes]:
    listed = client.list_objects_v2(Bucket="backup", Prefix=prefix).get("Contents", [])
    return {
        entry["Key"].removeprefix(prefix): client.get_object(Bucket="backup", Key=entry["Key"])["Body"].read()
        for entry in listed
    }


def assert_whole(found: dict[str, bytes]) -> None:
    """What stands below a prefix is what its manifest says, and nothing else."""
    manifest = json.loads(found.pop(MANIFEST))
    said = {name: (about["bytes"], about["sha256"]) for name, about in manifest["files"].items()}
    assert said == {name: (len(body), hashlib.sha256(body).hexdigest()) for name, body in found.items()}
    assert {"report.json", "report.md", "dictionary.csv", "CITATION.txt"} < set(found)


def test_a_release_is_its_files_and_a_manifest_encrypted_at_rest(
    published: Study, s3_here: Any, tmp_path: Path
) -> None:
    done = release(published, "s3://backup/releases/first")
    assert done.exit_code == 0, done.output
    assert "stands in s3://backup/releases/first" in done.stdout
    found = objects(s3_here, "releases/first/")
    (database,) = [name for name in found if name.endswith(".duckdb")]
    head = s3_here.head_object(Bucket="backup", Key=f"releases/first/{database}")
    assert head["ServerSideEncryption"] == "AES256"
    (tmp_path / database).write_bytes(found[database])
    assert_whole(found)
    with duckdb.connect(str(tmp_path / database), read_only=True) as opened:
        assert opened.execute("SELECT release FROM meta.release").fetchone() == (
            json.loads(objects(s3_here, "releases/first/")[MANIFEST])["release"],
        )
    assert not staging(published).exists()


def test_no_prefix_is_taken_twice_and_no_bucket_whole(published: Study, s3_here: Any) -> None:
    s3_here.put_object(Bucket="backup", Key="releases/taken/notes.txt", Body=b"somebody's")
    before = len(Vault.open(published.vault)._releases)
    for place, said in (
        ("s3://backup/releases/taken", "s3://backup/releases/taken is not empty: name a new prefix"),
        ("s3://backup", "s3://backup is a whole bucket"),
        ("s3://key:secret@backup/x", "credentials come from the environment"),
        ("gs://backup/x", "a release goes to a folder or to s3://bucket/prefix"),
    ):
        done = release(published, place)
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        assert said in done.stderr
    assert objects(s3_here, "releases/taken/") == {"notes.txt": b"somebody's"}
    assert len(Vault.open(published.vault)._releases) == before


def test_a_wrong_key_is_one_line_and_nothing_is_noted(
    published: Study, s3_here: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    before = len(Vault.open(published.vault)._releases)
    done = release(published, "s3://backup/releases/refused")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "SignatureDoesNotMatch: check bucket and credentials" in done.stderr
    assert len(Vault.open(published.vault)._releases) == before


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["release.file.report.json", "release.sent"])
def test_a_killed_release_is_none_and_the_next_takes_its_place(
    published: Study, s3: dict[str, str], s3_here: Any, moment: str
) -> None:
    place, prefix = f"s3://backup/killed/{moment}", f"killed/{moment}/"
    command = ("--study", published.root, "release", "--profile", "partner", place)
    killed = painlake(*command, env={**s3, "PAINLAKE_FAULT_POINT": moment}, check=False)
    assert killed.returncode == -signal.SIGKILL
    left = objects(s3_here, prefix)
    assert UNFINISHED in left
    assert len(left) > 2
    assert MANIFEST not in left
    name = json.loads(left[UNFINISHED])["release"]
    upload = s3_here.create_multipart_upload(Bucket="backup", Key=f"{prefix}parquet/old.parquet")
    assert upload["UploadId"]
    done = release(published, place)
    assert done.exit_code == 0, done.output
    found = objects(s3_here, prefix)
    assert json.loads(found[MANIFEST])["release"] != name
    assert_whole(found)
    assert not s3_here.list_multipart_uploads(Bucket="backup", Prefix=prefix).get("Uploads")
    assert not staging(published).exists()


def test_what_another_study_left_unfinished_stays(published: Study, s3_here: Any, tmp_path: Path) -> None:
    theirs = json.dumps({"release": "RSOMEBODYS"}).encode()
    s3_here.put_object(Bucket="backup", Key=f"theirs/{UNFINISHED}", Body=theirs)
    done = release(published, "s3://backup/theirs")
    assert done.exit_code == 2
    assert "another study's unfinished release" in done.stderr
    assert objects(s3_here, "theirs/") == {UNFINISHED: theirs}


def test_where_another_study_begins_meanwhile_nothing_is_touched(
    published: Study, s3_here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = Study(shutil.copytree(published.root, tmp_path / "study", symlinks=True))

    def meanwhile(*arguments: Any) -> None:
        write_texts(*arguments)
        s3_here.put_object(Bucket="backup", Key=f"raced/{UNFINISHED}", Body=b'{"release": "RSOMEBODYS"}')

    monkeypatch.setattr("pipelines.release.write_texts", meanwhile)
    done = release(study, "s3://backup/raced")
    assert done.exit_code == 2
    assert set(objects(s3_here, "raced/")) == {UNFINISHED}
