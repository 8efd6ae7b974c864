"""Reading what human coders said of action units: a long CSV, DISFA's files, UNBC-McMaster's files.

Sources of the layouts: Mavadati et al., DISFA: A Spontaneous Facial Action Intensity Database, IEEE Transactions on
Affective Computing 2013, 4(2), doi:10.1109/T-AFFC.2013.4; Lucey et al., Painful data: The UNBC-McMaster shoulder pain
expression archive database, FG 2011, doi:10.1109/FG.2011.5771462.
"""

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal

import polars as pl

from pipelines.errors import UserError

Layout = Literal["auto", "long", "disfa", "unbc"]

SCHEMA: Final = {
    "video": pl.String,
    "recording": pl.String,
    "frame": pl.Int64,
    "timestamp_s": pl.Float64,
    "action_unit": pl.String,
    "intensity": pl.Float64,
    "presence": pl.Boolean,
}
"""Of labels: `video` is as the labels have it; `frame` counts from 0 as `au_frames` does; a label has a frame or a time, an intensity or a presence."""

CODED_IN_UNBC: Final = ("AU04", "AU06", "AU07", "AU09", "AU10", "AU12", "AU20", "AU25", "AU26", "AU27", "AU43")
"""Coded in every frame of UNBC-McMaster (Lucey et al. 2011): where a frame's file does not name one, it is absent."""

_FIRST_FRAME = {"long": 0, "disfa": 1, "unbc": 1}
_LETTERS = {letter: float(grade) for grade, letter in enumerate("ABCDE", start=1)}
"""FACS's own grades of intensity, trace to maximum."""

_AU = re.compile(r"(?:AU)?\s*0*([0-9]{1,2})", re.IGNORECASE)
_DISFA = re.compile(r"(?P<video>.+)_au(?P<unit>[0-9]{1,2})\.txt", re.IGNORECASE)
_UNBC = re.compile(r"(?P<video>.+?)(?P<frame>[0-9]{3,})_facs\.txt", re.IGNORECASE)
_LONG = ("recording", "action_unit")


@dataclass(frozen=True, slots=True)
class Labels:
    """What coders said.

    Args:
        rows: in the columns of `SCHEMA`, each label once.
        layout: which one it was.
        left_out: why some were not taken, and how many.
    """

    rows: pl.DataFrame
    layout: str
    left_out: dict[str, int]


def read_labels(
    path: Path, layout: Layout = "auto", mapping: Path | None = None, first_frame: int | None = None
) -> Labels:
    """Read labels.

    Args:
        path: a file, or a folder that is looked through with all its subfolders.
        layout: "long", a CSV with recording, frame or timestamp_s, action_unit, intensity and/or presence; "disfa",
            files `SN001_au1.txt` of lines `frame,intensity`; "unbc", a file `ll042t1aaaff001_facs.txt` for each frame
            with lines of action unit, intensity, onset and offset; "auto" goes by the files' names.
        mapping: a CSV `video,recording`, where the labels name videos otherwise than the recordings are called.
        first_frame: what the labels call the first frame; by default 0 in a long CSV, 1 in the other layouts.

    Raises:
        UserError: something in them cannot be read; one line says where.
    """
    if not path.exists():
        raise UserError(f"{path} is not there")
    found = _layout_of(path) if layout == "auto" else layout
    first = _FIRST_FRAME[found] if first_frame is None else first_frame
    left_out: dict[str, int] = {}
    read = {"long": _read_long, "disfa": _read_disfa, "unbc": _read_unbc}[found]
    rows = _frame(read(path, left_out))
    if rows.is_empty():
        raise UserError(f"{path} has no labels in the layout {found}: see `painlake benchmark au --help`")
    names = {} if mapping is None else read_mapping(mapping)
    rows = rows.with_columns(
        pl.col("frame").cast(pl.Int64) - first,
        pl.col("video").replace_strict(names, default=pl.col("video"), return_dtype=pl.String).alias("recording"),
    )
    rows = rows.select(pl.col(name).cast(kind) for name, kind in SCHEMA.items())
    _check_unique(rows, path)
    return Labels(rows.sort("recording", "frame", "timestamp_s", "action_unit"), found, left_out)


def _frame(rows: "Iterator[_Row]") -> pl.DataFrame:
    """Rows as a table, part by part: DISFA alone has a million and a half."""
    schema = {name: kind for name, kind in SCHEMA.items() if name != "recording"}
    parts = [pl.DataFrame(schema=schema)]
    while part := list(islice(rows, _AT_A_TIME)):
        parts.append(pl.DataFrame(part, schema=schema, orient="row"))
    return pl.concat(parts)


_AT_A_TIME = 100_000


def _layout_of(path: Path) -> Literal["long", "disfa", "unbc"]:
    names = [path.name] if path.is_file() else (file.name for file in path.rglob("*.txt"))
    for name in names:
        if _UNBC.fullmatch(name):
            return "unbc"
        if _DISFA.fullmatch(name):
            return "disfa"
    if path.is_file():
        return "long"
    raise UserError(f"{path} holds neither DISFA's files (SN001_au1.txt) nor UNBC-McMaster's (…001_facs.txt)")


def unit_name(text: str) -> str | None:
    """An action unit's name from however it is written, or None.

    >>> unit_name("4"), unit_name("AU 12"), unit_name("au04"), unit_name("R12")
    ('AU04', 'AU12', 'AU04', None)
    """
    match = _AU.fullmatch(text.strip())
    return None if match is None else f"AU{int(match[1]):02d}"


def read_mapping(path: Path) -> Mapping[str, str]:
    """Which recording each video is, from a CSV with the columns video and recording.

    Raises:
        UserError: it is not there, or is none.
    """
    rows = list(_table(path, ("video", "recording")))
    names = {row["video"].strip(): row["recording"].strip() for _, row in rows}
    if len(names) < len(rows):
        raise UserError(f"{path} names a video twice")
    return names


_Row = tuple[str, int | None, float | None, str, float | None, bool | None]
"""Video, frame as in the labels, time, action unit, intensity, presence."""


def _read_long(path: Path, left_out: dict[str, int]) -> Iterator[_Row]:
    del left_out
    for line, row in _table(path, _LONG):
        where = f"{path}, line {line}"
        unit = unit_name(row["action_unit"])
        if unit is None:
            raise UserError(f"{where}: {row['action_unit']!r} is no action unit: write AU04, AU4 or 4")
        frame = _whole(row.get("frame"), f"{where}: frame")
        time_s = _number(row.get("timestamp_s"), f"{where}: timestamp_s") if frame is None else None
        if frame is None and time_s is None:
            raise UserError(f"{where}: a label needs a frame or a timestamp_s")
        intensity = _grade(row.get("intensity"), f"{where}: intensity")
        presence = _present(row.get("presence"), f"{where}: presence")
        if intensity is None and presence is None:
            raise UserError(f"{where}: a label needs an intensity or a presence")
        yield row["recording"].strip(), frame, time_s, unit, intensity, presence


def _read_disfa(path: Path, left_out: dict[str, int]) -> Iterator[_Row]:
    for file in _files(path, _DISFA, left_out):
        match = _DISFA.fullmatch(file.name)
        if match is None:
            raise UserError(f"{file.name} is not called as DISFA's files are: SN001_au1.txt")
        for number, line in enumerate(_text(file).splitlines(), start=1):
            where = f"{file}, line {number}"
            cells = [cell.strip() for cell in line.split(",")]
            if cells == [""]:
                continue
            if len(cells) != 2 or "" in cells:
                raise UserError(f"{where}: DISFA's lines are frame,intensity")
            intensity = _grade(cells[1], f"{where}: intensity")
            yield (
                match["video"],
                _whole(cells[0], f"{where}: frame"),
                None,
                f"AU{int(match['unit']):02d}",
                intensity,
                None,
            )


def _read_unbc(path: Path, left_out: dict[str, int]) -> Iterator[_Row]:
    for file in _files(path, _UNBC, left_out):
        match = _UNBC.fullmatch(file.name)
        if match is None:
            raise UserError(f"{file.name} is not called as UNBC-McMaster's files are: ll042t1aaaff001_facs.txt")
        present: dict[str, float | None] = {}
        for number, line in enumerate(_text(file).splitlines(), start=1):
            cells = line.replace(",", " ").split()
            if not cells:
                continue
            where = f"{file}, line {number}"
            unit = f"AU{_whole(cells[0], f'{where}: action unit'):02d}"
            grade = _number(cells[1], f"{where}: intensity") if len(cells) > 1 else None
            # A unit without grades, as AU43, is listed with intensity 0 or none: what is listed is there.
            present[unit] = grade if grade is not None and 1 <= grade <= 5 else None
        for unit in sorted(set(present) - set(CODED_IN_UNBC)):
            _add(left_out, f"entries of {unit}, which is coded in some frames alone", 1)
        for unit in CODED_IN_UNBC:
            intensity = present.get(unit, 0.0)
            yield match["video"], int(match["frame"]), None, unit, intensity, unit in present


def _files(path: Path, pattern: re.Pattern[str], left_out: dict[str, int]) -> list[Path]:
    """The files of a layout, sorted; others of that kind are counted."""
    if path.is_file():
        return [path]
    every = sorted(path.rglob("*.txt"))
    found = [file for file in every if pattern.fullmatch(file.name)]
    if len(found) < len(every):
        _add(left_out, "files of other names", len(every) - len(found))
    return found


def _add(left_out: dict[str, int], why: str, many: int) -> None:
    left_out[why] = left_out.get(why, 0) + many


def _table(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    """The rows of a CSV with `,` or `;`, by column, each with the number of its line."""
    text = _text(path)
    header = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text), delimiter=";" if header.count(";") > header.count(",") else ",")
    names = [name.strip().lower() for name in next(reader, [])]
    missing = [name for name in needed if name not in names]
    if missing:
        raise UserError(f"{path} lacks the column {missing[0]}: it has {', '.join(names) or 'none'}")
    for cells in reader:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            raise UserError(f"{path}, line {reader.line_num}: {len(cells)} cells, the header has {len(names)}")
        yield reader.line_num, dict(zip(names, cells, strict=True))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read as text ({type(error).__name__})") from error


def _number(text: str | None, where: str) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        raise UserError(f"{where}: {text.strip()!r} is no number") from None
    if not math.isfinite(value):
        raise UserError(f"{where}: {text.strip()!r} is no number")
    return value


def _whole(text: str | None, where: str) -> int | None:
    value = _number(text, where)
    if value is not None and value != int(value):
        raise UserError(f"{where}: {value:g} is no whole number")
    return None if value is None else int(value)


def _grade(text: str | None, where: str) -> float | None:
    letter = (text or "").strip().upper()
    value = _LETTERS[letter] if letter in _LETTERS else _number(text, where)
    if value is not None and not 0 <= value <= 5:
        raise UserError(f"{where}: {value:g} is not within 0 to 5; leave out what could not be coded")
    return value


def _present(text: str | None, where: str) -> bool | None:
    value = _number(text, where)
    if value is not None and value not in {0, 1}:
        raise UserError(f"{where}: {value:g} is neither 0 nor 1")
    return None if value is None else bool(value)


def _check_unique(rows: pl.DataFrame, path: Path) -> None:
    twice = rows.filter(pl.struct("recording", "frame", "timestamp_s", "action_unit").is_duplicated())
    if not twice.is_empty():
        first = twice.row(0, named=True)
        at = f"frame {first['frame']}" if first["frame"] is not None else f"{first['timestamp_s']:g} s"
        raise UserError(f"{path} has {first['action_unit']} of {first['recording']} at {at} twice")
