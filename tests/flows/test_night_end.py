"""However a night ends, its end is written down and told; and whatever goes wrong with that changes nothing."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from flows import night_end
from flows.night_end import night_ending
from pipelines.errors import PainLakeError, RunInProgressError, UserError
from pipelines.heartbeat import heartbeat_file, read_heartbeat
from pipelines.night_summary import NightSummary
from pipelines.study import Study
from tests.pipelines.landing_factory import LightStudy

GOOD: dict[str, Any] = {"outcome": "published", "version": 1, "failures": []}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[NightSummary]:
    """What would be sent."""
    found: list[NightSummary] = []
    monkeypatch.setattr(night_end, "notify", lambda summary, _: found.append(summary))
    return found


@pytest.fixture
def paths(study: LightStudy) -> Study:
    # `open_study` wants it; nothing of it is read here.
    (study.study.root / "dvc.yaml").touch()
    return study.study


def test_a_good_night_beats_and_is_told(paths: Study, told: list[NightSummary]) -> None:
    with night_ending(paths.root) as ending:
        ending.settle(GOOD)
    heartbeat = read_heartbeat(paths)
    assert heartbeat is not None
    assert (heartbeat.good, heartbeat.outcome) == (True, "published")
    assert [summary.new_version for summary in told] == ["v0001"]


def test_a_night_within_a_night_ends_once(paths: Study, told: list[NightSummary]) -> None:
    with night_ending(paths.root), night_ending(paths.root) as inner:
        inner.settle(GOOD)
        assert told == []
    assert len(told) == 1


@pytest.mark.parametrize("error", [PainLakeError("no disk"), KeyError("bug")])
def test_a_night_that_breaks_off_is_told_and_its_error_goes_on(
    paths: Study, told: list[NightSummary], error: Exception
) -> None:
    with pytest.raises(type(error)), night_ending(paths.root):
        raise error
    assert [(summary.outcome, summary.good) for summary in told] == [("failed", False)]
    heartbeat = read_heartbeat(paths)
    assert heartbeat is not None
    assert (heartbeat.good, heartbeat.good_ended_at) == (False, None)


def test_what_was_wrong_before_anything_was_written_is_told_and_nothing_is_written(
    paths: Study, told: list[NightSummary]
) -> None:
    with pytest.raises(UserError), night_ending(paths.root):
        raise UserError("the landing zone is not there")
    assert [summary.outcome for summary in told] == ["failed"]
    assert not heartbeat_file(paths).exists()
    assert not paths.log.exists()


def test_a_run_that_found_another_one_at_work_has_not_been_one(paths: Study, told: list[NightSummary]) -> None:
    with pytest.raises(RunInProgressError), night_ending(paths.root):
        raise RunInProgressError("RUN_IN_PROGRESS")
    assert told == []
    assert not heartbeat_file(paths).exists()


def test_no_study_is_no_end(tmp_path: Path, told: list[NightSummary]) -> None:
    with pytest.raises(UserError), night_ending(tmp_path / "nowhere"):
        raise UserError("no study")
    assert told == []


def test_what_looks_after_a_study_leaves_the_heartbeat_alone(paths: Study, told: list[NightSummary]) -> None:
    with night_ending(paths.root, "verify") as ending:
        ending.settle({"outcome": "nothing wrong", "version": None, "failures": []})
    assert not heartbeat_file(paths).exists()
    assert [summary.event for summary in told] == ["verify"]


def test_the_metrics_go_where_the_parameters_say_for_all_to_read(paths: Study, told: list[NightSummary]) -> None:
    text = paths.params_file.read_text()
    paths.params_file.write_text(text.replace("metrics_file: null", "metrics_file: state/metrics.prom"))
    with night_ending(paths.root) as ending:
        ending.settle(GOOD)
    file = paths.state / "metrics.prom"
    assert "painlake_last_run_good 1\n" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_metrics_that_cannot_be_written_change_nothing(paths: Study, told: list[NightSummary]) -> None:
    text = paths.params_file.read_text()
    paths.params_file.write_text(text.replace("metrics_file: null", "metrics_file: params.yaml/below"))
    with night_ending(paths.root) as ending:
        ending.settle(GOOD)
    assert len(told) == 1
    assert "metrics_file could not be written" in paths.log.read_text()


def test_the_next_night_knows_what_needed_a_person_after_this_one(paths: Study, told: list[NightSummary]) -> None:
    for outcome in ("published, NOT_BACKED_UP", "published, NOT_BACKED_UP", "published"):
        with night_ending(paths.root) as ending:
            ending.settle({**GOOD, "outcome": outcome})
    assert [summary.needs_a_person_anew for summary in told] == [True, False, False]
    assert json.loads(heartbeat_file(paths).read_text())["attention"] == {}
