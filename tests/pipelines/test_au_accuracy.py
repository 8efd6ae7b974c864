"""The statistics of agreement: against hand-computed examples, other formulas of the same, and what must hold of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import agreement
from pipelines.au_accuracy import Draws, Estimate, auc, f1, icc_3_1

ONE = Draws()
RNG = np.random.default_rng(7)


def nobody(n: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """All frames of one person."""
    return np.zeros(n, dtype=np.int64)


def flags(text: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return np.array([letter == "1" for letter in text])


# --- F1 ---


@pytest.mark.parametrize(
    ("coder", "engine", "expected"),
    [
        ("1100", "1010", 0.5),
        ("1111", "1111", 1.0),
        ("1110", "1000", 0.5),
        ("1000", "0111", 0.0),
        ("0000", "0001", 0.0),
        ("0000", "0000", None),
    ],
)
def test_f1_is_twice_the_hits_over_all_that_either_saw(coder: str, engine: str, expected: float | None) -> None:
    assert f1(flags(coder), flags(engine), nobody(4), ONE).value == expected


# --- ICC(3,1) ---


def test_icc_of_two_of_shrout_and_fleiss_judges() -> None:
    """Of their table 2, by hand: the judges' means per target deviate by 11.708 squared, their differences by 6.833."""
    first, second = np.array([[9, 2], [6, 1], [8, 4], [7, 1], [10, 5], [6, 2]], dtype=np.float64).T
    between, error = 2 * 11.7083 / 5, 6.8333 / 5 / 2
    expected = (between - error) / (between + error)
    assert icc_3_1(first, second, nobody(6), ONE).value == pytest.approx(expected, abs=1e-4)
    assert expected == pytest.approx(0.745, abs=1e-3)


def test_icc_is_that_of_the_analysis_of_variance() -> None:
    for _ in range(20):
        coder, engine = RNG.normal(2, 1, 50), RNG.normal(1, 2, 50)
        engine += coder
        assert icc_3_1(coder, engine, nobody(50), ONE).value == pytest.approx(agreement.icc_3_1(coder, engine))


def test_an_offset_costs_no_consistency_and_a_scale_does() -> None:
    coder = RNG.normal(0, 1, 200)
    engine = coder + RNG.normal(0, 0.5, 200)
    base = icc_3_1(coder, engine, nobody(200), ONE).value
    assert base is not None
    assert icc_3_1(coder, engine + 1000, nobody(200), ONE).value == pytest.approx(base)
    scaled = icc_3_1(coder, 3 * engine, nobody(200), ONE).value
    assert scaled is not None
    assert scaled < base - 0.1


def test_perfect_agreement_is_1_and_its_opposite_minus_1() -> None:
    values = RNG.normal(0, 1, 30)
    assert icc_3_1(values, values, nobody(30), ONE).value == pytest.approx(1)
    assert icc_3_1(values, -values, nobody(30), ONE).value == pytest.approx(-1)


def test_where_nothing_varies_there_is_no_icc() -> None:
    assert icc_3_1(np.full(9, 0.1), np.full(9, 0.3), nobody(9), ONE) == Estimate()
    assert icc_3_1(np.empty(0), np.empty(0), nobody(0), ONE) == Estimate()


# --- AUC ---


@pytest.mark.parametrize(
    ("present", "scores", "expected"),
    [
        ("0011", [0, 1, 2, 3], 1.0),
        ("1100", [0, 1, 2, 3], 0.0),
        ("0101", [0, 1, 2, 3], 0.75),
        ("0101", [1, 1, 1, 1], 0.5),
        ("011", [1, 1, 2], 0.75),
        ("111", [1, 2, 3], None),
        ("000", [1, 2, 3], None),
    ],
)
def test_auc_counts_pairs_in_order_and_ties_half(present: str, scores: list[float], expected: float | None) -> None:
    assert auc(flags(present), np.array(scores, dtype=np.float64), nobody(len(scores)), ONE).value == expected


def test_shuffled_scores_are_worth_a_half() -> None:
    present = RNG.random(4000) < 0.3
    found = auc(present, RNG.random(4000), nobody(4000), ONE).value
    assert found == pytest.approx(0.5, abs=0.03)


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 4), st.integers(0, 2)), min_size=2, max_size=40).filter(
        lambda rows: len({present for present, _, _ in rows}) == 2
    )
)
def test_auc_is_that_of_all_pairs_however_they_are_grouped(rows: list[tuple[bool, int, int]]) -> None:
    present = np.array([row[0] for row in rows])
    scores = np.array([row[1] for row in rows], dtype=np.float64)
    groups = np.unique([row[2] for row in rows], return_inverse=True)[1].astype(np.int64)
    pairs = scores[present][:, None] - scores[~present][None, :]
    expected = float(np.mean((pairs > 0) + 0.5 * (pairs == 0)))
    assert auc(present, scores, groups, Draws(100)).value == pytest.approx(expected)


# --- intervals ---


def test_an_interval_holds_the_value_and_one_person_has_none() -> None:
    n, people = 600, 12
    groups = np.repeat(np.arange(people), n // people)
    coder = RNG.normal(0, 1, n)
    engine = coder + RNG.normal(0, 1, n)
    present = coder > 0.5
    for found in (
        f1(present, engine > 0.5, groups, ONE),
        icc_3_1(coder, engine, groups, ONE),
        auc(present, engine, groups, ONE),
    ):
        assert found.value is not None
        assert found.low is not None
        assert found.high is not None
        assert found.low < found.value < found.high
    assert icc_3_1(coder, engine, nobody(n), ONE).low is None


def test_persons_are_drawn_and_not_frames() -> None:
    """Frames repeated tenfold tell no more: the interval stays."""
    groups = np.repeat(np.arange(8), 20)
    coder = RNG.normal(0, 1, 160)
    engine = coder + RNG.normal(0, 1, 160) + RNG.normal(0, 1, 8)[groups]
    once = icc_3_1(coder, engine, groups, ONE)
    often = icc_3_1(np.repeat(coder, 10), np.repeat(engine, 10), np.repeat(groups, 10), ONE)
    assert (often.value, often.low, often.high) == pytest.approx((once.value, once.low, once.high))


def test_the_same_seed_gives_the_same_interval() -> None:
    groups = np.repeat(np.arange(5), 10)
    coder, engine = RNG.normal(0, 1, 50), RNG.normal(0, 1, 50)
    assert icc_3_1(coder, engine, groups, Draws(200, 3)) == icc_3_1(coder, engine, groups, Draws(200, 3))
    assert icc_3_1(coder, engine, groups, Draws(200, 3)) != icc_3_1(coder, engine, groups, Draws(200, 4))


def test_an_interval_is_what_drawing_the_frames_themselves_gives() -> None:
    """The sums over persons against the plain way: every draw's frames put together."""
    groups = np.repeat(np.arange(6), 15)
    coder = RNG.normal(0, 1, 90)
    engine = coder + RNG.normal(0, 1, 90)
    present = coder > 0
    draws = Draws(150, 2)
    plain = []
    for weights in draws.weights(6):
        rows = np.concatenate([np.tile(np.flatnonzero(groups == g), int(w)) for g, w in enumerate(weights)])
        plain.append(
            (
                auc(present[rows], engine[rows], nobody(len(rows)), ONE).value,
                icc_3_1(coder[rows], engine[rows], nobody(len(rows)), ONE).value,
                f1(present[rows], engine[rows] > 0, nobody(len(rows)), ONE).value,
            )
        )
    low, high = np.percentile(np.array(plain, dtype=np.float64), (2.5, 97.5), axis=0)
    found = (
        auc(present, engine, groups, draws),
        icc_3_1(coder, engine, groups, draws),
        f1(present, engine > 0, groups, draws),
    )
    assert [each.low for each in found] == pytest.approx(low.tolist())
    assert [each.high for each in found] == pytest.approx(high.tolist())
