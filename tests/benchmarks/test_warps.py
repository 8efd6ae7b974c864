"""Each synthetic movement raises its own action unit, but for those that the engine is known not to see."""

from importlib.util import find_spec

import numpy as np
import pytest

if find_spec("skimage") is None:
    pytest.skip("the synthetic face is scikit-image's photograph", allow_module_level=True)

from benchmarks.looks import MEASURES, Values
from benchmarks.warps import STRENGTHS, responses, summarise
from pipelines.synthetic.anatomy import ACTION_UNITS

PERSON = 2
SEEN = {"AU01": 1.0, "AU02": 1.0, "AU04": 1.0, "AU07": 1.0, "AU09": 0.4, "AU10": 0.6, "AU12": 1.0, "AU17": 1.0, "AU20": 0.3,
        "AU25": 0.5, "AU26": 1.0, "AU43": 1.0}  # fmt: skip
"""By how much the full movement raises its own measure at least."""
UNSEEN = ("AU05", "AU06", "AU15")
"""What the engine's scores and landmarks do not follow, as au_support says."""


@pytest.fixture(scope="module")
def measured() -> Values:
    return responses(PERSON, strengths=(0.5, 1.0))


def rise(measured: Values, warp: str, unit: str) -> tuple[float, float]:
    """The half and the full movement's gain over the face at rest."""
    at, column = 1 + 2 * ACTION_UNITS.index(warp), MEASURES.index(unit)
    half, full = measured[at : at + 2, column] - measured[0, column]
    return float(half), float(full)


@pytest.mark.parametrize("unit", SEEN)
def test_a_movement_raises_its_own_action_unit_the_more_the_stronger_it_is(measured: Values, unit: str) -> None:
    half, full = rise(measured, unit, unit)
    assert full > SEEN[unit]
    assert full > half > -0.05


@pytest.mark.parametrize("unit", UNSEEN)
def test_what_is_said_to_go_unseen_does(measured: Values, unit: str) -> None:
    assert abs(rise(measured, unit, unit)[1]) < 0.5


def test_every_movement_is_either_seen_or_said_to_be_unseen() -> None:
    assert sorted([*SEEN, *UNSEEN]) == sorted(ACTION_UNITS)


@pytest.mark.parametrize("movement", ["AU25", "AU26", "AU43"])
def test_speech_and_blinks_leave_brow_nose_and_upper_lip_alone(measured: Values, movement: str) -> None:
    for unit in ("AU01", "AU02", "AU04", "AU09", "AU10"):
        assert abs(rise(measured, movement, unit)[1]) < 0.3


def test_the_tables_tell_size_direction_monotony_and_cross_talk() -> None:
    course = np.zeros((2, 1 + len(ACTION_UNITS) * len(STRENGTHS), len(MEASURES)))
    first = 1 + ACTION_UNITS.index("AU04") * len(STRENGTHS)
    course[:, first : first + len(STRENGTHS), MEASURES.index("AU04")] = (0.5, 1.0, 1.5, 2.0)
    course[:, first : first + len(STRENGTHS), MEASURES.index("AU07")] = (0.0, 0.0, 0.0, -1.0)
    own, matrix = summarise(course).tables
    row = dict(zip(own.header, own.rows[ACTION_UNITS.index("AU04")], strict=True))
    assert (row["0.5"], row["1"], row["rho"], row["answers"]) == ("+1.0", "+2.0", "1.00", "yes")
    assert row["others"] == "AU07 -1.0"
    unseen = dict(zip(own.header, own.rows[ACTION_UNITS.index("AU06")], strict=True))
    assert (unseen["1"], unseen["rho"], unseen["answers"], unseen["others"]) == (".", "0.00", "no", "none")
    crossed = dict(zip(matrix.header, matrix.rows[1 + ACTION_UNITS.index("AU04")], strict=True))
    assert (crossed["AU04"], crossed["AU07"], crossed["AU12"]) == ("+2.0", "-1.0", ".")
