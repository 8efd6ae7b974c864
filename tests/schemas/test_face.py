"""The tables of the face keep to OpenFace's names and say what they mean."""

import re

from schemas.core import Tier
from schemas.face import AU_FRAMES, AU_NAMES, AU_SUPPORT

OPENFACE_R = ("01", "02", "04", "05", "06", "07", "09", "10", "12", "14", "15", "17", "20", "23", "25", "26", "45")
OPENFACE_C = (*OPENFACE_R, "28")


def test_all_of_openfaces_units_are_there_under_its_names() -> None:
    assert {f"AU{unit}_r" for unit in OPENFACE_R} <= set(AU_FRAMES.names)
    assert {f"AU{unit}_c" for unit in OPENFACE_C} <= set(AU_FRAMES.names)


def test_beyond_openface_there_is_eye_closure_alone() -> None:
    units = {name for name in AU_FRAMES.names if re.fullmatch(r"AU\d{2}_[rc]", name)}
    assert units == {f"AU{u}_r" for u in [*OPENFACE_R, "43"]} | {f"AU{u}_c" for u in [*OPENFACE_C, "43"]}
    assert set(AU_NAMES) == {f"AU{u}" for u in [*OPENFACE_C, "43"]}


def test_what_a_missing_face_cannot_show_may_be_null_and_nothing_else() -> None:
    never = {column.name for column in AU_FRAMES if not column.nullable}
    assert never == {"recording", "frame", "timestamp_s", "face_found"}


def test_every_measure_has_a_meaning_and_a_unit() -> None:
    assert all(column.meaning for column in (*AU_FRAMES, *AU_SUPPORT))
    without = {column.name for column in AU_FRAMES if not column.unit}
    assert without == {"recording", "face_found"}


def test_the_pain_score_names_its_source_and_its_approximation() -> None:
    meaning = AU_FRAMES["pspi"].meaning
    assert "Prkachin and Solomon" in meaning
    assert "approximation" in meaning
    assert (AU_FRAMES["pspi"].minimum, AU_FRAMES["pspi"].maximum) == (0, 16)


def test_frames_of_a_face_may_identify_a_person() -> None:
    assert AU_FRAMES.tier is Tier.FEATURE
