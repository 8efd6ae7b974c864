from schemas.core import Tier
from schemas.releases import released
from schemas.tables import TABLES, VOICE_TABLES
from schemas.voice import CAUSES, FUNCTIONALS, VOICE_FUNCTIONALS
from schemas.voice_sets import (
    CROSS_CHECKED,
    VOICE_CROSS_CHECK,
    VOICE_FEATURES_LONG,
    VOICE_FUNCTIONALS_SPEECH,
    VOICE_SERIES,
)


def test_functionals_of_speech_are_those_of_tasks_under_the_same_names_and_key() -> None:
    assert VOICE_FUNCTIONALS_SPEECH.key == VOICE_FUNCTIONALS.key == ("recording", "task", "feature_set")
    assert VOICE_FUNCTIONALS_SPEECH.names[-88:] == tuple(column.name for column in FUNCTIONALS)
    assert set(VOICE_FUNCTIONALS_SPEECH.names) - set(VOICE_FUNCTIONALS.names) == {"speech_s", "stretches"}


def test_only_speech_can_be_missing_from_speech() -> None:
    assert VOICE_FUNCTIONALS["cause"].allowed == CAUSES
    assert set(VOICE_FUNCTIONALS_SPEECH["cause"].allowed) - set(CAUSES) == {"no_speech"}
    assert "'no_speech'" in VOICE_FUNCTIONALS_SPEECH["cause"].meaning


def test_what_shows_the_shape_of_the_spectrum_leaves_no_open_release() -> None:
    for table in (VOICE_FEATURES_LONG, VOICE_SERIES, VOICE_CROSS_CHECK):
        assert table.tier is Tier.FEATURE
        assert released(table, "open") is None
        assert released(table, "partner") is not None


def test_what_is_cross_checked_is_a_functional_of_the_same_unit() -> None:
    for name, each in CROSS_CHECKED.items():
        declared = VOICE_FUNCTIONALS[each.opensmile]
        assert declared.unit == each.unit or each.convert != "{}", name
        assert name in VOICE_CROSS_CHECK.meaning


def test_all_tables_of_the_voice_stage_are_published() -> None:
    assert {table.name for table in VOICE_TABLES} <= set(TABLES)
    assert len(VOICE_TABLES) == 8
