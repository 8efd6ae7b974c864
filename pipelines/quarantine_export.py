"""The quarantine as one CSV file for the study nurse, with the hospital's own IDs and file names out of the vault.

It is the one document that tells who is meant, so: never inside the study, for its owner's eyes alone, and each making
of one is in the audit log.
"""

import csv
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.audit import open_audit
from pipelines.durable import write_durably
from pipelines.errors import PainLakeError, UserError
from pipelines.quarantine import Quarantine
from pipelines.quarantine_list import EVERYTHING, Wanted, in_quarantine
from pipelines.study import Study
from pipelines.vault import Vault

DELIMITERS: Mapping[str, str] = {"semicolon": ";", "comma": ",", "tab": "\t"}
"""Excel splits at the list separator of the computer's region: a semicolon in the Netherlands, a comma in Britain."""

COLUMNS = (
    "Delivery",
    "Kind",
    "Hospital file",
    "Row in file",
    "Participant ID",
    "Code",
    "What it means",
    "What was found",
    "What to do next",
    "Set aside at (UTC)",
    "Days in quarantine",
)

_FORMULA = re.compile(r"\s*[=+\-@\t\r\n]")
"""What a spreadsheet would run (OWASP, CSV injection)."""
_MANGLED = re.compile(r"0[0-9]+|[0-9]{12,}|[0-9]+([.,][0-9]+)?([eE][+-]?[0-9]+)|[0-9]+[.,]0+")
"""IDs that a spreadsheet would make numbers of: 007, 1E05."""
_LINES = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


def export_quarantine(study: Study, file: Path, wanted: Wanted = EVERYTHING, delimiter: str = ";") -> int:
    """Write what is in quarantine: a line for each delivery and for each refused row of a table.

    Args:
        study: the study.
        file: a new file outside study, vault and landing zone; it gets mode 0600.
        wanted: which entries.
        delimiter: between cells.

    Returns:
        How many lines there are below the header.

    Raises:
        UserError: the place will not do, or the vault does not open.
        RunInProgressError: a run holds the study.
        PainLakeError: it cannot be written; nothing stays.
    """
    _check_place(study, file)
    with study.held():
        vault = Vault.open(study.vault)
        audit = open_audit(study, vault)
        try:
            entries = in_quarantine(study, wanted)
            audit.append("quarantine_exported", "quarantine", {"entries": len(entries)})
            rows = _Rows(Quarantine(study.quarantine, vault, audit))
            lines = [_line(entry, vault, rows) for entry in entries]
            write_durably(file, _as_csv(lines, delimiter), mode=0o600)
        except OSError as error:
            raise PainLakeError(f"{file} cannot be written: {error.strerror}") from error
        finally:
            audit.save_head()
            audit.close()
    return len(lines)


def _check_place(study: Study, file: Path) -> None:
    where = file.absolute().parent.resolve() / file.name
    landing = study.params().study.landing
    closed = [study.root, study.vault]
    if not landing.startswith("s3://"):
        closed.append(study.root / landing)
    if any(where.is_relative_to(folder.resolve()) for folder in closed):
        raise UserError(
            f"{file} is inside the study, its vault or its landing zone: it names people, so write elsewhere"
        )
    if not where.parent.is_dir():
        raise UserError(f"{where.parent} is no folder: make it first")
    if where.exists() or where.is_symlink():
        raise UserError(f"{file} is there already: name a new file")


class _Rows:
    """The sealed rows of tables, read once a delivery."""

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._known: dict[str, dict[int, Any]] = {}

    def id_in(self, delivery: str, line: int) -> str:
        """The ID that a refused row states, as it was delivered, or nothing where it cannot be told."""
        if delivery not in self._known:
            kept = self._quarantine.fetch(f"{delivery}-rows")
            rows = [json.loads(each) for each in (b"" if kept is None else kept[1]).decode().split("\n") if each]
            self._known[delivery] = {row["line"]: json.loads(row["text"]) for row in rows}
        row = self._known[delivery].get(line)
        return str(row.get("participant_id") or "") if isinstance(row, dict) else ""


def _line(entry: Mapping[str, Any], vault: Vault, rows: _Rows) -> list[str]:
    name = vault.name_of(entry["of_delivery"] or "") or ""
    if entry["kind"] == "row":
        who = "" if entry["of_delivery"] is None else rows.id_in(entry["of_delivery"], entry["line"])
        name = name or f"{entry['table']}.csv"
    else:
        parts = PurePosixPath(name).parts
        who = parts[1] if len(parts) > 2 and parts[0] == "recordings" else ""
    if not who and entry["participant"] is not None and vault.knows(entry["participant"]):
        who = vault.of_pseudonym(entry["participant"]).participant_id
    age = entry["age_days"]
    return [
        entry["delivery"],
        {"media": "recording", "row": "row of a table", "table": "table", "other": "other file"}[entry["kind"]],
        name,
        "" if entry["line"] is None else str(entry["line"]),
        f"'{who}" if _MANGLED.fullmatch(who) else who,
        entry["code"],
        entry["meaning"],
        entry["found"],
        entry["next_step"],
        "" if entry["since"] is None else entry["since"][:16].replace("T", " "),
        "" if age is None else f"{age:.0f}",
    ]


def _as_csv(lines: list[list[str]], delimiter: str) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    writer.writerows([_plain(cell) for cell in line] for line in lines)
    # The mark tells Excel that it is UTF-8; a name that is no UTF-8 shows where it is not.
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", errors="replace")


def _plain(cell: str) -> str:
    """A cell that stays one line and that no spreadsheet runs."""
    text = _LINES.sub(" ", cell)
    return f"'{text}" if _FORMULA.match(cell) else text
