"""What people are told of the quarantine: what was found, how long ago, what to do; never whose it is."""

from datetime import datetime, timedelta

import pytest

from pipelines.errors import Reason, UserError
from pipelines.quarantine_list import Wanted, details_of, in_quarantine, parse_age
from pipelines.set_aside import set_aside
from schemas.faults import FAULTS
from tests.pipelines.landing_factory import ID, NAME, NOW, Hospital, LightStudy, small_mp4

MP4 = small_mp4()
LATER = NOW + timedelta(days=10)


def filled(study: LightStudy, hospital: Hospital) -> None:
    """Ten days ago an empty film, three days ago a table with two refused rows and one that cannot be read."""
    hospital.admit()
    hospital.film(b"", f"{NAME}.mp4")
    study.land()
    study.now = NOW + timedelta(days=7)
    hospital.score("4")
    hospital.score("eleven", at="2026-03-16T09:00:00+01:00")
    hospital.score("5", participant_id="MRN-unknown")
    hospital.write("medications.csv", b"participant_id;administered_at;atc;drug\n")
    study.land()


def listed(study: LightStudy, wanted: Wanted | None = None) -> list[tuple[str, str]]:
    return [(e["kind"], e["code"]) for e in in_quarantine(study.study, wanted or Wanted(), LATER)]


def test_nothing_is_in_quarantine_of_a_new_study(study: LightStudy) -> None:
    assert in_quarantine(study.study) == []


def test_the_oldest_stands_first_and_rows_stand_beside_deliveries(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    assert listed(study)[0] == ("media", "EMPTY_FILE")
    assert sorted(listed(study)[1:]) == [
        ("row", "UNKNOWN_ID"),
        ("row", "VALUE_RANGE"),
        ("table", "SCHEMA_DRIFT"),
    ]
    ages = [entry["age_days"] for entry in in_quarantine(study.study, now=LATER)]
    assert ages == [10.0, 3.0, 3.0, 3.0]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (Wanted(code="EMPTY_FILE"), ["media"]),
        (Wanted(kind="row"), ["row", "row"]),
        (Wanted(kind="table"), ["table"]),
        (Wanted(older_than=timedelta(days=7)), ["media"]),
        (Wanted(newer_than=timedelta(days=7)), ["row", "row", "table"]),
        (Wanted(older_than=timedelta(days=2), newer_than=timedelta(days=4), code="VALUE_RANGE"), ["row"]),
        (Wanted(code="SILENT"), []),
    ],
)
def test_what_is_wanted_is_given(study: LightStudy, hospital: Hospital, wanted: Wanted, kinds: list[str]) -> None:
    filled(study, hospital)
    assert sorted(kind for kind, _ in listed(study, wanted)) == kinds


def test_what_is_told_says_why_and_what_to_do_and_names_nobody(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    for entry in in_quarantine(study.study, now=LATER):
        fault = FAULTS[entry["code"]]
        assert (entry["meaning"], entry["next_step"]) == (fault.meaning, fault.next_step)
        for secret in (ID, NAME, "MRN-unknown", "eleven"):
            assert secret not in str(entry)


def test_a_delivery_keeps_its_age_though_it_is_read_again_every_night(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    study.now = NOW + timedelta(days=9)
    hospital.consent("given", at="2026-04-01T09:00:00+02:00")
    study.land()
    assert [entry["age_days"] for entry in in_quarantine(study.study, now=LATER)] == [10.0, 3.0, 3.0, 3.0]


def test_a_table_names_its_missing_columns_and_a_row_its_line(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    (table,) = in_quarantine(study.study, Wanted(kind="table"))
    assert table["missing_columns"] == ["atc_code", "dose_mg", "route"]
    rows = {entry["code"]: entry for entry in in_quarantine(study.study, Wanted(kind="row"))}
    assert (rows["VALUE_RANGE"]["table"], rows["VALUE_RANGE"]["line"]) == ("clinical", 3)
    assert rows["VALUE_RANGE"]["found"] == "line 3: nrs_now: no number"
    delivery = study.entry("clinical.csv").delivery
    assert rows["UNKNOWN_ID"]["delivery"] == f"{delivery}:4"


def test_a_table_that_was_taken_in_is_shown_with_its_refused_rows(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    delivery = study.entry("clinical.csv").delivery
    told = details_of(study.study, delivery, LATER)
    assert (told["delivery"], told["kind"], told["code"]) == (delivery, "table", None)
    assert told["found"].startswith("2 of its rows")
    assert [(row["line"], row["code"]) for row in told["rows"]] == [(3, "VALUE_RANGE"), (4, "UNKNOWN_ID")]
    (row,) = [details_of(study.study, f"{delivery}:3", LATER)]
    assert (row["kind"], row["code"], row["rows"]) == ("row", "VALUE_RANGE", [])


def test_a_row_that_was_corrected_is_listed_no_more(study: LightStudy, hospital: Hospital) -> None:
    hospital.score("4")
    study.land()
    assert listed(study) == [("row", "UNKNOWN_ID")]
    hospital.admit()
    study.land()
    assert listed(study) == []
    assert list(study.study.quarantine.iterdir()) == []


@pytest.mark.parametrize(
    ("code", "detail", "measured"),
    [
        (
            "TRUNCATED",
            "video: 3.20 s of 6.00 s declared are there",
            [("video that is there", 3.2, "s", "declared 6 s")],
        ),
        ("PROTOCOL_DURATION", "duration_s is 75.0, should be <= 61", [("duration_s", 75.0, "s", "<= 61")]),
        (
            "TRUNCATED",
            "missing_s is 2.5, should be <= 0.25; video_duration_s is 3.5, should be >= 6",
            [("missing_s", 2.5, "s", "<= 0.25"), ("video_duration_s", 3.5, "s", ">= 6")],
        ),
        ("EMPTY_FILE", "", []),
    ],
)
def test_measured_values_stand_with_unit_and_threshold(
    study: LightStudy, hospital: Hospital, code: str, detail: str, measured: list[tuple[str, float, str, str]]
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.land()
    set_aside(study.desk, study.entry(path).delivery, Reason(code, detail))
    told = details_of(study.study, study.entry(path).delivery)
    found = [(each["measure"], each["value"], each["threshold"]) for each in told["measured"]]
    assert found == [(name, value, threshold) for name, value, _, threshold in measured]
    assert all(each["unit"] in {"s", ""} for each in told["measured"])


def test_whether_the_bytes_are_kept_is_told(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    assert all(entry["kept"] for entry in in_quarantine(study.study))
    for path in study.study.quarantine.iterdir():
        path.unlink()
    assert not any(entry["kept"] for entry in in_quarantine(study.study))


def test_what_is_not_there_is_said_in_one_line(study: LightStudy) -> None:
    with pytest.raises(UserError, match="nothing in quarantine is called XYZ"):
        details_of(study.study, "XYZ")


@pytest.mark.parametrize(
    ("text", "hours"), [("7", 168), ("7d", 168), ("36h", 36), ("2w", 336), ("0.5 d", 12), (" 1D ", 24)]
)
def test_an_age_is_days_hours_or_weeks(text: str, hours: float) -> None:
    assert parse_age(text) == timedelta(hours=hours)


@pytest.mark.parametrize("text", ["", "soon", "7x", "-1", "d7", "1e3"])
def test_what_is_no_age_is_named(text: str) -> None:
    with pytest.raises(UserError, match="is no age"):
        parse_age(text)


def test_ages_count_to_the_present(study: LightStudy, hospital: Hospital) -> None:
    filled(study, hospital)
    (first, *_) = in_quarantine(study.study)
    assert first["age_days"] == pytest.approx(abs(datetime.now(tz=NOW.tzinfo) - NOW) / timedelta(days=1), abs=0.1)
