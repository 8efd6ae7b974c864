"""Reading a delivered CSV file, whatever dialect the hospital's export had that day.

`;`, `,` or tab; decimal comma or point; with or without BOM; CRLF or LF; UTF-8 or cp1252; columns in any order.
"""

import csv
import io
import json
import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from pipelines.errors import Rejection
from schemas.landing import DeliveredTable, Field

Value = str | float | date | datetime | None

_DELIMITERS = (";", ",", "\t", "|")
_MANGLED_ID = re.compile(r"[0-9]+([.,][0-9]+)?[eE][+-]?[0-9]+|[0-9]+[.,]0+")
"""What a spreadsheet makes of an ID: 1E+05, 7.0."""
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]+)?")
_PERSONAL = re.compile(
    r"@|[0-9]{6,}|\b(mr|mrs|ms|dr|dhr|mw|mevr|mevrouw|meneer|patient|patiënt)\b\.?\s+[A-Z]|\b[0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4}\b",
    re.IGNORECASE,
)
_MOST_WORDS, _MOST_CHARACTERS = 6, 60
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True, slots=True)
class Row:
    """One delivered row: typed values, or the code of why it cannot be used.

    `text` is its content in one stable form, whatever the dialect: the same row tomorrow has the same text.
    """

    line: int
    text: str
    values: dict[str, Value] = field(default_factory=dict)
    code: str | None = None
    detail: str = ""


def read_csv(content: bytes, table: DeliveredTable, zone: ZoneInfo) -> list[Row]:
    r"""Read a file.

    Args:
        content: its bytes.
        table: what it should hold.
        zone: the hospital's time zone, for times that come without an offset.

    Returns:
        One row for each line after the header; unusable ones carry their code.

    Raises:
        Rejection: `CSV_DIALECT` (no reader can split it) or `SCHEMA_DRIFT` (columns missing or renamed).

    >>> from schemas.landing import DELIVERED_TABLES
    >>> text = "participant_id;recorded_at;status;scope\r\n007;2026-03-01T09:00:00+01:00;given;recording\r\n"
    >>> read_csv(text.encode(), DELIVERED_TABLES[1], ZoneInfo("Europe/Amsterdam"))[0].values["participant_id"]
    '007'
    """
    text = _decode(content)
    try:
        header, lines = _split(text, table)
    except csv.Error as error:
        raise Rejection("CSV_DIALECT", f"its header: {error}") from error
    rows = [_row(number, cells, header, table, zone) for number, cells in lines]
    return _with_conflicts(rows, table)


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings = ["utf-16"]
    elif b"\x00" in content:
        raise Rejection("CSV_DIALECT", "binary content")
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Rejection("CSV_DIALECT", "neither UTF-8 nor cp1252")


def _split(text: str, table: DeliveredTable) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header's names and the numbered lines, by whichever delimiter gives the most expected columns."""
    first = text.lstrip("\r\n").split("\n", 1)[0]
    if not first.strip():
        raise Rejection("CSV_DIALECT", "no header")

    def matches(delimiter: str) -> int:
        return len(set(table.fields) & set(_names(next(csv.reader([first.rstrip("\r")], delimiter=delimiter), []))))

    delimiter = max(_DELIMITERS, key=matches)
    if matches(delimiter) == 0:
        raise Rejection("CSV_DIALECT", "no known column in its first line")
    reader = csv.reader(io.StringIO(text.lstrip("\r\n"), newline=""), delimiter=delimiter, strict=True)
    header = _names(next(reader))
    missing = [name for name in table.fields if name not in header]
    if missing:
        raise Rejection("SCHEMA_DRIFT", f"columns missing: {', '.join(missing)}")
    # Columns without a name are a spreadsheet's habit, and nobody reads them.
    if any(header.count(name) > 1 for name in table.fields):
        raise Rejection("SCHEMA_DRIFT", "a column stands twice in the header")
    try:
        lines = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except csv.Error as error:
        raise Rejection("CSV_DIALECT", f"line {reader.line_num}: {error}") from error
    return header, lines


def _names(cells: list[str]) -> list[str]:
    return [cell.strip().strip("\ufeff").lower() for cell in cells]


def _row(line: int, cells: list[str], header: list[str], table: DeliveredTable, zone: ZoneInfo) -> Row:
    if len(cells) != len(header):
        return Row(line, json.dumps(cells), code="CSV_DIALECT", detail=f"{len(cells)} cells for {len(header)} columns")
    raw = {name: cell.strip() for name, cell in zip(header, cells, strict=True) if name in table.fields}
    text = json.dumps(raw, sort_keys=True)
    values: dict[str, Value] = {}
    for name, wanted in table.fields.items():
        try:
            values[name] = parse_cell(raw[name], wanted, zone)
        except Rejection as error:
            return Row(line, text, code=error.code, detail=f"{name}: {error.detail}")
    # By value, so that 3,5 and 3.5, or two ways to write a day, are the same row.
    return Row(line, json.dumps(values, sort_keys=True, default=str), values)


def parse_cell(text: str, wanted: Field, zone: ZoneInfo) -> Value:
    """Read one cell.

    Raises:
        Rejection: `VALUE_RANGE`, `ID_FORMAT` or `FREE_TEXT_PII`; the detail never repeats the cell.
    """
    if not text:
        if wanted.required:
            raise Rejection("ID_FORMAT" if wanted.kind == "id" else "VALUE_RANGE", "empty")
        return None
    match wanted.kind:
        case "id":
            if _MANGLED_ID.fullmatch(text) or not _ID.fullmatch(text):
                raise Rejection("ID_FORMAT", "no plain ID")
            return text
        case "number":
            return _number(text, wanted)
        case "date":
            return _time(text, zone).date()
        case "datetime":
            return _time(text, zone).astimezone(UTC)
        case _:
            return _code(text, wanted)


def _number(text: str, wanted: Field) -> float:
    if not _NUMBER.fullmatch(text):
        raise Rejection("VALUE_RANGE", "no number")
    value = float(text.replace(",", "."))
    low = -math.inf if wanted.minimum is None else wanted.minimum
    high = math.inf if wanted.maximum is None else wanted.maximum
    if not (math.isfinite(value) and low <= value <= high):
        raise Rejection("VALUE_RANGE", f"outside {low:g} to {high:g}")
    return value


_TIME_FORMATS = ("%d-%m-%Y", "%d/%m/%Y", "%d-%m-%Y %H:%M", "%d/%m/%Y %H:%M", "%d-%m-%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S")


def _time(text: str, zone: ZoneInfo) -> datetime:
    """ISO 8601, or day-month-year as Dutch exports have it; without an offset it is the hospital's time."""
    for read in (datetime.fromisoformat, *(lambda t, f=f: datetime.strptime(t, f) for f in _TIME_FORMATS)):  # noqa: DTZ007 - the zone comes next
        try:
            moment: datetime = read(text)
        except ValueError:
            continue
        if not 1900 <= moment.year <= 2200:
            raise Rejection("VALUE_RANGE", "an absurd year")
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    raise Rejection("VALUE_RANGE", "no date or time")


def _code(text: str, wanted: Field) -> str:
    if wanted.allowed:
        value = wanted.aliases.get(text.lower(), text.lower())
        if value not in wanted.allowed:
            raise Rejection("VALUE_RANGE", f"none of {', '.join(wanted.allowed)}")
        return value
    if wanted.pattern and not re.fullmatch(wanted.pattern, text):
        raise Rejection("VALUE_RANGE", "not of the code's form")
    if len(text) > _MOST_CHARACTERS or len(text.split()) > _MOST_WORDS or _PERSONAL.search(text):
        raise Rejection("FREE_TEXT_PII", "free text where a code is due")
    # A cell that a spreadsheet would run as a formula is made plain text (OWASP, CSV injection).
    return f"'{text}" if text.startswith(_FORMULA) else text


def _with_conflicts(rows: list[Row], table: DeliveredTable) -> list[Row]:
    """Mark rows of one key with different values: none of them can be trusted."""
    texts: dict[tuple[Value, ...], set[str]] = {}
    for row in rows:
        if row.code is None:
            texts.setdefault(_key(row, table), set()).add(row.text)
    return [
        Row(row.line, row.text, row.values, "KEY_CONFLICT", "one key, different values")
        if row.code is None and len(texts[_key(row, table)]) > 1
        else row
        for row in rows
    ]


def _key(row: Row, table: DeliveredTable) -> tuple[Value, ...]:
    return tuple(row.values[name] for name in table.key)
