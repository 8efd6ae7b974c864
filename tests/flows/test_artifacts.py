"""What Prefect's pages show of a night: counts, codes, links, and nobody."""

from typing import Any

from flows.artifacts import page_of, rows_of
from pipelines.night_summary import NightSummary, summarise
from tests.pipelines.landing_factory import LightStudy
from tests.pipelines.test_night_summary import STATE


def night(before: dict[str, int] | None = None, **state: Any) -> NightSummary:
    result: dict[str, Any] = {"outcome": "published", "version": 2, "failures": []}
    return summarise("night", result, {**STATE, **state}, before)


def test_the_page_says_what_became_of_everything_and_what_to_do(study: LightStudy) -> None:
    page = page_of(study.study, night({"EMPTY_FILE": 1}))
    assert "New version **v0002**" in page
    assert "| published | 3 |" in page
    assert "| EMPTY_FILE | 2 (new) | ask the hospital" in page
    assert f"`painlake status --study {study.study.root}`" in page


def test_links_lead_to_files_that_are_there(study: LightStudy) -> None:
    assert "](file:" not in page_of(study.study, night())
    report = study.study.reports / "validation.json"
    report.write_text("{}")
    assert f"[validation.json]({report.as_uri()})" in page_of(study.study, night())


def test_a_quiet_night_says_that_nothing_needs_a_person(study: LightStudy) -> None:
    assert "Nothing needs a person." in page_of(study.study, night(reasons={}))


def test_the_table_has_a_row_for_each_fate_and_each_code() -> None:
    rows = rows_of(night())
    assert [(row["kind"], row["what"], row["count"]) for row in rows] == [
        ("fate", "published", 3),
        ("fate", "quarantined", 2),
        ("fate", "deferred", 0),
        ("fate", "duplicate", 1),
        ("fate", "erased", 0),
        ("needs a person", "EMPTY_FILE", 2),
    ]


def test_nobody_is_named(study: LightStudy) -> None:
    summary = night(to_erase=["PXXXXXXXX1"], erasing=["PXXXXXXXX2"])
    assert "PXXXXXXXX" not in page_of(study.study, summary) + str(rows_of(summary))
