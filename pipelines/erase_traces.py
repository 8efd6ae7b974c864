"""What names a pseudonym besides the data: logs, the scheduler's database, reports, caches of DVC; and the search for it."""

import re
import shutil
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from pipelines.erasure_journal import journal_file
from pipelines.study import Study
from pipelines.tombstone import tombstones_file

_SQLITE = b"SQLite format 3\x00"
_TELLING = re.compile(r"(?=.*[^\W\d])(?=.*\d).{4,}|.{7,}")
"""What is worth looking for: a shorter or plainer ID is in too many bytes by chance."""
_CHUNK = 1 << 24
_REBUILT = ("validation.json", "dataset.json")


def remove_traces(study: Study, pseudonym: str, elsewhere: Sequence[Path]) -> dict[str, int]:
    """Take a pseudonym out of everything that a run leaves beside the data.

    Logs keep their lines, with the pseudonym overwritten in place, since a run may be writing to them; databases lose
    the rows; reports that name it go, and are made again by the next run.

    Args:
        study: the study.
        pseudonym: whose traces.
        elsewhere: folders outside the study that hold such files, as a scheduler's may.

    Returns:
        How many files each way.
    """
    counts = {"checkouts": 0, "reports": 0, "databases": 0, "logs": 0}
    for folder in study.state.glob("checkout-*"):
        shutil.rmtree(folder)
        counts["checkouts"] += 1
    for path in _naming(pseudonym, _files([study.reports])):
        if path.name not in _REBUILT:
            path.unlink()
            counts["reports"] += 1
    kept = _kept(study, pseudonym)
    for path in _naming(pseudonym, _files([study.state, study.root / ".dvc" / "tmp", *elsewhere])):
        if path in kept or not path.exists():
            continue
        if path.name.endswith(("-wal", "-shm", "-journal")):
            # Part of the database beside it.
            path = path.with_name(path.name.rpartition("-")[0])  # noqa: PLW2901 - the same file to SQLite
        if path.read_bytes()[: len(_SQLITE)] == _SQLITE:
            redact_database(path, pseudonym)
            counts["databases"] += 1
        else:
            overwrite(path, pseudonym)
            counts["logs"] += 1
    return counts


def redact_database(path: Path, text: str) -> int:
    """Delete every row of an SQLite file that holds a text, also from its free pages; returns how many.

    A server may have the file open: SQLite takes care of both.
    """
    removed = 0
    with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as database:
        database.execute("PRAGMA secure_delete = ON")
        tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            if table.startswith("sqlite_"):
                continue
            columns = [row[1] for row in database.execute(f"PRAGMA table_info({_quoted(table)})")]
            holds = " OR ".join(f"instr(CAST({_quoted(column)} AS TEXT), ?) > 0" for column in columns)
            done = database.execute(f"DELETE FROM {_quoted(table)} WHERE {holds}", [text] * len(columns))  # noqa: S608 - names from the file itself
            removed += done.rowcount
        database.execute("VACUUM")
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return removed


def overwrite(path: Path, pseudonym: str) -> None:
    """Overwrite a pseudonym, and the recordings' names that begin with it, with stars of the same length."""
    pattern = re.compile(re.escape(pseudonym).encode() + rb"(-[0-9A-Z]{8})?")
    with path.open("r+b") as file:
        for match in pattern.finditer(file.read()):
            file.seek(match.start())
            file.write(b"*" * len(match[0]))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


# --- the proof ---


def leftovers(study: Study, pseudonym: str, hospital_names: Sequence[str], elsewhere: Sequence[Path]) -> list[str]:
    """Files in our control that still name a person, as paths in the study; empty is the proof.

    Not looked into: landing (the hospital's), git's own objects (they keep pseudonyms and hashes of versions), DVC's
    objects (they are known by their hash), and what is encrypted. The tombstone, the journal and the audit log may
    name the pseudonym.

    Args:
        study: the study.
        pseudonym: the pseudonym.
        hospital_names: the ID and the names of the person's deliveries, as far as they are still known.
        elsewhere: as for `remove_traces`.
    """
    kept = _kept(study, pseudonym)
    landing = study.root / study.params().study.landing
    aside = [study.quarantine, study.vault, landing, study.root / ".git", study.root / ".dvc" / "cache"]
    names = [name.encode() for name in hospital_names if _TELLING.fullmatch(name)]
    words = [re.compile(rb"(?<![0-9A-Za-z])" + re.escape(name) + rb"(?![0-9A-Za-z])") for name in names]
    found = []
    for path in _files([study.root, *elsewhere], aside):
        if path in kept or path.suffix == ".age":
            continue
        # A file that was built again says in `meta.erased` whom it lacks; its recordings' names it may not hold.
        needle = f"{pseudonym}-" if path.parent == study.warehouse else pseudonym
        content = path.read_bytes()
        if needle.encode() in content or any(word.search(content) for word in words):
            found.append(str(path.relative_to(study.root) if path.is_relative_to(study.root) else path))
    return sorted(found)


def _kept(study: Study, pseudonym: str) -> set[Path]:
    """Where the pseudonym stays: it says that somebody was erased, and leads to nobody."""
    receipts = study.state / "receipts"
    return {
        tombstones_file(study.lake),
        journal_file(study, pseudonym),
        *receipts.glob("*"),
        # The audit log is append-only and chained by hashes: that somebody was erased is what it is for.
        *study.state.glob("audit*"),
    }


def _naming(text: str, paths: Iterable[Path]) -> list[Path]:
    return [path for path in paths if _holds(path, text.encode())]


def _holds(path: Path, needle: bytes) -> bool:
    before = b""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            if needle in before + chunk:
                return True
            before = chunk[-len(needle) :]
    return False


def _files(folders: Iterable[Path], but: Sequence[Path] = ()) -> Iterator[Path]:
    """All plain files below folders, leaving out some folders."""
    left_out = {folder.resolve() for folder in but}
    for folder in folders:
        if folder.resolve() in left_out or not folder.is_dir():
            continue
        for path in sorted(folder.iterdir()):
            if path.is_dir() and not path.is_symlink():
                yield from _files([path], but)
            elif path.is_file() and not path.is_symlink():
                yield path
