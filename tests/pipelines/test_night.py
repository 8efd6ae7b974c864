"""What a night does before anything else: it clears up what a killed one left."""

import logging
from pathlib import Path

import pytest

from pipelines.ledger import Ledger
from pipelines.night import Night
from pipelines.repository import Repository
from pipelines.vault_key import new_key
from pipelines.worker_key import handed_over, lease_of
from tests.pipelines.landing_factory import LightStudy


def cleared(study: LightStudy) -> None:
    night = Night.open(study.study)
    night.clean_up()
    night.close()


def test_half_written_files_are_removed_wherever_a_night_writes(study: LightStudy) -> None:
    paths = study.study
    written = (paths.lake / "P000000001" / "face", paths.quarantine, paths.warehouse, paths.reports, paths.vault)
    for folder in written:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".file.x1y2z3.partial").touch()
        (folder / "whole").touch()
    cleared(study)
    assert list(paths.root.rglob("*.partial")) == []
    assert [(folder / "whole").exists() for folder in written] == [True] * len(written)


def test_no_key_that_was_left_for_workers_outlives_its_run(study: LightStudy) -> None:
    lease = lease_of(study.study.state, "face", "P000000001-00000000", "0123456789ab")
    killed = handed_over(lease, new_key(), new_key())
    killed.__enter__()
    cleared(study)
    assert not lease.exists()


def test_the_lake_is_gone_through_where_the_last_holder_may_have_left_something(study: LightStudy) -> None:
    left = study.study.lake / "P000000001" / "face" / ".file.x1y2z3.partial"
    left.parent.mkdir(parents=True)
    left.touch()
    for expected in (False, True):
        # Cleared once, it is clear until somebody else ends badly.
        with study.study.held():
            cleared(study)
            assert left.exists() is expected
        left.touch()
    with pytest.raises(RuntimeError), study.study.held():
        raise RuntimeError
    with study.study.held():
        cleared(study)
    assert not left.exists()


def record(study: LightStudy) -> Path:
    """A record of DVC that is as committed, and then cut off."""
    repository = Repository(study.study.root)
    repository.git("init", "--quiet", "--initial-branch", "main")
    path = study.study.root / "dvc.lock"
    path.write_text("stages:\n  quality: 1\n", encoding="utf-8")
    repository.git("add", "dvc.lock")
    repository.git("-c", "user.name=x", "-c", "user.email=x@localhost", "commit", "--quiet", "--message", "record")
    path.write_text("stages:\n  qual", encoding="utf-8")
    return path


def test_records_are_put_back_after_a_run_that_did_not_end(study: LightStudy) -> None:
    path = record(study)
    study.ledger.begin_run("2026-06-01T12:00:00+00:00")
    assert study.ledger.was_interrupted()
    cleared(study)
    assert path.read_text(encoding="utf-8") == "stages:\n  quality: 1\n"


def test_records_are_left_as_somebody_changed_them_after_a_run_that_ended(study: LightStudy) -> None:
    path = record(study)
    run = study.ledger.begin_run("2026-06-01T12:00:00+00:00")
    study.ledger.end_run(run, "published", None, "2026-06-01T12:05:00+00:00")
    assert not study.ledger.was_interrupted()
    cleared(study)
    assert path.read_text(encoding="utf-8") == "stages:\n  qual"


def test_a_ledger_without_runs_was_not_interrupted(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert not ledger.was_interrupted()
    ledger.close()


def test_a_night_that_computed_says_how_long_by_stage(study: LightStudy, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("painlake")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    night = Night.open(study.study)
    try:
        night.end(night.begin(), "nothing new", whole=False)
        assert "computed" not in caplog.text
        night.measuring.computed_s |= {"voice": 1.26, "face": 12.0}
        night.end(night.begin(), "published", whole=False)
        assert "computed: face 12.0 s, voice 1.3 s" in caplog.text
    finally:
        night.close()
        logger.removeHandler(caplog.handler)
