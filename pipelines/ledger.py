"""The ledger: what landed, what became of it, what is done. SQLite, one writer (the run that holds the lock).

It knows deliveries by random-looking ids, persons by pseudonym; the hospital's names are in the vault alone.
"""

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable

from pipelines.deliveries import Delivery, Kind, RefusedRow, delivery_of
from pipelines.durable_steps import durable
from pipelines.errors import Reason
from pipelines.ledger_file import LedgerFile
from schemas.faults import FAULTS, Effect, Fate


class Ledger(LedgerFile):
    """An open ledger. Every method is one transaction, so a crash leaves it whole; see `LedgerFile` for how it is opened."""

    # --- deliveries ---

    def deliveries(self, kind: Kind | None = None) -> list[Delivery]:
        """All deliveries, in the order in which they were first seen."""
        rows = self._db.execute(
            "SELECT * FROM deliveries WHERE ? IS NULL OR kind = ? ORDER BY first_seen, rowid", (kind, kind)
        ).fetchall()
        return [delivery_of(row) for row in rows]

    def latest_by_name(self) -> dict[str, Delivery]:
        """The delivery under each name that was entered last."""
        rows = self._db.execute("SELECT * FROM deliveries ORDER BY rowid").fetchall()
        return {row["name_digest"]: delivery_of(row) for row in rows}

    def by_arrival(self, kind: Kind) -> list[Delivery]:
        """All deliveries of a kind; the one entered last stands last."""
        rows = self._db.execute("SELECT * FROM deliveries WHERE kind = ? ORDER BY rowid", (kind,)).fetchall()
        return [delivery_of(row) for row in rows]

    def of_repeated_names(self) -> list[Delivery]:
        """The recordings under names that more than one was delivered under; the one entered last stands last."""
        mine = "kind = 'media' AND recording IS NOT NULL AND duplicate_of IS NULL"
        rows = self._db.execute(
            f"SELECT * FROM deliveries WHERE {mine} AND name_digest IN (SELECT name_digest FROM deliveries "  # noqa: S608 - a constant
            f"WHERE {mine} GROUP BY name_digest HAVING count(*) > 1) ORDER BY rowid"
        ).fetchall()
        return [delivery_of(row) for row in rows]

    def has_deliveries(self) -> bool:
        """Whether anything was ever delivered."""
        return self._db.execute("SELECT NULL FROM deliveries LIMIT 1").fetchone() is not None

    def fate_counts(self, kind: Kind) -> dict[str, int]:
        """How many deliveries of a kind there are of each fate."""
        rows = self._db.execute("SELECT fate, count(*) FROM deliveries WHERE kind = ? GROUP BY fate", (kind,))
        return {row[0]: row[1] for row in rows}

    def reason_counts(self) -> dict[str, int]:
        """How often deliveries were given each code."""
        rows = self._db.execute("SELECT reasons, count(*) FROM deliveries WHERE reasons <> '[]' GROUP BY reasons")
        found: Counter[str] = Counter()
        for reasons, deliveries in rows:
            for code, _ in json.loads(reasons):
                found[code] += deliveries
        return dict(found)

    def waiting(self) -> list[Delivery]:
        """All deferred deliveries; the one entered last stands last."""
        rows = self._db.execute("SELECT * FROM deliveries WHERE fate = ? ORDER BY rowid", (Fate.DEFERRED,)).fetchall()
        return [delivery_of(row) for row in rows]

    def by_name(self, name_digest: str) -> list[Delivery]:
        """All deliveries under a name; the one entered last stands last."""
        rows = self._db.execute(
            "SELECT * FROM deliveries WHERE name_digest = ? ORDER BY rowid", (name_digest,)
        ).fetchall()
        return [delivery_of(row) for row in rows]

    def of_participant(self, participant: str) -> list[Delivery]:
        """All deliveries of a person that were accepted or recognised."""
        rows = self._db.execute(
            "SELECT * FROM deliveries WHERE participant = ? ORDER BY rowid", (participant,)
        ).fetchall()
        return [delivery_of(row) for row in rows]

    def find(self, delivery: str) -> Delivery | None:
        """One delivery by its id."""
        row = self._db.execute("SELECT * FROM deliveries WHERE delivery = ?", (delivery,)).fetchone()
        return None if row is None else delivery_of(row)

    def of_recording(self, recording: str) -> Delivery | None:
        """The delivery that a recording was made from."""
        row = self._db.execute(
            "SELECT * FROM deliveries WHERE recording = ? AND duplicate_of IS NULL ORDER BY rowid", (recording,)
        ).fetchone()
        return None if row is None else delivery_of(row)

    def with_bytes(self, sha256: str) -> list[Delivery]:
        """Deliveries of exactly these bytes, oldest first."""
        rows = self._db.execute("SELECT * FROM deliveries WHERE sha256 = ? ORDER BY rowid", (sha256,)).fetchall()
        return [delivery_of(row) for row in rows]

    @durable("ledger")
    def enter(self, entry: Delivery) -> None:
        """Enter a delivery, or renew it under its id.

        One that is no recording any more has no duplicates either: they are to be looked at again.
        """
        values = (
            entry.delivery, entry.kind, entry.name_digest, entry.stamp, entry.sha256, entry.bytes, entry.participant,
            entry.recording, entry.fate, json.dumps([list(reason) for reason in entry.reasons]), entry.first_seen,
            entry.decided_at, entry.duplicate_of,
        )  # fmt: skip
        before = None if entry.recording is not None else self.find(entry.delivery)
        with self._one():
            # Replaced, not updated: what a name holds now is its newest row, also when earlier bytes come back.
            self._db.execute("INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)
            if before is not None and before.recording is not None:
                self._look_again_at_duplicates([entry.delivery], entry.decided_at)

    def _look_again_at_duplicates(self, deliveries: Iterable[str], at: str) -> None:
        # An empty stamp differs from every file's, so the next look takes it up.
        self._db.executemany(
            "UPDATE deliveries SET fate = ?, reasons = ?, stamp = '', duplicate_of = NULL, decided_at = ? "
            "WHERE duplicate_of = ?",
            [(Fate.DEFERRED, json.dumps([["RELEASED", ""]]), at, delivery) for delivery in deliveries],
        )

    @durable("ledger")
    def forget_unread(self, name_digest: str) -> None:
        """Drop the delivery under a name that was never read whole: it turned out to be one known before."""
        self._db.execute("DELETE FROM deliveries WHERE name_digest = ? AND sha256 IS NULL", (name_digest,))

    @durable("ledger")
    def forget(self, delivery: str) -> None:
        """Drop a delivery that turned out to be no delivery of its own: a sidecar whose media came, a mended folder."""
        self._db.execute("DELETE FROM deliveries WHERE delivery = ?", (delivery,))

    @durable("ledger")
    def decide(self, delivery: str, fate: Fate, reasons: Iterable[Reason], at: str) -> None:
        """Give a delivery its fate."""
        encoded = json.dumps([list(reason) for reason in reasons])
        self._db.execute(
            "UPDATE deliveries SET fate = ?, reasons = ?, decided_at = ? WHERE delivery = ?",
            (fate, encoded, at, delivery),
        )

    def accepted(self) -> list[Delivery]:
        """Deliveries that became recordings and are not published yet."""
        rows = self._db.execute(
            "SELECT * FROM deliveries WHERE kind = 'media' AND recording IS NOT NULL AND fate = ? "
            "ORDER BY first_seen, rowid",
            (Fate.DEFERRED,),
        ).fetchall()
        return [delivery_of(row) for row in rows]

    # --- rows of delivered tables ---

    @durable("ledger")
    def record_rows(self, table: str, rows: Iterable[tuple[str, str | None, str, str | None]]) -> None:
        """Enter the fates of a table's rows: (digest, pseudonym, fate, code)."""
        with self._one():
            self._db.executemany(
                "INSERT INTO table_rows VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "participant = excluded.participant, fate = excluded.fate, code = excluded.code",
                [(table, *row) for row in rows],
            )

    @durable("ledger")
    def record_refused(self, table: str, rows: Iterable[tuple[str, str, int, str]], at: str) -> None:
        """Enter where a table's refused rows stand: (digest, delivery, line, what was found, without any value)."""
        with self._one():
            self._db.executemany(
                "INSERT INTO refused_rows VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
                "delivery = excluded.delivery, line = excluded.line, detail = excluded.detail",
                [(table, *row, at) for row in rows],
            )

    def refused_rows(self) -> list[RefusedRow]:
        """All rows in quarantine, by table, delivery and line; of before the ledger knew where, these are None."""
        sql = (
            "SELECT r.delivered_table, r.row_digest, r.participant, r.code, f.delivery, f.line, f.detail, f.since "
            "FROM table_rows r LEFT JOIN refused_rows f USING (delivered_table, row_digest) WHERE r.fate = ? "
            "ORDER BY r.delivered_table, f.since, f.delivery, f.line, r.row_digest"
        )
        try:
            rows = self._db.execute(sql, (Fate.QUARANTINED,)).fetchall()
        except sqlite3.OperationalError:
            # As with `withdrawn`.
            return []
        return [RefusedRow(*row) for row in rows]

    def row_counts(self) -> list[tuple[str, str, str | None, int]]:
        """How many rows there are: (table, fate, code, count)."""
        grouped = self._db.execute(
            "SELECT delivered_table, fate, code, count(*) FROM table_rows GROUP BY delivered_table, fate, code"
        )
        return [tuple(row) for row in grouped]

    def rows_of(self, table: str) -> dict[str, tuple[str | None, str, str | None]]:
        """Pseudonym, fate and code of each of a table's rows, by digest."""
        rows = self._db.execute(
            "SELECT row_digest, participant, fate, code FROM table_rows WHERE delivered_table = ?", (table,)
        )
        return {row[0]: (row[1], row[2], row[3]) for row in rows}

    def row_codes(self, table: str) -> set[str]:
        """The codes of a table's refused rows."""
        sql = "SELECT DISTINCT code FROM table_rows WHERE delivered_table = ? AND fate = ? AND code IS NOT NULL"
        return {row[0] for row in self._db.execute(sql, (table, Fate.QUARANTINED))}

    # --- persons who took back their consent, and persons who are erased ---

    @durable("ledger")
    def note_withdrawn(self, participants: Iterable[str]) -> None:
        """Enter who is to be erased, in place of who was noted before."""
        with self.transaction():
            self._db.execute("DELETE FROM withdrawn")
            self._db.executemany("INSERT INTO withdrawn VALUES (?)", [(each,) for each in participants])

    def withdrawn(self) -> list[str]:
        """Who is to be erased, sorted."""
        try:
            rows = self._db.execute("SELECT participant FROM withdrawn ORDER BY participant").fetchall()
        except sqlite3.OperationalError:
            # Read only, and the ledger is of before there was such a list: its next run makes it.
            return []
        return [row["participant"] for row in rows]

    def erase(
        self, participant: str, deliveries: Iterable[str], rows: Iterable[str], masked: Callable[[str], str], at: str
    ) -> int:
        """Take a person out: their deliveries stay as counts, everything else goes, also from the file's free pages.

        A delivery of somebody else that was set aside as a duplicate of an erased one is to be looked at again.

        Args:
            participant: the pseudonym.
            deliveries: of the person; those that name the pseudonym are added.
            rows: digests of rows of delivered tables that name nobody; those that name the pseudonym are added.
            masked: makes of a file's SHA-256 what says nothing to others.
            at: the time of the erasure.

        Returns:
            How many deliveries of media are erased now.
        """
        erased = sorted({*deliveries, *(entry.delivery for entry in self.of_participant(participant))})
        with self.transaction():
            for delivery in erased:
                entry = self.find(delivery)
                if entry is None or entry.fate is Fate.ERASED:
                    continue
                self._db.execute(
                    "UPDATE deliveries SET fate = ?, reasons = '[]', participant = NULL, recording = NULL, "
                    "duplicate_of = NULL, decided_at = ?, sha256 = ? WHERE delivery = ?",
                    # One that was never read gets a sum too: without, what comes under its name would take its row.
                    (Fate.ERASED, at, masked(entry.sha256 or delivery), delivery),
                )
            self._look_again_at_duplicates(erased, at)
            self._db.execute("DELETE FROM table_rows WHERE participant = ?", (participant,))
            self._db.executemany("DELETE FROM table_rows WHERE row_digest = ?", [(each,) for each in rows])
            self._db.execute(
                "DELETE FROM refused_rows WHERE NOT EXISTS (SELECT NULL FROM table_rows r WHERE "
                "r.delivered_table = refused_rows.delivered_table AND r.row_digest = refused_rows.row_digest)"
            )
            self._db.execute("DELETE FROM units WHERE recording LIKE ? || '-%'", (participant,))
            self._db.execute("DELETE FROM dirty WHERE participant = ?", (participant,))
            self._db.execute("DELETE FROM withdrawn WHERE participant = ?", (participant,))
        # SQLite leaves what it deleted in free pages and in its log.
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        placed = {entry.delivery: entry for entry in self.deliveries("media")}
        return sum(each in placed and placed[each].fate is Fate.ERASED for each in erased)

    # --- what a version has ---

    @durable("ledger")
    def publish_version(self, number: int, git_commit: str, recordings: Iterable[str], at: str) -> None:
        """A version is out: so are its recordings."""
        with self.transaction():
            self._db.execute("INSERT OR REPLACE INTO versions VALUES (?, ?, ?, NULL)", (number, git_commit, at))
            self.settle(recordings, at)

    @durable("ledger")
    def settle(self, recordings: Iterable[str], at: str) -> None:
        """These recordings are in the current version: so are the deliveries that became them."""
        published = set(recordings)
        for entry in self.accepted():
            if entry.recording in published:
                kept = [reason for reason in entry.reasons if FAULTS[reason.code].effect is Effect.FLAG]
                self.decide(entry.delivery, Fate.PUBLISHED, kept, at)
