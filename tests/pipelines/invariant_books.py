"""What must hold of a study's ledger, lake and quarantine at every moment, read with other eyes than the pipeline's.

The ledger is read as SQLite rows, versions as what the archive was given, sealed copies as files.
"""

import hashlib
import io
import json
import sqlite3
import zipfile
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.pseudonymise import recording_or_none
from pipelines.stages import MEDIA_STAGES
from pipelines.vault import Vault
from schemas.faults import Fate
from tests.pipelines.invariant_factory import MortalStudy

NOTHING_KEPT = {"ERASED_SUBJECT", "VANISHED", "REPLACED"}
"""Codes of deliveries whose bytes may be gone: nothing may be kept, or nothing was ever read."""


@dataclass(frozen=True)
class Row:
    """A delivery as the ledger's file has it."""

    delivery: str
    kind: str
    name_digest: str
    stamp: str
    sha256: str | None
    bytes: int
    participant: str | None
    recording: str | None
    fate: str
    reasons: str
    first_seen: str
    decided_at: str
    duplicate_of: str | None

    @property
    def codes(self) -> list[str]:
        return [code for code, _ in json.loads(self.reasons)]

    @property
    def verdict(self) -> tuple[str, str | None]:
        """Fate and first code."""
        return self.fate, next(iter(self.codes), None)

    @property
    def accepted(self) -> bool:
        return self.recording is not None and self.duplicate_of is None


class Books:
    """A study's books as they stand now."""

    def __init__(self, mortal: MortalStudy) -> None:
        self.mortal = mortal
        self.study = mortal.study
        self.vault = Vault.open(mortal.study.vault)
        self.rows: list[Row] = []
        self.table_rows: dict[tuple[str, str], tuple[str | None, str, str | None]] = {}
        self.places: dict[tuple[str, str], str] = {}
        self.counted: dict[str, Any] = {}
        journals = list((self.study.state / "erasures").glob("[!.]*.json"))
        self.under_way = {path.stem for path in journals}
        """Whose erasure was killed: the next run ends it."""
        self.going = {each for path in journals for each in json.loads(path.read_bytes())["deliveries"]}
        """Their deliveries, of which the kept copies go before the ledger's rows do."""
        if self.study.ledger.is_file():
            self._read()

    def _read(self) -> None:
        with closing(sqlite3.connect(f"file:{self.study.ledger}?mode=ro", uri=True)) as db:
            if not db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'runs'").fetchone()[0]:
                return
            self.rows = [Row(*row) for row in db.execute("SELECT * FROM deliveries ORDER BY rowid")]
            for table, digest, *rest in db.execute("SELECT * FROM table_rows"):
                self.table_rows[table, digest] = tuple(rest)
            self.places = {
                (table, digest): delivery
                for table, digest, delivery in db.execute(
                    "SELECT delivered_table, row_digest, delivery FROM refused_rows"
                )
            }
        ledger = Ledger(self.study.ledger, read_only=True)
        self.counted = counts(ledger)
        ledger.close()

    @property
    def media(self) -> list[Row]:
        return [row for row in self.rows if row.kind == "media"]

    def of_path(self, path: str) -> list[Row]:
        """All rows under a name, oldest first."""
        digest = self.vault.digest("name", path)
        return [row for row in self.rows if row.name_digest == digest]

    def sealed(self, name: str) -> tuple[str, bytes] | None:
        """Name and bytes of a sealed copy."""
        path = self.study.quarantine / f"{name}.age"
        if not path.is_file():
            return None
        with zipfile.ZipFile(io.BytesIO(self.vault.unseal(path.read_bytes()))) as archive:
            return archive.read("name").decode(), archive.read("content")

    def in_lake(self, recording: str | None) -> bool:
        return any(self.study.lake.glob(f"*/recordings/{recording}.json"))

    def check(self) -> None:
        """All that holds at every moment, also between a kill and the next run."""
        self._balance()
        self._published()
        self._lake()
        self._duplicates()
        self._sealed_copies()
        self._refused_rows()
        self._erased()

    def _balance(self) -> None:
        if not self.counted:
            return
        fates = Counter(row.fate for row in self.media)
        assert set(fates) <= {fate.value for fate in Fate}
        assert {fate.value: self.counted[fate.value] for fate in Fate} == {fate.value: fates[fate] for fate in Fate}
        assert self.counted["landed"] == sum(fates.values()) == len(self.media)
        assert self.counted["balanced"]
        tables: dict[str, Counter[str]] = {}
        for (table, _), (_, fate, _) in self.table_rows.items():
            tables.setdefault(table, Counter())[fate] += 1
        for table, by_fate in tables.items():
            told = self.counted["tables"][table]
            assert told["landed"] == sum(by_fate.values()) == sum(told.get(fate, 0) for fate in by_fate)
            assert set(by_fate) <= {"published", "quarantined", "duplicate"}

    def _published(self) -> None:
        """Each published row has its recording and features in the lake, in the version, and in the published table."""
        version = self.mortal.archive.published()
        current = self.study.warehouse / "current"
        listed = json.loads(current.read_bytes()) if current.exists() else []
        for row in self.media:
            if row.fate != Fate.PUBLISHED or row.participant in self.under_way:
                continue
            assert row.recording is not None, row
            assert row.participant is not None, row
            person = self.vault.of_pseudonym(row.participant)
            assert recording_or_none(self.study.lake, row.participant, row.recording, person.identity) is not None
            assert row.recording in listed, f"{row.recording} is not in the published table"
            wanted = {f"lake/{row.participant}/recordings": [f"{row.recording}.json", f"{row.recording}.age"]}
            for stage in MEDIA_STAGES:
                files = [f"{row.recording}{ending}.parquet" for ending in stage.endings]
                wanted[f"lake/{row.participant}/{stage.folder}"] = files
            for folder, names in wanted.items():
                for name in names:
                    assert (self.study.root / folder / name).is_file(), f"{folder}/{name} is not in the lake"
                    assert name in version[folder], f"{folder}/{name} is not in the version"

    def _lake(self) -> None:
        """Each recording in the lake has one row."""
        rows = Counter(row.recording for row in self.media if row.accepted)
        for path in self.study.lake.glob("*/recordings/*.json"):
            assert rows[path.stem] == 1, f"{path.stem} in the lake has {rows[path.stem]} rows"

    def _duplicates(self) -> None:
        """What is a duplicate is one of something that is accepted."""
        by_id = {row.delivery: row for row in self.media}
        for row in self.media:
            assert (row.fate == Fate.DUPLICATE) == (row.duplicate_of is not None)
            if row.duplicate_of is not None:
                original = by_id[row.duplicate_of]
                assert original.accepted, f"a duplicate of {original.verdict}"
                assert original.sha256 == row.sha256, "a duplicate of other bytes"

    def _sealed_copies(self) -> None:
        """Each quarantined row has its bytes, each sealed copy its row."""
        for row in self.rows:
            if row.fate != Fate.QUARANTINED or NOTHING_KEPT & set(row.codes):
                continue
            kept = self.sealed(row.delivery)
            if kept is None and row.delivery in self.going:
                continue
            assert kept is not None, f"nothing is kept of {row}"
            assert hashlib.sha256(kept[1]).hexdigest() == row.sha256, f"other bytes are kept of {row}"
            assert self.vault.digest("name", kept[0]) == row.name_digest
        known = {row.delivery: row for row in self.rows}
        of_rows = set(self.places.values())
        for path in self.study.quarantine.glob("*.age"):
            of = path.stem.removesuffix("-rows")
            if self.mortal.killed or (path.stem != of and of in of_rows):
                # A run that is killed between has entered a table's rows and not yet the table.
                continue
            assert of in known, f"{path.name} is of no row"
            assert known[of].fate != Fate.ERASED
            assert "ERASED_SUBJECT" not in known[of].codes

    def _refused_rows(self) -> None:
        """Each quarantined row of a table is kept, in the sealed copy of the delivery that the ledger names."""
        if self.under_way:
            # Some of these rows may be the erased person's, whose lines go before the ledger's rows do.
            return
        kept: dict[tuple[str, str], set[str]] = {}
        for (table, digest), (_, fate, code) in self.table_rows.items():
            if fate != Fate.QUARANTINED or code == "ERASED_SUBJECT":
                continue
            delivery = self.places[table, digest]
            if (table, delivery) not in kept:
                kept[table, delivery] = self._digests(table, delivery)
            assert digest in kept[table, delivery], f"a row of {table} ({code}) is not kept with {delivery}"

    def _digests(self, table: str, delivery: str) -> set[str]:
        sealed = self.sealed(f"{delivery}-rows")
        assert sealed is not None, f"no rows are kept of {delivery}"
        texts = [json.loads(line)["text"] for line in sealed[1].decode().split("\n") if line]
        return {self.vault.digest("row", table, text, str(nth)) for text in texts for nth in range(1, 5)}

    def _erased(self) -> None:
        """Of an erased person nothing is left but counts."""
        for tombstone in self.vault.tombstones:
            if tombstone.pseudonym in self.under_way or self.vault.knows(tombstone.pseudonym):
                continue
            assert not (self.study.lake / tombstone.pseudonym).exists()
            assert all(tombstone.pseudonym not in (row.participant, row.duplicate_of) for row in self.rows)
            assert all((row.recording or "").partition("-")[0] != tombstone.pseudonym for row in self.rows)
            assert all(person != tombstone.pseudonym for person, _, _ in self.table_rows.values())
            assert all(not name.startswith(f"lake/{tombstone.pseudonym}/") for name in self.mortal.archive.outputs)
        for delivery, name in self.vault.names.items():
            parts = name.split("/")
            if any(self.vault.tombstone_of(part) for part in parts):
                person = next(each for each in map(self.vault.tombstone_of, parts) if each)
                assert person.pseudonym in self.under_way or self.vault.knows(person.pseudonym), (
                    f"{delivery} is still named"
                )
