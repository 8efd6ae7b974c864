"""Four nights of one study: what is new is processed alone, what came before stays, what failed goes on.

Each night is made once and looked at by several tests, in the order of the nights.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.params_face import FaceParams
from pipelines.parquet import read_provenance, write_parquet
from pipelines.study import Study
from tests.flows.conftest import PAINLAKE, RECORDINGS, ask, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow

with_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the real recordings are not on this machine")
TAGS = (b"Jansen", b"1234567", b"bed 12", b"51.911", b"2026-05-20T09:14", b"PT-7001", b"PT-7002")


@dataclass(frozen=True)
class Night:
    """What a run said, and how the study stood after it."""

    study: Study
    code: int
    answer: dict[str, Any]
    said: str
    features: dict[str, int]


def features(study: Study) -> dict[str, int]:
    """Every feature file and when it was written."""
    return {
        str(path.relative_to(study.lake)): path.stat().st_mtime_ns
        for path in study.lake.rglob("*.parquet")
        if path.parent.name != "clinical"
    }


@pytest.fixture(scope="module")
def ingest(prefect_server: dict[str, str]) -> Callable[[Study], Night]:
    def run(study: Study) -> Night:
        done = painlake("ingest", "--json", "--study", study.root, env=prefect_server, check=False)
        assert done.stdout, done.stderr
        return Night(study, done.returncode, json.loads(done.stdout), done.stdout + done.stderr, features(study))

    return run


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, ingest: Callable[[Study], Night]) -> Night:
    """A recording, the real ones if they are here, one of a person nobody registered; the remote cannot be reached."""
    root = tmp_path_factory.mktemp("later-nights") / "study"
    (root.parent / "blocked").write_text("a file where a folder should be", encoding="utf-8")
    painlake("init", root, "--remote", root.parent / "blocked" / "remote")
    # DVC itself tries for a minute; how we try again is tested in test_retries.
    params = root / "params.yaml"
    params.write_text(params.read_text(encoding="utf-8").replace("retries: 3", "retries: 0"), encoding="utf-8")
    landing = root / "landing"
    register(landing, "PT-1", "PT-7001", "PT-7002")
    deliver(landing, Delivery("PT-1", "V1", "first.mp4", film_face(seed=1)))
    deliver(landing, Delivery("PT-4", "V1", "early.mp4", film_face(seed=6)))
    if RECORDINGS.is_dir():
        spans = (("reading", 0.0, 9.0), ("free_speech", 9.0, 19.5))
        woman, man = (RECORDINGS / name for name in ("woman_distress.mp4", "man_smiling_2s.mp4"))
        deliver(landing, Delivery("PT-7001", "V1", "Jan Jansen.mp4", woman.read_bytes(), tasks=spans))
        deliver(landing, Delivery("PT-7002", "V1", "smile.mp4", man.read_bytes()))
    return ingest(Study(root))


def test_the_first_night_publishes_and_says_that_no_second_copy_is_kept(first: Night) -> None:
    assert (first.code, first.answer["outcome"]) == (0, "published, NOT_BACKED_UP")
    assert first.answer["backed_up"] is False
    assert first.answer["version"] == "v0001"


def test_an_unknown_person_is_set_aside_and_shown_without_a_name(first: Night) -> None:
    listed = json.loads(painlake("quarantine", "list", "--json", "--study", first.study.root).stdout)
    assert [entry["code"] for entry in listed] == ["UNKNOWN_ID"]
    shown = painlake("quarantine", "show", listed[0]["delivery"], "--study", first.study.root).stdout
    assert "registered" in shown
    assert "PT-4" not in shown
    assert "early" not in shown


@with_recordings
def test_real_recordings_have_a_row_for_each_frame_and_their_speech_is_heard(first: Night) -> None:
    rows = ask(
        first.study.root,
        """SELECT width, frames, (SELECT count(*) FROM au_frames a WHERE a.recording = f.recording) AS rows, face_share,
                  speech_share, AU12_r_mean, fps
           FROM recording_features f JOIN recordings USING (recording)
           WHERE task = 'whole' AND width = 640 ORDER BY rows""",
    )
    smiling, distressed = rows
    assert (smiling["rows"], distressed["rows"]) == (72, 472)
    assert distressed["speech_share"] > 0.3
    assert distressed["face_share"] > 0.5
    assert smiling["AU12_r_mean"] > distressed["AU12_r_mean"]


@with_recordings
def test_no_tag_of_a_real_recording_survives_outside_landing_and_vault(
    first: Night, prefect_server: dict[str, str]
) -> None:
    folders = [first.study.root, Path(prefect_server["PREFECT_HOME"])]
    kept = {"vault", "landing"}
    searched = [p for folder in folders for p in folder.rglob("*") if p.is_file() and not kept & set(p.parts)]
    assert any(path.name == "prefect.db" for path in searched)
    for path in searched:
        content = path.read_bytes()
        assert not [tag for tag in TAGS if tag in content], path
    assert not [tag for tag in TAGS if tag.decode() in first.said]


@pytest.fixture(scope="module")
def second(first: Night, ingest: Callable[[Study], Night]) -> Night:
    """One new recording; the unknown person is registered and released; the remote is back."""
    study = first.study
    deliver(
        study.root / "landing", Delivery("PT-1", "V2", "second.mp4", film_face(seed=2), "2026-02-12T10:00:00+01:00")
    )
    register(study.root / "landing", "PT-1", "PT-7001", "PT-7002", "PT-4")
    listed = json.loads(painlake("quarantine", "list", "--json", "--study", study.root).stdout)
    painlake("quarantine", "release", listed[0]["delivery"], "--reason", "registered", "--study", study.root)
    moved = [sys.executable, "-m", "dvc", "remote", "modify", "store", "url", str(study.root.parent / "remote")]
    subprocess.run(moved, cwd=study.root, check=True)
    return ingest(study)


def test_what_is_new_is_processed_alone_and_makes_one_version(first: Night, second: Night) -> None:
    assert {name: second.features[name] for name in first.features} == first.features
    new = {name.rsplit("/", 1)[-1].split(".")[0] for name in second.features.keys() - first.features.keys()}
    assert len(new) == 2
    assert second.answer["version"] == "v0002"


def test_what_was_released_from_quarantine_is_published(second: Night) -> None:
    assert second.answer["quarantined"] == 0
    assert "UNKNOWN_ID" not in second.answer["reasons"]


def test_the_remote_that_is_back_gets_all_versions(second: Night) -> None:
    assert (second.answer["outcome"], second.answer["backed_up"]) == ("published", True)
    assert any((second.study.root.parent / "remote").rglob("*"))


def test_an_earlier_version_answers_with_its_own_numbers(first: Night, second: Night) -> None:
    counted = "SELECT count(*) AS n, min(version) AS version FROM recordings, meta.dataset_version"
    study = second.study
    now, then = ask(study.root, counted)[0], ask(study.root, counted, "--version", "v0001")[0]
    assert (now["version"], then["version"], now["n"] - then["n"]) == ("v0002", "v0001", 2)
    as_published = ask(study.root, "FROM recording_features", "--version", "v0001")
    (study.warehouse / "painlake-v0001.duckdb").unlink()
    built = Path(painlake("checkout", "v0001", "--study", study.root).stdout.strip())
    assert built == study.warehouse / "painlake-v0001.duckdb"
    assert ask(study.root, "FROM recording_features", "--version", "v0001") == as_published
    assert (study.warehouse / "current").readlink() == Path("painlake-v0002.duckdb")


def tampered(second: Night) -> Path:
    """A table of the second night."""
    return second.study.lake / min(name for name in second.features if "/quality/" in name)


@pytest.fixture(scope="module")
def third(second: Night, ingest: Callable[[Study], Night]) -> Night:
    """New bytes under an old name, a changed parameter, and a table that has been tampered with."""
    study = second.study
    deliver(study.root / "landing", Delivery("PT-1", "V1", "first.mp4", film_face(seed=3)))
    text = study.params_file.read_text(encoding="utf-8")
    changed = text.replace(f"max_width_px: {FaceParams().max_width_px}", "max_width_px: 160")
    assert changed != text
    study.params_file.write_text(changed, encoding="utf-8")
    path = tampered(second)
    rows = pl.read_parquet(path)
    write_parquet(path, pl.concat([rows, rows]), read_provenance(path))
    return ingest(study)


def test_a_critical_failure_keeps_the_last_version_published(third: Night) -> None:
    assert third.code == 1
    assert third.answer["outcome"].startswith("held back")
    assert (third.answer["version"], third.answer["deferred"], third.answer["balanced"]) == ("v0002", 1, True)
    assert third.answer["reasons"]["AWAITING_PUBLICATION"] == 1
    assert (third.study.warehouse / "current").readlink() == Path("painlake-v0002.duckdb")


def test_a_changed_parameter_computes_its_own_stage_and_what_builds_on_it_alone(second: Night, third: Night) -> None:
    again = {name.split("/")[1] for name, at in second.features.items() if third.features[name] != at}
    # The tampered file is of the stage `quality`; `aligned` is keyed by what face gave, and a smaller picture changes it.
    assert again - {"quality"} == {"face", "aligned"}


@pytest.fixture(scope="module")
def fourth(second: Night, third: Night, prefect_server: dict[str, str]) -> Night:
    """The tampered table is made again, by a served study on its schedule."""
    study = third.study
    tampered(second).unlink()
    environment = {**os.environ, **prefect_server}
    command = [str(PAINLAKE), "serve", "--cron", "* * * * *", "--study", str(study.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment) as server:
        try:
            until = time.monotonic() + 240
            while time.monotonic() < until and status(study.root)["version"] != "v0003":
                assert server.poll() is None
                time.sleep(2)
            # The version stands before its copy at the remote and the end of the run.
            while time.monotonic() < until and status(study.root)["last_run"]["outcome"] != "published":
                time.sleep(1)
        finally:
            server.terminate()
            server.wait(timeout=60)
    return Night(study, 0, status(study.root), "", features(study))


def test_a_served_study_runs_by_itself(fourth: Night) -> None:
    assert fourth.answer["version"] == "v0003"
    assert fourth.answer["last_run"]["outcome"] == "published"
    assert (fourth.answer["deferred"], fourth.answer["quarantined"]) == (0, 0)


def test_new_bytes_under_an_old_name_supersede_and_overwrite_nothing(fourth: Night) -> None:
    rows = ask(
        fourth.study.root,
        """SELECT visit, status, flags, recording IN (SELECT recording FROM recording_features) AS featured
           FROM recordings WHERE participant IN (SELECT participant FROM recordings WHERE visit = 'V2')
           ORDER BY visit, status""",
    )
    found = [(row["visit"], row["status"], row["featured"]) for row in rows]
    assert found == [("V1", "current", True), ("V1", "superseded", False), ("V2", "current", True)]
    assert "SUPERSEDES" in rows[0]["flags"]


def test_a_second_run_at_the_same_time_is_told_so(fourth: Night) -> None:
    with fourth.study.held():
        done = painlake("ingest", "--study", fourth.study.root, check=False)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("painlake: RUN_IN_PROGRESS")
