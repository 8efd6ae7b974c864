"""What `dvc repro` calls decodes in a confined worker as well."""

import os
from pathlib import Path

import pytest

from pipelines.errors import PainLakeError
from pipelines.faultpoints import VARIABLE
from pipelines.person import measure_person
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4


def test_a_recording_that_breaks_its_decoder_is_named_in_one_line_and_the_rest_can_be_done(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    (recording,) = study.night()
    with monkeypatch.context() as patched:
        patched.setenv(VARIABLE, f"unit.quality.{recording.recording}:crash")
        with pytest.raises(PainLakeError, match=f"{recording.recording}: quality refuses it: DECODER_CRASH"):
            measure_person(study.study, "quality", recording.participant, print)
    told: list[str] = []
    assert measure_person(study.study, "quality", recording.participant, told.append) == 1
    assert told == [recording.recording]
    made = study.study.lake / recording.participant / "quality"
    assert [Path(entry).name for entry in os.listdir(made)] == [f"{recording.recording}.parquet"]  # noqa: PTH208 - names alone
