"""The voice tables carry openSMILE's own names, each with a meaning and a unit."""

import opensmile
import pytest

from schemas.core import Column, Tier
from schemas.voice import DESCRIPTORS, FUNCTIONALS, OF_UNVOICED, OF_VOICED, VOICE_FRAMES, VOICE_FUNCTIONALS


def names_of(level: opensmile.FeatureLevel) -> list[str]:
    return list(opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level).feature_names)


def test_descriptors_are_those_of_opensmile_in_its_order() -> None:
    assert [d.name for d in DESCRIPTORS] == names_of(opensmile.FeatureLevel.LowLevelDescriptors)
    assert VOICE_FRAMES.names[-25:] == tuple(d.name for d in DESCRIPTORS)


def test_functionals_are_those_of_opensmile_in_its_order() -> None:
    assert [c.name for c in FUNCTIONALS] == names_of(opensmile.FeatureLevel.Functionals)
    assert VOICE_FUNCTIONALS.names[-88:] == tuple(c.name for c in FUNCTIONALS)


@pytest.mark.parametrize("column", [*VOICE_FRAMES.columns[3:], *FUNCTIONALS], ids=lambda c: c.name)
def test_every_feature_has_a_meaning_and_a_unit(column: Column) -> None:
    assert column.meaning.endswith(".")
    assert len(column.meaning.split()) > 3
    assert column.unit


@pytest.mark.parametrize(
    ("name", "unit", "words"),
    [
        ("F0semitoneFrom27.5Hz_sma3nz_percentile50.0", "{semitone}", "Median of the fundamental frequency"),
        ("F0semitoneFrom27.5Hz_sma3nz_meanRisingSlope", "{semitone}/s", "Mean slope of rising parts"),
        ("slopeUV0-500_sma3nz_amean", "dB/Hz", "over unvoiced frames"),
        ("mfcc2V_sma3nz_stddevNorm", "1", "over voiced frames"),
        ("F2bandwidth_sma3nz_amean", "Hz", "bandwidth of formant 2"),
    ],
)
def test_meaning_and_unit_follow_from_the_name(name: str, unit: str, words: str) -> None:
    assert VOICE_FUNCTIONALS[name].unit == unit
    assert words in VOICE_FUNCTIONALS[name].meaning


def test_what_needs_voice_and_what_needs_its_absence_do_not_overlap() -> None:
    assert not set(OF_VOICED) & set(OF_UNVOICED)
    rest = [c.name for c in FUNCTIONALS if c.name not in {*OF_VOICED, *OF_UNVOICED}]
    assert not [name for name in rest if name.endswith("nz_amean")]


def test_frames_are_a_feature_and_functionals_an_aggregate() -> None:
    assert (VOICE_FRAMES.tier, VOICE_FUNCTIONALS.tier) == (Tier.FEATURE, Tier.AGGREGATE)
