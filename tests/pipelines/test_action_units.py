"""Action units from scores and landmarks, and the pain score."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.action_units import BLENDSHAPES, columns, intensities, pspi, support
from pipelines.face_geometry import LANDMARKS
from schemas.face import AU_FRAMES, AU_NAMES, AU_SUPPORT

Values = NDArray[np.float64]
# A frontal face at rest, roughly in MediaPipe's canonical proportions (centimetres; x right, y down).
AT_REST = {
    33: (-4.4, -2.6, 0), 263: (4.4, -2.6, 0), 101: (-3.1, 0.3, -1.5), 330: (3.1, 0.3, -1.5), 1: (0, 1.2, -5.6),
    4: (0, 0.5, -5.7), 2: (0, 2.2, -4.4), 6: (0, -2.4, -4.5), 129: (-1.7, 1.1, -3.0), 358: (1.7, 1.1, -3.0),
    13: (0, 4.0, -4.4), 14: (0, 4.1, -4.4), 133: (-1.8, -2.4, -1.0), 362: (1.8, -2.4, -1.0), 468: (-3.1, -2.6, -0.8),
    473: (3.1, -2.6, -0.8), 66: (-2.8, -5.3, -2.2), 296: (2.8, -5.3, -2.2), 168: (0, -3.2, -3.7), 0: (0, 3.4, -4.5),
}  # fmt: skip


def measure(
    scores: dict[str, float] | None = None,
    moved_by: dict[int, tuple[float, float, float]] | None = None,
    *,
    facing: bool = True,
) -> dict[str, float]:
    row = np.zeros((1, len(BLENDSHAPES)))
    for name, value in (scores or {}).items():
        row[0, BLENDSHAPES.index(name)] = value
    points = np.array([AT_REST[number] for number in LANDMARKS], dtype=np.float64)
    for number, shift in (moved_by or {}).items():
        points[LANDMARKS.index(number)] += shift
    found = intensities(row, points[np.newaxis], np.zeros((1, 3)), np.array([facing]))
    return {unit: float(values[0]) for unit, values in found.items()}


def both(name: str, value: float) -> dict[str, float]:
    return {f"{name}Left": value, f"{name}Right": value}


def graded(**values: float) -> dict[str, Values]:
    return {unit: np.array([values.get(unit, 0.0)]) for unit in AU_NAMES}


def test_every_unit_of_the_table_is_measured_and_no_other() -> None:
    assert tuple(measure()) == tuple(AU_NAMES)


def test_a_face_at_rest_shows_hardly_anything() -> None:
    assert max(measure().values()) < 1


@pytest.mark.parametrize(
    ("unit", "scores"),
    [
        ("AU01", {"browInnerUp": 0.6}), ("AU02", both("browOuterUp", 0.6)), ("AU04", both("browDown", 0.5)),
        ("AU05", both("eyeWide", 0.4)), ("AU07", both("eyeSquint", 0.6)), ("AU10", both("mouthUpperUp", 0.6)),
        ("AU12", both("mouthSmile", 0.8)), ("AU14", both("mouthDimple", 0.6)), ("AU15", both("mouthFrown", 0.4)),
        ("AU17", {"mouthShrugLower": 0.7}), ("AU20", both("mouthStretch", 0.4)), ("AU23", both("mouthPress", 0.5)),
        ("AU26", {"jawOpen": 0.6}), ("AU28", {"mouthRollLower": 0.6, "mouthRollUpper": 0.6}),
        ("AU43", both("eyeBlink", 0.7)), ("AU45", both("eyeBlink", 0.7)),
    ],
)  # fmt: skip
def test_a_score_moves_its_own_unit(unit: str, scores: dict[str, float]) -> None:
    rest, moved = measure(), measure(scores)
    assert moved[unit] > rest[unit] + 3
    others = {name for name in AU_NAMES if name not in {unit, "AU43", "AU45"}}
    assert all(moved[name] <= rest[name] for name in others)


def test_intensities_stay_within_the_scale() -> None:
    everything = measure(dict.fromkeys(BLENDSHAPES, 1.0), {101: (0, -4, 0), 330: (0, -4, 0), 14: (0, 9, 0)})
    assert all(0 <= value <= 5 for value in everything.values())


def test_one_side_alone_counts_half() -> None:
    one, two = measure({"browDownLeft": 0.5}), measure(both("browDown", 0.5))
    assert 0 < one["AU04"] < two["AU04"] / 1.9


def test_a_lip_raised_by_a_smile_alone_is_no_upper_lip_raiser() -> None:
    assert measure(both("mouthSmile", 0.9) | both("mouthUpperUp", 0.5))["AU10"] < 0.01


def test_closing_lids_are_no_lid_tightener() -> None:
    assert measure(both("eyeBlink", 0.9) | both("eyeSquint", 0.6))["AU07"] == 0


def test_a_cheek_nearer_the_eye_is_a_cheek_raiser() -> None:
    assert measure(moved_by={101: (-0.3, -0.5, 0), 330: (0.3, -0.5, 0)})["AU06"] > measure()["AU06"] + 2


def test_a_nose_drawn_up_is_a_nose_wrinkler() -> None:
    up = dict.fromkeys((2, 4, 129, 358), (0.0, -0.5, 0.0))
    assert measure(moved_by=up)["AU09"] > measure()["AU09"] + 1.5


def test_a_smile_flattens_the_nose_and_is_no_nose_wrinkler() -> None:
    up = dict.fromkeys((2, 4, 129, 358), (0.0, -0.1, 0.0))
    assert measure(both("mouthSmile", 0.9), up)["AU09"] <= measure()["AU09"]


def test_a_brow_nearer_the_eye_is_a_brow_lowerer_though_no_score_says_so() -> None:
    lowered = {66: (0.0, 1.0, 0.0), 296: (0.0, 1.0, 0.0)}
    assert measure(moved_by=lowered)["AU04"] > measure()["AU04"] + 2
    assert measure(both("browDown", 0.6), lowered)["AU04"] == pytest.approx(measure(both("browDown", 0.6))["AU04"])


def test_a_lip_nearer_the_nose_root_is_an_upper_lip_raiser_unless_a_smile_lifts_it() -> None:
    up = {0: (0.0, -1.0, 0.0)}
    assert measure(moved_by=up)["AU10"] > measure()["AU10"] + 1
    assert measure(both("mouthSmile", 0.9), up)["AU10"] < measure(moved_by=up)["AU10"] - 0.5


def test_lips_apart_are_parted_lips() -> None:
    assert measure()["AU25"] == 0
    assert 2 < measure(moved_by={14: (0, 1.5, 0)})["AU25"] < 4


def test_size_and_place_in_the_frame_do_not_matter() -> None:
    scores = np.zeros((1, len(BLENDSHAPES)))
    points = np.array([[AT_REST[number] for number in LANDMARKS]], dtype=np.float64)
    here = intensities(scores, points, np.zeros((1, 3)), np.array([True]))
    there = intensities(scores, points * 30 + 200, np.zeros((1, 3)), np.array([True]))
    for unit in ("AU04", "AU06", "AU09", "AU10", "AU25"):
        assert there[unit] == pytest.approx(here[unit])


def test_geometry_is_missing_where_the_head_is_turned_away() -> None:
    found = measure(both("mouthSmile", 0.8), facing=False)
    assert {unit for unit, value in found.items() if np.isnan(value)} == {"AU06", "AU09", "AU25"}


def test_what_scores_tell_too_is_theirs_alone_where_the_head_is_turned_away() -> None:
    moved: dict[int, tuple[float, float, float]] = {66: (0, 1, 0), 296: (0, 1, 0), 0: (0, -1, 0)}
    found = measure(both("browDown", 0.1), moved, facing=False)
    assert found["AU04"] == pytest.approx(5 * (0.1 - 0.03) / 0.57)
    assert found["AU10"] == 0


def test_the_pain_score_is_that_of_prkachin_and_solomon() -> None:
    found = graded(AU04=1, AU06=2, AU07=3, AU09=1.5, AU10=0.5, AU43=5, AU12=5)
    assert pspi(found)[0] == pytest.approx(1 + 3 + 1.5 + 1)


def test_the_pain_score_is_missing_where_a_part_is() -> None:
    assert np.isnan(pspi(graded(AU04=1, AU06=np.nan, AU07=3))[0])


def test_presence_is_left_to_publication_but_of_the_unit_without_intensity() -> None:
    table = columns(graded(AU12=5, AU28=3))
    assert np.isnan(table["AU12_c"][0])
    assert table["AU28_c"][0] == 1
    assert columns(graded(AU28=0.9))["AU28_c"][0] == 0
    assert np.isnan(columns(graded(AU28=np.nan))["AU28_c"][0])
    assert "AU28_r" not in table


def test_columns_are_those_of_the_table() -> None:
    assert set(columns(graded())) == {name for name in AU_FRAMES.names if name.startswith(("AU", "pspi"))}


def test_support_names_a_method_formula_and_caveat_for_every_unit() -> None:
    rows = support()
    assert rows["action_unit"].to_list() == list(AU_NAMES)
    assert AU_SUPPORT.conform(rows).equals(rows)
    methods = {method: group["action_unit"].to_list() for (method,), group in rows.group_by("method")}
    assert methods["geometry"] == ["AU06", "AU09", "AU25"]
    assert methods["blendshape and geometry"] == ["AU04", "AU10"]
    assert all(len(text) > 10 for text in [*rows["source"], *rows["caveat"]])


def test_support_states_the_formula_that_is_computed() -> None:
    source = dict(support().select("action_unit", "source").iter_rows())
    assert "5 clip((mean(browDownLeft, browDownRight) - 0.03) / 0.57, 0, 1)" in source["AU04"]
    assert source["AU05"] == "5 clip((mean(eyeWideLeft, eyeWideRight) - 0.03) / 0.47, 0, 1)"
    assert measure(both("browDown", 0.4))["AU04"] == pytest.approx(5 * (0.4 - 0.03) / 0.57)
