"""Nobody stands alone: rare types merged, values told more coarsely, people left out, or a refusal."""

from collections import Counter
from collections.abc import Mapping

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.disclosure import OTHER, anonymise, smallest_class, suppress_rare
from pipelines.errors import UserError
from pipelines.generalise import main_stage, widened
from pipelines.params import ReleaseParams
from schemas.people import QUASI_IDENTIFIERS

PARAMS = ReleaseParams()
STRICT = ReleaseParams(max_dropped_share=0.0)
PATIENT = {
    "group": "pain",
    "sex": "female",
    "age_band": "50-59",
    "site": "north",
    "language": "nl",
    "tumour_type": "breast",
    "tumour_stage": "II",
}

Person = Mapping[str, str | None]


def table(*people: tuple[int, Person]) -> pl.DataFrame:
    """So many people like each."""
    rows = [{**PATIENT, **person} for count, person in people for _ in range(count)]
    names = [f"P{number:09d}" for number in range(len(rows))]
    schema = dict.fromkeys(QUASI_IDENTIFIERS, pl.String)
    return pl.DataFrame(rows, schema=schema).insert_column(0, pl.Series("participant", names, dtype=pl.String))


def test_a_table_in_which_nobody_stands_out_stays_as_it_is() -> None:
    people = table((5, {}), (7, {"sex": "male"}))
    result = anonymise(people, PARAMS)
    assert result.people.equals(people)
    assert result.k == 5
    assert (result.recodings, result.types_merged, result.suppressed, result.dropped) == ({}, 0, 0, 0)


def test_rare_tumour_types_become_one_of_all_rare_ones() -> None:
    people = table((6, {}), (3, {"tumour_type": "sarcoma"}), (2, {"tumour_type": "thymoma"}))
    result = anonymise(people, PARAMS)
    assert result.people["tumour_type"].value_counts().sort("tumour_type").rows() == [("breast", 6), (OTHER, 5)]
    assert (result.types_merged, result.people_merged, result.dropped) == (2, 5, 0)


def test_ages_are_told_in_wider_bands_before_anyone_is_left_out() -> None:
    people = table(
        (3, {"age_band": "40-49"}), (3, {"age_band": "50-59"}), (3, {"age_band": "80-89"}), (3, {"age_band": "90+"})
    )
    result = anonymise(people, PARAMS)
    assert Counter(result.people["age_band"]) == {"40-59": 6, "80+": 6}
    assert result.recodings == {"age_band": "bands of 20 years"}
    assert (result.suppressed, result.dropped) == (0, 0)


def test_stages_lose_their_letters() -> None:
    people = table((3, {"tumour_stage": "IIIA"}), (3, {"tumour_stage": "IIIB"}))
    result = anonymise(people, PARAMS)
    assert set(result.people["tumour_stage"]) == {"III"}
    assert result.recodings == {"tumour_stage": "main stages"}


def test_a_column_that_singles_out_everyone_is_left_out() -> None:
    people = table(*((2, {"site": f"ward {number}"}) for number in range(6)))
    result = anonymise(people, PARAMS)
    assert result.people["site"].null_count() == 12
    assert result.recodings == {"site": "left out"}


def test_few_who_stand_out_lose_their_quasi_identifiers_and_the_rest_keep_theirs() -> None:
    odd = [(1, {"sex": sex, "age_band": age, "site": site}) for sex, age, site in (
        ("male", "20-29", "west"), ("male", "90+", "east"), ("other", "30-39", "west"),
        ("female", "70-79", "east"), ("other", "60-69", "south"),
    )]  # fmt: skip
    people = table((40, {}), *odd)
    result = anonymise(people, PARAMS)
    assert result.suppressed == 5
    assert result.people.filter(pl.col("sex").is_null())["group"].to_list() == ["pain"] * 5
    assert result.people.head(40).equals(people.head(40))


def test_a_few_who_stand_out_even_then_are_left_out() -> None:
    people = table((30, {}), (2, {"group": "control", "tumour_type": None, "tumour_stage": None}))
    result = anonymise(people, PARAMS)
    assert result.people.equals(people.head(30))
    assert result.dropped == 2


def test_the_group_is_never_hidden_since_the_scores_show_it() -> None:
    people = table((30, {}), (2, {"group": "control"}))
    with pytest.raises(UserError, match="k = 5 cannot be met: 2 of 32 people would have to be left out"):
        anonymise(people, STRICT)


def test_too_many_to_leave_out_is_refused() -> None:
    people = table((8, {}), (4, {"group": "control"}))
    with pytest.raises(UserError, match=r"4 of 12 people .* release.max_dropped_share = 0.2") as refused:
        anonymise(people, PARAMS)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("count", [0, 1, 4])
def test_fewer_than_k_people_are_never_released(count: int) -> None:
    with pytest.raises(UserError, match="k = 5 cannot be met"):
        anonymise(table((count, {})), PARAMS)


def test_only_the_named_quasi_identifiers_count() -> None:
    people = table(*((1, {"site": f"ward {number}"}) for number in range(6)))
    result = anonymise(people, ReleaseParams(quasi_identifiers=("sex", "age_band")))
    assert result.people.equals(people)


def test_missing_values_are_values_that_others_may_know_to_be_missing() -> None:
    people = table((10, {}), (2, {"language": None}))
    result = anonymise(people, STRICT)
    assert result.recodings == {"language": "left out"}


# --- cells ---


def test_a_value_of_few_people_is_suppressed_however_often_it_occurs() -> None:
    rows = pl.DataFrame({"participant": ["A"] * 9 + ["B", "C"], "route": ["rectal"] * 9 + ["oral", "oral"]})
    result, cells = suppress_rare(rows, "route", "participant", 2)
    assert result["route"].to_list() == [None] * 9 + ["oral", "oral"]
    assert cells == 9


def test_nothing_is_suppressed_that_is_missing_already() -> None:
    rows = pl.DataFrame({"participant": ["A", "B"], "route": [None, None]}, schema_overrides={"route": pl.String})
    result, cells = suppress_rare(rows, "route", "participant", 5)
    assert result.equals(rows)
    assert cells == 0


# --- of any population ---

BANDS = [f"{low}-{low + 9}" for low in range(20, 90, 10)] + ["90+"]
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "group": st.sampled_from(["pain", "pain", "control"]),
            "sex": st.sampled_from(["female", "male", None]),
            "age_band": st.sampled_from([*BANDS, None]),
            "site": st.sampled_from(["north", "south"]),
            "language": st.sampled_from(["nl", "nl", "en"]),
            "tumour_type": st.sampled_from(["breast", "lung", "sarcoma", None]),
            "tumour_stage": st.sampled_from(["IIIA", "IIIB", "IV", "unknown", None]),
        }
    ),
    min_size=0,
    max_size=60,
)
CHOICES = st.builds(
    ReleaseParams,
    k_anonymity=st.integers(2, 6),
    rare_below=st.integers(1, 6),
    max_dropped_share=st.sampled_from([0.0, 0.2, 0.5]),
)


def ages(band: str) -> range:
    low, _, high = band.removesuffix("+").partition("-")
    return range(int(low), int(high) + 1 if high else 120)


def no_finer(column: str, old: str | None, new: str | None) -> bool:
    if new is None or new == old:
        return True
    if old is None:
        return False
    if column == "age_band":
        return set(ages(old)) <= set(ages(new))
    if column == "tumour_stage":
        return new == main_stage(old)
    return column == "tumour_type" and new == OTHER


@settings(max_examples=40)
@given(PEOPLE, CHOICES)
def test_any_population_becomes_anonymous_or_is_refused(people: list[Person], params: ReleaseParams) -> None:
    before = table(*((1, person) for person in people))
    try:
        result = anonymise(before, params)
    except UserError:
        return
    after = result.people
    assert result.k == smallest_class(after, params.quasi_identifiers) >= params.k_anonymity
    assert before.height - after.height == result.dropped <= before.height * params.max_dropped_share
    was = {row["participant"]: row for row in before.iter_rows(named=True)}
    for row in after.iter_rows(named=True):
        for column in QUASI_IDENTIFIERS:
            assert no_finer(column, was[row["participant"]][column], row[column]), column
    types = Counter(value for value in after["tumour_type"] if value not in {None, OTHER})
    assert all(count >= params.rare_below for count in types.values())
    again = anonymise(after, params)
    assert again.people.equals(after)
    assert (again.suppressed, again.dropped, again.types_merged) == (0, 0, 0)


@given(st.sampled_from(BANDS), st.sampled_from([20, 40, 80]))
def test_a_wider_band_holds_the_one_it_was_made_of(band: str, width: int) -> None:
    wider = widened(band, width)
    assert wider is None or set(ages(band)) <= set(ages(wider))
