"""Damage to delivered tables and sidecars: other dialects, absurd values, broken quotes and encodings."""

import json
from collections.abc import Mapping
from typing import Any

from tests.fuzz.mutations import BLIND, Mutator, Random

_ABSURD_CELLS = (
    "", " ", "0", "-0", "-1", "1e999", "nan", "inf", "9" * 40, "9" * 5000, "0.0000001", "1,5", "1.5.5", "٣", "½", "1_0",
    "1E+05", "007.0", "=1+1", "@SUM(A1)", "+31612345678", "'", '"', '""', "a;b", "a,b", "a\nb", "a\r\nb", "a\tb", "\x00",
    "\x1f", "\ufeff", "\u202e", "é", "e\u0301", "😀", "\ud7ff", "x" * 200, "x" * 140_000, "NULL", "None", "true",
    "0001-01-01", "1900-01-01", "2200-12-31", "9999-12-31T23:59:59.999999", "2026-02-30", "2026-03-29T02:30:00",
    "2026-10-25T02:30:00", "2026-03-15T10:00:00+23:59", "2026-03-15T10:00:00-23:59", "1900-01-01T00:00:00+14:00",
    "2200-12-31T23:59:59-14:00", "2026-W01-1", "20260315", "20260315T100000Z", "31-12-2199", "31/12/1899 23:59",
    "01-01-1900 00:00", "2026-03-15", "10:00", "given", "withdrawn", "expired", "control", "pain", "female",
    "recording|ai_research|sharing", "|", "recording+", "N02AA01", "Dr. Jansen", "jan@example.org", "../../etc/passwd",
)  # fmt: skip


def _rows(content: bytes) -> list[list[str]]:
    return [line.split(",") for line in content.decode().splitlines()]


def _table(rows: list[list[str]], delimiter: str = ",", newline: str = "\n") -> bytes:
    return (newline.join(delimiter.join(row) for row in rows) + newline).encode("utf-8", "surrogatepass")


def _absurd_cells(content: bytes, rng: Random) -> bytes:
    rows = _rows(content)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        row = rng.choice(rows[1:])
        value = rng.choice(_ABSURD_CELLS)
        quoted = '"' + value.replace('"', '""') + '"'
        row[rng.randrange(len(row))] = rng.choice((value, quoted))
    return _table(rows)


def _header(content: bytes, rng: Random) -> bytes:
    rows = _rows(content)
    at = rng.randrange(len(rows[0]))
    change = rng.choice(("rename", "case", "double", "drop", "empty", "extra", "none"))
    if change == "rename":
        rows[0][at] = rng.choice(_ABSURD_CELLS)
    elif change == "case":
        rows[0][at] = f" {rows[0][at].upper()} "
    elif change == "double":
        rows[0][at] = rng.choice(rows[0])
    elif change == "drop":
        rows = [row[:at] + row[at + 1 :] for row in rows]
    elif change == "empty":
        rows = [[*row, ""] for row in rows]
    elif change == "extra":
        rows = [[*row, str(rng.random())] for row in rows]
    else:
        rows = rows[1:]
    return _table(rows)


def _dialect(content: bytes, rng: Random) -> bytes:
    rows = _rows(content)
    if rng.random() < 0.3:
        order = list(range(len(rows[0])))
        rng.shuffle(order)
        rows = [[row[at] for at in order] if len(row) == len(order) else row for row in rows]
    newline = rng.choice(("\n", "\r\n", "\r", "\n\n", "\u2028", "\x0b"))
    return _table(rows, rng.choice((",", ";", "\t", "|", " ", ":", ",,")), newline)


def _encoding(content: bytes, rng: Random) -> bytes:
    text = content.decode().replace("lung", "lüng").replace("oral", "oräl")
    name = rng.choice(("utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "cp500", "utf-7", "cp437"))
    return text.encode(name, "replace")


def _odd_rows(content: bytes, rng: Random) -> bytes:
    rows = _rows(content)
    row = rng.choice(rows[1:])
    change = rng.choice(("double", "conflict", "short", "long", "many", "blank", "header again", "none"))
    if change == "double":
        rows.append(list(row))
    elif change == "conflict":
        rows.append([*row[:-1], rng.choice(_ABSURD_CELLS)])
    elif change == "short":
        row[:] = row[: rng.randrange(len(row))]
    elif change == "long":
        row.extend(["x"] * rng.choice((1, 100)))
    elif change == "many":
        rows.extend([list(row)] * 300)
    elif change == "blank":
        rows.insert(rng.randrange(len(rows)), [" "] * rng.randrange(3))
    elif change == "header again":
        rows.append(list(rows[0]))
    else:
        rows = rows[:1]
    return _table(rows)


def _quotes(content: bytes, rng: Random) -> bytes:
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5))):
        out.insert(rng.randrange(len(out)), rng.choice(b'""\',;\n\r\x00\\'))
    return bytes(out)


CSV: Mapping[str, Mutator] = {
    **BLIND,
    "absurd cells": _absurd_cells,
    "absurd cell": _absurd_cells,
    "header": _header,
    "dialect": _dialect,
    "encoding": _encoding,
    "odd rows": _odd_rows,
    "quotes": _quotes,
}

_ABSURD_JSON = (
    "null", "true", "[]", "{}", "0", "-1", "1e999", "-1e999", "NaN", "Infinity", "9" * 30, "9" * 5000, '""', '" "',
    '"\\ud800"', '"\\u0000"', '"x\\u0000y"', '"' + "x" * 70_000 + '"', '"../.."', '"/"', '"\\u202e"', '"9999-12-31T23:59:59Z"',
    '"0001-01-01T00:00:00+14:00"', '"2026-02-10"', '"2200-12-31T23:59:59-23:59"', '"1900-01-01T00:00:00+23:59"',
    "1770000000", "1e300", '"2026-03-29T02:30:00"', "[" * 3000 + "]" * 3000, "[1, 2", '"en-GB"', '"xx"', '"1e5"',
    '[{"name": "reading", "start_s": 0, "end_s": 1e308}]', '[{"name": "reading", "start_s": 1e300, "end_s": 1e301}]',
    '[{"name": "reading", "start_s": 0.0, "end_s": 5e-324}]', '[{"name": "reading", "start_s": 99999, "end_s": 100000}]',
    '[{"name": "reading", "start_s": 0, "end_s": 1}, {"name": "reading", "start_s": 0, "end_s": 1}]',
)  # fmt: skip


def _json_value(content: bytes, rng: Random) -> bytes:
    values: dict[str, Any] = json.loads(content)
    key = rng.choice(sorted(values))
    # As text, since most of these values are none that `json.dumps` would write.
    values[key] = "@@"
    return json.dumps(values).replace('"@@"', rng.choice(_ABSURD_JSON)).encode("utf-8", "surrogatepass")


def _json_task(content: bytes, rng: Random) -> bytes:
    values: dict[str, Any] = json.loads(content)
    task = rng.choice(values["tasks"])
    task[rng.choice(sorted(task))] = "@@"
    return json.dumps(values).replace('"@@"', rng.choice(_ABSURD_JSON)).encode("utf-8", "surrogatepass")


def _json_keys(content: bytes, rng: Random) -> bytes:
    values: dict[str, Any] = json.loads(content)
    key = rng.choice(sorted(values))
    if rng.random() < 0.5:
        del values[key]
        return json.dumps(values).encode()
    twice = f'{{"{key}": {rng.choice(_ABSURD_JSON)}, '
    return (twice + json.dumps(values)[1:]).encode()


def _json_encoding(content: bytes, rng: Random) -> bytes:
    text = content.decode()
    wrapped = rng.choice((text, f"[{text}]", f"{text}{text}", f"// note\n{text}", text.replace('"', "'")))
    return wrapped.encode(rng.choice(("utf-8-sig", "utf-16", "utf-32", "cp500", "utf-8")))


JSON: Mapping[str, Mutator] = {
    **BLIND,
    "absurd value": _json_value,
    "absurd task": _json_task,
    "keys": _json_keys,
    "encoding": _json_encoding,
}
