"""Landing and remote in a bucket, on a real S3 server."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.errors import UserError
from pipelines.params import Params
from tests.flows.conftest import ask, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register
from tests.flows.s3_server import client

pytestmark = pytest.mark.slow


def keys(environment: dict[str, str], bucket: str) -> list[str]:
    return [entry["Key"] for entry in client(environment).list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, s3: dict[str, str], prefect_server: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("s3-study")
    register(folder / "hospital", "PT-1")
    deliver(folder / "hospital", Delivery("PT-1", "V1", "first.mp4", film_face(seed=1)))
    for path in sorted((folder / "hospital").rglob("*")):
        if path.is_file():
            key = f"inbox/{path.relative_to(folder / 'hospital').as_posix()}"
            client(s3).upload_file(str(path), "hospital", key)
    painlake("init", folder / "study", "--landing", "s3://hospital/inbox", "--remote", "s3://backup/dvc", env=s3)
    painlake("ingest", "--study", folder / "study", env={**s3, **prefect_server})
    return folder / "study"


def test_what_lands_in_a_bucket_is_published(study: Path) -> None:
    state = status(study)
    assert (state["landed"], state["published"], state["backed_up"]) == (1, 1, True)
    assert ask(study, "SELECT count(*) AS n FROM au_frames") == [{"n": 50}]


def test_the_bucket_is_only_read(study: Path, s3: dict[str, str]) -> None:
    assert sorted(keys(s3, "hospital")) == [
        "inbox/clinical.csv",
        "inbox/consent.csv",
        "inbox/medications.csv",
        "inbox/participants.csv",
        "inbox/questionnaires.csv",
        "inbox/recordings/PT-1/V1/first.json",
        "inbox/recordings/PT-1/V1/first.mp4",
    ]


def test_the_remote_has_the_versions_objects_and_no_identity(study: Path, s3: dict[str, str]) -> None:
    stored = keys(s3, "backup")
    cache = study / ".dvc" / "cache" / "files" / "md5"
    assert len(stored) > 10
    assert {key.removeprefix("dvc/files/md5/") for key in stored} <= {
        path.relative_to(cache).as_posix() for path in cache.rglob("*")
    }
    for key in stored:
        assert b"PT-1" not in client(s3).get_object(Bucket="backup", Key=key)["Body"].read()


def test_the_key_to_the_buckets_is_in_no_file(study: Path, s3: dict[str, str], prefect_server: dict[str, str]) -> None:
    secret = s3["AWS_SECRET_ACCESS_KEY"].encode()
    files = [path for root in (study, Path(prefect_server["PREFECT_HOME"])) for path in root.rglob("*")]
    searched = [path for path in files if path.is_file() and not path.is_symlink()]
    assert {"painlake.log", "config", "params.yaml", "ledger.sqlite", "prefect.db"} <= {path.name for path in searched}
    assert [path for path in searched if secret in path.read_bytes()] == []


def test_nothing_new_in_the_bucket_is_no_work(study: Path, s3: dict[str, str]) -> None:
    done = painlake("ingest", "--json", "--study", study, env=s3)
    assert json.loads(done.stdout)["outcome"] == "nothing new"


def test_a_wrong_key_is_one_clear_line(study: Path, s3: dict[str, str]) -> None:
    done = painlake("ingest", "--study", study, env={**s3, "AWS_SECRET_ACCESS_KEY": "wrong"}, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("painlake: the landing zone s3://hospital/inbox/ answers")
    assert "Traceback" not in done.stderr


def test_a_remote_that_refuses_the_key_is_told_once_and_the_version_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    from flows import ingest  # noqa: PLC0415 - Prefect takes seconds to import

    def refuse() -> None:
        raise UserError("NOT_BACKED_UP: the remote s3://backup/dvc/ answers AccessDenied")

    night: Any = SimpleNamespace(failures=[], params=Params())
    session: Any = SimpleNamespace(night=night)
    monkeypatch.setattr(ingest, "push", SimpleNamespace(with_options=lambda **_: refuse))
    assert not ingest._pushed(session)
    assert night.failures == ["NOT_BACKED_UP: the remote s3://backup/dvc/ answers AccessDenied"]
    assert not ingest._can_pass(None, None, SimpleNamespace(data=UserError("refused")))  # type: ignore[arg-type]  # of a state its data alone is looked at
