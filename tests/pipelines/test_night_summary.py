"""What a night came to, and what of it needs a person."""

from typing import Any

import pytest

from pipelines.night_summary import NightSummary, summarise

STATE: dict[str, Any] = {
    "published": 3,
    "quarantined": 2,
    "deferred": 0,
    "duplicate": 1,
    "erased": 0,
    "landed": 6,
    "balanced": True,
    "version": "v0002",
    "reasons": {"EMPTY_FILE": 2, "DUPLICATE": 1, "SHORT": 3},
    "to_erase": [],
    "erasing": [],
}


def summary(
    outcome: str = "published", failures: int = 0, before: dict[str, int] | None = None, **state: Any
) -> NightSummary:
    result = {"outcome": outcome, "version": 2, "failures": ["P-1"] * failures}
    return summarise("night", result, {**STATE, **state}, before)


def needed(found: NightSummary) -> dict[str, int]:
    return {each.code: each.count for each in found.attention}


def test_what_is_in_quarantine_needs_a_person_and_flags_and_duplicates_do_not() -> None:
    assert needed(summary()) == {"EMPTY_FILE": 2}


@pytest.mark.parametrize(
    ("outcome", "failures", "state", "code"),
    [
        ("held back: 2 critical checks failed", 0, {}, "HELD_BACK"),
        ("published", 1, {}, "FAILED"),
        ("failed", 0, {}, "FAILED"),
        ("published, NOT_BACKED_UP", 0, {}, "NOT_BACKED_UP"),
        ("published", 0, {"balanced": False}, "NOT_BALANCED"),
        ("published", 0, {"to_erase": ["P"]}, "TO_ERASE"),
        ("published", 0, {"erasing": ["P"]}, "ERASING"),
    ],
)
def test_what_else_needs_a_person_has_a_code_and_a_next_step(
    outcome: str, failures: int, state: dict[str, Any], code: str
) -> None:
    found = summary(outcome, failures, **{"reasons": {}, **state})
    assert needed(found) == {code: 1}
    assert found.attention[0].next_step


@pytest.mark.parametrize(
    ("outcome", "failures", "good"),
    [
        ("published", 0, True),
        ("nothing new", 0, True),
        ("nothing to publish", 0, True),
        ("published, NOT_BACKED_UP", 0, True),
        ("published", 1, False),
        ("held back: 1 critical checks failed", 0, False),
        ("failed", 0, False),
    ],
)
def test_a_night_is_good_unless_something_failed(outcome: str, failures: int, good: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert summary(outcome, failures).good is good


@pytest.mark.parametrize(
    ("before", "anew"),
    [(None, True), ({}, True), ({"EMPTY_FILE": 1}, True), ({"EMPTY_FILE": 2}, False), ({"EMPTY_FILE": 9}, False)],
)
def test_only_what_is_more_than_after_the_night_before_is_new(before: dict[str, int] | None, anew: bool) -> None:  # noqa: FBT001 - the same
    assert summary(before=before).needs_a_person_anew is anew


def test_nothing_in_it_names_a_person_or_a_recording() -> None:
    found = summary("published", 1, to_erase=["PX1"], erasing=["PX2"], warehouse="somewhere")
    assert not {"P-1", "PX1", "PX2"} & set(str(found.document).replace("'", " ").split())


def test_a_night_that_could_not_read_the_ledger_says_so_by_what_it_lacks() -> None:
    found = summarise("night", {"outcome": "failed", "version": None, "failures": []}, None, None)
    assert (found.fates, found.balanced, found.version, needed(found)) == (None, None, None, {"FAILED": 1})


def test_damage_that_verify_finds_is_told_as_damage() -> None:
    result = {"outcome": "failed: 2 wrong", "version": None, "failures": ["a", "b"]}
    assert needed(summarise("verify", result, {**STATE, "reasons": {}}, None)) == {"DAMAGED": 2}
