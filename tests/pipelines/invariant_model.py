"""What must become of what a hospital delivers: the rules of the design once more, by other means than the pipeline's."""

import json
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.csvfile import read_csv
from schemas.faults import Fate
from tests.pipelines.invariant_books import Books, Row
from tests.pipelines.invariant_hospital import TABLES, WRONG_SUM, HospitalMachine, Lying, person_of

ZONE = ZoneInfo("Europe/Amsterdam")
P, Q, D = Fate.PUBLISHED.value, Fate.QUARANTINED.value, Fate.DEFERRED.value
AGAIN = (D, "RELEASED")
DUPLICATE = (Fate.DUPLICATE.value, "DUPLICATE")


class Model(HospitalMachine):
    """Knows of each file and each row what may become of it."""

    def _texts(self, name: str) -> set[str]:
        """The rows that a table's file has now, each with its number among its like."""
        file = self.landing.root / f"{name}.csv"
        if not file.is_file() or name in self.drifted:
            return set()
        seen: dict[str, int] = {}
        found = set()
        for row in read_csv(file.read_bytes(), TABLES[name], ZONE):
            seen[row.text] = seen.get(row.text, 0) + 1
            found.add(f"{row.text}\x1f{seen[row.text]}")
        return found

    def _row_of(self, path: str, books: Books) -> Row:
        """The row of what lies under a name."""
        rows = [row for row in books.of_path(path) if row.fate != Fate.ERASED]
        whole = [row for row in rows if row.sha256 == self.lying[path].sha256]
        unread = [row for row in rows if row.sha256 is None]
        if person_of(path) in self.gone and not rows:
            return books.of_path(path)[-1]
        assert whole or unread, f"{path} lies there, and has no row"
        return (unread or whole)[-1] if self.lying[path].described is None else (whole or unread)[-1]

    def _verdicts(self, path: str, before: Books, after: Books, *, passes: bool) -> set[tuple[str, str | None]]:
        """What may become of a file: by the state it was in, or by what is known of it."""
        file, person = self.lying[path], person_of(path)
        known = before.of_path(path)
        stamps = [self.landing.stamp(each) for each in (path, str(Path(path).with_suffix(".json")))]
        stamp = f"{stamps[0]}|{stamps[1] or '-'}"
        erased = {(Fate.ERASED.value, None)} if person in self.gone else set()
        unchanged = bool(known) and known[-1].stamp == stamp
        if unchanged and known[-1].fate != D:
            # Only an erasure changes what is settled.
            return {known[-1].verdict} | erased
        refusals: dict[str, Callable[[], bool]] = {
            "ERASED_SUBJECT": lambda: person in self.gone,
            "ORPHAN": lambda: file.described is None,
            "CHECKSUM_MISMATCH": lambda: file.described == WRONG_SUM,
            "UNKNOWN_ID": lambda: after.vault.person(person) is None,
            "NO_CONSENT": lambda: not self._consented(person, after),
            "EMPTY_FILE": lambda: file.content == "empty",
        }
        code = next((code for code, holds in refusals.items() if holds()), None)
        if code is not None:
            stands = [row for row in known if row.sha256 == file.sha256 and row.fate == P]
            waits = {(D, "WAITING_PAIR")} if code == "ORPHAN" else set()
            # What was published is not taken back, but by an erasure that this night ends.
            return (
                ({(P, None)} if stands and code != "ERASED_SUBJECT" else {(Q, code)})
                | waits
                | (erased if unchanged else set())
            )
        if self._must_be_duplicate(path, before):
            return {DUPLICATE}
        may_be: set[tuple[str, str | None]] = set()
        if self._may_be_duplicate(path, before):
            # Of one that is set aside in this night, so that the next looks again; and then it is settled.
            may_be = {DUPLICATE, AGAIN} if self.delivered_since else {DUPLICATE}
        return self._by_content(file, passes=passes) | may_be

    def _by_content(self, file: Lying, *, passes: bool) -> set[tuple[str, str | None]]:
        if file.content == "cut":
            return {(Q, None)}
        if file.content in {"two faces", "crashes"}:
            return {(Q, "MULTI_PERSON" if file.content == "two faces" else "DECODER_CRASH")}
        return {(P, None)} if passes else {(D, "AWAITING_PUBLICATION")}

    def _consented(self, person: str, books: Books) -> bool:
        """Both scopes stand, by what the vault was told; and it was told all that the table says now."""
        known = books.vault.person(person)
        assert known is not None
        told = {(event.at, event.status, event.scope) for event in known.consent}
        if "consent" not in self.drifted:
            listed = [row for row in self.tables["consent"] if row["participant_id"] == person]
            assert {(row["status"], row["scope"]) for row in listed} <= {(status, scope) for _, status, scope in told}
        last = {scope: status for _, status, scope in sorted(told)}
        return all(last.get(scope) == "given" for scope in ("recording", "ai_research"))

    def _may_be_duplicate(self, path: str, before: Books) -> bool:
        """Whether the same bytes were accepted under another name, or lie there to be judged first."""
        content = self.lying[path].content
        others = (row for row in before.media if row.accepted and row not in before.of_path(path))
        return any(row.sha256 == self.lying[path].sha256 for row in others) or any(
            other < path and file.content == content and file.described not in {None, WRONG_SUM}
            for other, file in self.lying.items()
        )

    def _must_be_duplicate(self, path: str, before: Books) -> bool:
        """Whether the same bytes are published under another name."""
        others = (row for row in before.media if row not in before.of_path(path))
        return any(row.sha256 == self.lying[path].sha256 and row.fate == P for row in others)

    def _wanted_rows(self, name: str, before: Books, after: Books) -> dict[str, tuple[str, str | None]]:
        """Fate and code that each row of a table's file must have."""
        file = self.landing.root / f"{name}.csv"
        if not file.is_file() or name in self.drifted:
            return {}
        found: dict[str, tuple[str, str | None]] = {}
        for row in read_csv(file.read_bytes(), TABLES[name], ZONE):
            number = 1 + sum(each.startswith(f"{row.text}\x1f") for each in found)
            key = f"{row.text}\x1f{number}"
            person = json.loads(row.text)["participant_id"]
            code = self._code_of_row(name, row.code, person, after)
            stands = before.table_rows.get((name, after.vault.digest("row", name, row.text, str(number))))
            if stands is not None and stands[1] == P and person not in self.gone:
                found[key] = (P, None)
            elif code is not None:
                found[key] = (Q, code)
            else:
                found[key] = (P, None) if number == 1 else (Fate.DUPLICATE.value, None)
        return found

    def _code_of_row(self, name: str, read: str | None, person: str, after: Books) -> str | None:
        if person in self.gone:
            return "ERASED_SUBJECT"
        if read is not None:
            return read
        if after.vault.person(person) is None:
            return "UNKNOWN_ID"
        return None if name == "consent" or self._consented(person, after) else "NO_CONSENT"
