"""Choosing what is measured again: by pseudonymous names alone, and never of who took back consent."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.audit import open_audit
from pipelines.backfill import Backfill
from pipelines.errors import UserError
from pipelines.measuring import Measuring
from pipelines.recording import Recording
from pipelines.work import Unit, do_unit
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4
from tests.pipelines.test_measuring import workers


@pytest.fixture
def bench(study: LightStudy, hospital: Hospital) -> Measuring:
    hospital.admit()
    hospital.film(small_mp4())
    study.night()
    return Measuring(study.desk, open_audit(study.study, study.vault))


def only(bench: Measuring) -> Recording:
    (recording,) = bench.recordings()
    return recording


def test_all_recordings_are_chosen_where_none_is_named(bench: Measuring) -> None:
    name = only(bench).recording
    assert [each.recording for each in Backfill("face").choose(bench)] == [name]
    assert bench.again == {(name, "face")}


def test_the_audit_log_says_what_and_why(bench: Measuring) -> None:
    Backfill("voice", (only(bench).recording,), "code changed").choose(bench)
    text = bench.desk.lake.parent.joinpath("state", "audit.log").read_text()
    assert all(f'"{word}"' in text for word in ("backfill", "voice", "code changed"))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Backfill("publish"), "name one of quality"),
        (Backfill("face", reason="Jansen asked"), "say why with one of"),
        (Backfill("face", engine="openface"), "set it there first"),
        (Backfill("face", ("MRN-4711007",)), "1 of the names"),
        (Backfill("face", ("PABCDEFGH1-ABCDEFGH",)), "1 of the names"),
    ],
)
def test_what_cannot_be_done_is_one_line_that_repeats_no_name(bench: Measuring, wanted: Backfill, said: str) -> None:
    with pytest.raises(UserError, match=said) as refused:
        wanted.choose(bench)
    assert not {"MRN-4711007", "Jansen", "PABCDEFGH1"} & set(str(refused.value).split())
    assert bench.again == set()


def test_recordings_of_who_took_back_consent_are_left_alone(bench: Measuring, hospital: Hospital, study: LightStudy) -> None:  # fmt: skip
    hospital.consent(status="withdrawn", at="2026-05-20T09:00:00+01:00")
    study.land()
    assert Backfill("face").choose(bench) == []


def test_a_unit_is_measured_again_only_where_it_was_chosen(bench: Measuring) -> None:
    recording = only(bench)
    seen: list[Unit] = []
    told: Any = workers()
    answer: Callable[..., Any] = told.run

    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        seen.append(arguments[0])
        return answer(function, *arguments)

    told.run = run
    Backfill("quality").choose(bench)
    for stage in ("quality", "face"):
        bench.measure(stage, recording, None, told)
    assert [(unit.stage, unit.again) for unit in seen] == [("quality", True), ("face", False)]


def test_what_stands_under_its_key_is_kept_or_made_again_as_asked(
    bench: Measuring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = only(bench)
    identity = bench.desk.vault.of_pseudonym(recording.participant).identity
    unit = Unit("quality", recording, bench.desk.lake, bench.desk.params, "key", identity)
    first = do_unit(unit)
    (file,) = bench.desk.lake.glob("*/quality/*.parquet")
    before = file.stat().st_mtime_ns
    assert do_unit(unit) == first
    assert file.stat().st_mtime_ns == before
    again = replace(unit, again=True)
    assert do_unit(again) == first
    assert file.stat().st_mtime_ns > before
