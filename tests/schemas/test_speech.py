from schemas.core import Tier
from schemas.features import RECORDING_FEATURES
from schemas.speech import SPEECH_SEGMENTS, SPEECH_TIMING, TIMING, TIMING_IN_VIEW


def test_when_somebody_speaks_is_a_series_and_its_summary_is_not() -> None:
    assert {SPEECH_SEGMENTS.tier_of(column) for column in SPEECH_SEGMENTS} == {Tier.FEATURE}
    assert {SPEECH_TIMING.tier_of(column) for column in SPEECH_TIMING} == {Tier.AGGREGATE}


def test_every_measure_has_a_unit_and_no_negative_value() -> None:
    assert [column.name for column in TIMING if not column.unit or column.minimum != 0] == []


def test_the_view_has_the_timing_but_one_silence_alone() -> None:
    assert set(TIMING_IN_VIEW) == {column.name for column in TIMING} - {"longest_silence_s"}
    assert set(TIMING_IN_VIEW) <= set(RECORDING_FEATURES.names)
    assert "Of the whole recording" in RECORDING_FEATURES["longest_silence_s"].meaning
