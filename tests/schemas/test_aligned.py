"""The aligned table takes its columns from those of face and voice."""

from schemas.aligned import ALIGNED_FRAMES, INTERPOLATED, NEAREST
from schemas.face import AU_FRAMES
from schemas.voice import DESCRIPTORS


def test_every_action_unit_pose_gaze_mouth_and_score_is_there() -> None:
    measured = [n for n in AU_FRAMES.names if n.startswith(("AU", "pose_", "gaze_")) or n in {"pspi", "mouth_open"}]
    assert sorted(measured) == sorted((*INTERPOLATED, *NEAREST))
    assert set(measured) < set(ALIGNED_FRAMES.names)


def test_every_descriptor_is_there_with_its_window() -> None:
    for descriptor in DESCRIPTORS:
        assert "t_s - h/2" in ALIGNED_FRAMES[descriptor.name].meaning


def test_units_bounds_and_types_are_kept() -> None:
    for name in (*INTERPOLATED, *NEAREST):
        ours, theirs = ALIGNED_FRAMES[name], AU_FRAMES[name]
        assert (ours.unit, ours.minimum, ours.maximum, ours.type) == (
            theirs.unit,
            theirs.minimum,
            theirs.maximum,
            theirs.type,
        )
        assert ours.nullable
