"""Whatever dialect an export has, its rows read the same; what cannot be trusted is named and never guessed."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.csvfile import Value, parse_cell, read_csv
from pipelines.errors import Rejection
from schemas.faults import FAULTS
from schemas.landing import DELIVERED_TABLES, Field

ZONE = ZoneInfo("Europe/Amsterdam")
TABLES = {table.name: table for table in DELIVERED_TABLES}
MEDICATIONS = TABLES["medications"]
CONSENT_HEADER = "participant_id;recorded_at;status;scope\n"
DOSE_HEADER = "participant_id;administered_at;atc_code;drug;dose_mg;route\n"

ROWS: list[dict[str, Value]] = [
    {
        "participant_id": "007",
        "administered_at": datetime(2026, 3, 1, 7, 5, tzinfo=UTC),
        "atc_code": "N02AA01",
        "drug": "morfine; oraal, 'retard'",
        "dose_mg": 12.5,
        "route": "café",
    },
    {
        "participant_id": "A.b_c-1",
        "administered_at": datetime(2026, 7, 1, 21, 59, tzinfo=UTC),
        "atc_code": "N02BE01",
        "drug": 'paracetamol "zetpil"',
        "dose_mg": None,
        "route": None,
    },
]


@dataclass(frozen=True)
class Dialect:
    """How some export writes a table; `times` is "iso" or a format of the wall clock."""

    columns: list[str] = field(default_factory=lambda: list(MEDICATIONS.fields))
    delimiter: str = ","
    mark: str = "."
    ending: str = "\n"
    encoding: str = "utf-8"
    times: str = "iso"
    capitals: bool = False

    def write(self, rows: list[dict[str, Value]]) -> bytes:
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.delimiter, lineterminator=self.ending)
        writer.writerow([name.upper() if self.capitals else name for name in self.columns])
        writer.writerows([self._cell(row.get(name)) for name in self.columns] for row in rows)
        return text.getvalue().encode(self.encoding)

    def _cell(self, value: Value) -> str:
        match value:
            case datetime():
                return value.isoformat() if self.times == "iso" else value.astimezone(ZONE).strftime(self.times)
            case float():
                return str(value).replace(".", self.mark)
            case _:
                return "" if value is None else str(value)


DIALECTS = st.builds(
    Dialect,
    columns=st.permutations([*MEDICATIONS.fields, "remarks"]),
    delimiter=st.sampled_from(";,\t|"),
    mark=st.sampled_from(",."),
    ending=st.sampled_from(["\r\n", "\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "cp1252", "utf-16"]),
    times=st.sampled_from(["iso", "%d-%m-%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%Y-%m-%d %H:%M"]),
    capitals=st.booleans(),
)


@given(DIALECTS)
def test_every_dialect_reads_the_same(dialect: Dialect) -> None:
    read = read_csv(dialect.write(ROWS), MEDICATIONS, ZONE)
    assert [row.code for row in read] == [None, None]
    assert [row.values for row in read] == ROWS
    assert [row.text for row in read] == [row.text for row in read_csv(Dialect().write(ROWS), MEDICATIONS, ZONE)]


@given(st.binary(max_size=300))
def test_no_bytes_whatsoever_break_the_reader(content: bytes) -> None:
    assert outcomes(content) <= {None, *FAULTS}


@settings(max_examples=200)
@given(st.lists(st.text(alphabet="a\";,\t\r\n\x00€'=1é", max_size=12), max_size=8).map("\n".join))
def test_no_lines_whatsoever_break_the_reader(lines: str) -> None:
    assert outcomes((DOSE_HEADER + lines).encode()) <= {None, *FAULTS}
    assert outcomes((lines + DOSE_HEADER).encode()) <= {None, *FAULTS}


def outcomes(content: bytes) -> set[str | None]:
    """The codes of the file or of its rows."""
    try:
        return {row.code for row in read_csv(content, MEDICATIONS, ZONE)}
    except Rejection as error:
        return {error.code}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04\x00\x00", "binary content"),
        ("participant_id\x81é".encode("latin-1"), "neither UTF-8 nor cp1252"),
        (b"", "no header"),
        (b"\r\n\r\n", "no header"),
        (b"<html><body>not found</body></html>", "no known column"),
        (b'"participant_id"x;recorded_at;status;scope\n1;2;3;4\n', "its header"),
        (b"participant_id;recorded_at;status;scope\r007;2026-03-01;given;recording\r", "its header"),
        ((CONSENT_HEADER + '007;2026-03-01;"given;recording\n').encode(), "line 2"),
    ],
)
def test_what_no_reader_can_split_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(Rejection, match=said) as refused:
        read_csv(content, TABLES["consent"], ZONE)
    assert refused.value.code == "CSV_DIALECT"


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("participant_id;recorded_at;status", "columns missing: scope"),
        ("participant_id;recorded_at;state;scopes", "columns missing: status, scope"),
        ("participant_id;recorded_at;status;scope;scope", "stands twice"),
    ],
)
def test_columns_missing_renamed_or_doubled_are_a_drift(header: str, said: str) -> None:
    with pytest.raises(Rejection, match=said) as refused:
        read_csv(header.encode(), TABLES["consent"], ZONE)
    assert refused.value.code == "SCHEMA_DRIFT"


def test_columns_without_a_name_and_blank_lines_are_passed_over() -> None:
    text = CONSENT_HEADER.strip() + ";;\n007;2026-03-01;given;recording;;\n;;;;;\n\n"
    (row,) = read_csv(text.encode(), TABLES["consent"], ZONE)
    assert (row.line, row.code) == (2, None)


def test_a_line_of_another_width_is_refused_alone() -> None:
    text = CONSENT_HEADER + "007;2026-03-01;given\n008;2026-03-01;given;recording\n"
    assert [row.code for row in read_csv(text.encode(), TABLES["consent"], ZONE)] == ["CSV_DIALECT", None]


# --- cells ---


def cell(text: str, wanted: Field) -> Value:
    return parse_cell(text, wanted, ZONE)


def code_of(text: str, wanted: Field) -> str:
    with pytest.raises(Rejection) as refused:
        cell(text, wanted)
    assert len(text) < 4 or text not in refused.value.detail
    return refused.value.code


ID, CODE = Field("id", required=True), Field("code")


@pytest.mark.parametrize("text", ["007", "7", "PT-1042", "a.b_c", "1E", "E05"])
def test_an_id_is_text_and_stays_as_it_is(text: str) -> None:
    assert cell(text, ID) == text


@pytest.mark.parametrize("text", ["1E+05", "1,2e5", "7.0", "7,00", "", "-7", "a b", "../x", "x" * 65, "=7"])
def test_an_id_that_a_spreadsheet_mangled_is_refused(text: str) -> None:
    assert code_of(text, ID) == "ID_FORMAT"


@pytest.mark.parametrize(("text", "value"), [("3,5", 3.5), ("3.5", 3.5), ("+4", 4.0), ("-2", -2.0), ("010", 10.0)])
def test_a_number_has_a_point_or_a_comma(text: str, value: float) -> None:
    assert cell(text, Field("number")) == value


@pytest.mark.parametrize("text", ["11", "-1", "1.000,5", "1e3", "vier", "nan", "inf", "9" * 400, "٣"])
def test_a_number_outside_its_bounds_or_in_another_form_is_refused(text: str) -> None:
    assert code_of(text, Field("number", minimum=0, maximum=10)) == "VALUE_RANGE"


def test_no_number_is_infinite_even_without_bounds() -> None:
    assert code_of("9" * 400, Field("number")) == "VALUE_RANGE"


def test_an_empty_cell_is_missing_or_refused_where_a_value_is_due() -> None:
    assert cell("", Field("number")) is None
    assert code_of("", Field("number", required=True)) == "VALUE_RANGE"


@pytest.mark.parametrize("text", ["1961-05-04", "19610504", "4-5-1961", "04/05/1961", "1961-05-04T00:00:00+02:00"])
def test_a_day_is_iso_or_day_month_year(text: str) -> None:
    assert cell(text, Field("date")) == date(1961, 5, 4)


@pytest.mark.parametrize(
    ("text", "hour_utc"),
    [("2026-01-10 12:00", 11), ("2026-07-10 12:00", 10), ("10-07-2026 12:00", 10), ("2026-07-10T12:00:00Z", 12)],
)
def test_a_time_without_offset_is_the_hospitals(text: str, hour_utc: int) -> None:
    read = cell(text, Field("datetime"))
    assert isinstance(read, datetime)
    assert (read.hour, read.tzinfo) == (hour_utc, UTC)


@pytest.mark.parametrize("text", ["31-02-2026", "05/13/2026", "0001-01-01", "9999-12-31", "yesterday", "2026"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    assert code_of(text, Field("datetime")) == "VALUE_RANGE"


def test_codes_of_a_closed_set_have_other_spellings() -> None:
    sex = TABLES["participants"].fields["sex"]
    assert [cell(text, sex) for text in ("V", "vrouw", "Female", "m", "X")] == [
        "female", "female", "female", "male", "other",
    ]  # fmt: skip
    assert code_of("unknown", sex) == "VALUE_RANGE"


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+cmd", "@sum", "-2+3"])
def test_a_formula_becomes_plain_text_or_is_refused(text: str) -> None:
    if "@" in text:
        assert code_of(text, CODE) == "FREE_TEXT_PII"
    else:
        assert cell(text, CODE) == f"'{text}"


@pytest.mark.parametrize(
    "text",
    ["mevr. Jansen", "Dr Smith", "piet@example.org", "0612345678", "born 4-5-1961", "one two three four five six seven", "x" * 61],
)  # fmt: skip
def test_free_text_where_a_code_is_due_is_refused(text: str) -> None:
    assert code_of(text, CODE) == "FREE_TEXT_PII"


# --- keys ---


def doses(*lines: str) -> list[str | None]:
    return [row.code for row in read_csv((DOSE_HEADER + "\n".join(lines)).encode(), MEDICATIONS, ZONE)]


def test_one_key_with_two_values_is_a_conflict_of_both() -> None:
    assert doses(
        "007;2026-03-01 08:00;N02AA01;;10;oral", "007;2026-03-01 08:00;N02AA01;;20;oral", "007;2026-03-01 08:00;N02BE01;;1;oral"
    ) == ["KEY_CONFLICT", "KEY_CONFLICT", None]  # fmt: skip


def test_the_same_row_twice_is_no_conflict_however_it_is_written() -> None:
    assert doses("007;2026-03-01 08:00;N02AA01;;10;oral", "007;01-03-2026 08:00;N02AA01;;10,0;oral") == [None, None]


def test_a_refused_row_is_nobodys_conflict() -> None:
    assert doses("007;2026-03-01 08:00;N02AA01;;10;oral", "007;2026-03-01 08:00;N02AA01;;lots;oral") == [
        None, "VALUE_RANGE",
    ]  # fmt: skip


def test_details_name_the_column_and_never_the_cell() -> None:
    facts: Mapping[str, str] = {"participant_id": "007", "birth_date": "4th of Jan 1961", "group": "pain"}
    header = ";".join(TABLES["participants"].fields)
    line = ";".join(facts.get(name, "") for name in TABLES["participants"].fields)
    (row,) = read_csv(f"{header}\n{line}\n".encode(), TABLES["participants"], ZONE)
    assert (row.code, row.detail) == ("VALUE_RANGE", "birth_date: no date or time")
