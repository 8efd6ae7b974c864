"""Whatever lands in whatever order, and wherever a run is killed: nothing is lost, and the ledger adds up.

A machine delivers, renames, withdraws, erases, releases and kills at random, and keeps a model of its own of what it
delivered. What is real in its nights and what is not stands in `tests.pipelines.invariant_factory`.
"""

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pipelines.csvfile import read_csv
from pipelines.recording import Recording
from pipelines.storage import FolderLanding
from schemas.faults import Fate
from schemas.landing import DELIVERED_TABLES
from tests.pipelines.invariant_books import Books, Row
from tests.pipelines.invariant_factory import CRASHES, TWO_FACES, MortalStudy
from tests.pipelines.landing_factory import Hospital, wav

PEOPLE = ("MRN-4711001", "MRN-4711002", "MRN-4711003")
PATHS = tuple(f"recordings/{person}/V1/{name}.wav" for person in PEOPLE for name in ("anna", "bert"))
CONTENTS = {"first": wav(1.0), "second": wav(0.9), "third": wav(0.8), "empty": b"", "cut": wav(2.0)[:9000]}
"""By name, so that a failing example can be read."""
GOOD = ("first", "second", "third")
RIGHT, WRONG_SUM = "right", "wrong sum"
DESCRIPTIONS = (RIGHT, RIGHT, RIGHT, WRONG_SUM, TWO_FACES, CRASHES, None)
DAY = "2026-03-{:02}T09:00:00+01:00"
ZONE = ZoneInfo("Europe/Amsterdam")
TABLES = {table.name: table for table in DELIVERED_TABLES}

P, Q, D = Fate.PUBLISHED.value, Fate.QUARANTINED.value, Fate.DEFERRED.value


@dataclass(frozen=True)
class Lying:
    """A file in the landing zone and how its sidecar describes it."""

    content: str
    described: str | None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(CONTENTS[self.content]).hexdigest()


def person_of(path: str) -> str:
    return path.split("/")[1]


class LedgerMachine(RuleBasedStateMachine):
    """The hospital, the engineer and bad luck."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.patch = pytest.MonkeyPatch()
        self.mortal = MortalStudy.make(Path(self.folder.name) / "study")
        self.mortal.stand_in(self.patch)
        root = self.mortal.study.root / "landing"
        self.hospital = Hospital(root, self.mortal.now - timedelta(days=60))
        self.landing = FolderLanding(root)
        self.lying: dict[str, Lying] = {}
        self.tables: dict[str, list[dict[str, str]]] = {"participants": [], "consent": [], "clinical": []}
        self.drifted: set[str] = set()
        self.events = 0
        # What runs have seen, by name: the bytes that were read, those that are still unread, those that were erased.
        self.read: dict[str, set[str]] = {path: set() for path in PATHS}
        self.unread: set[str] = set()
        self.erased: dict[str, int] = dict.fromkeys(PATHS, 0)
        self.maybe: set[tuple[str, str | None]] = set()
        self.in_limbo: set[str] = set()
        self.gone: set[str] = set()
        self.rows: dict[str, set[str]] = {name: set() for name in self.tables}
        self.maybe_rows: dict[str, set[str]] = {name: set() for name in self.tables}
        self.unsure_tables = False

    def teardown(self) -> None:
        self.patch.undo()
        self.folder.cleanup()

    # --- the hospital ---

    @initialize(filmed=st.booleans())
    def two_are_admitted(self, filmed: bool) -> None:
        for person in PEOPLE[:2]:
            self.register(person)
            self.consent(person, "given")
        if filmed:
            self.score(PEOPLE[0], 1, "3")
            self.film(PATHS[0], "first")
            self.film(PATHS[2], "second")
            self.good_night()

    def _write_table(self, name: str) -> None:
        if name in self.drifted:
            self.hospital.table(name, columns=["patient", *list(TABLES[name].fields)[1:]])
        else:
            self.hospital.table(name, *self.tables[name])

    @rule(person=st.sampled_from(PEOPLE))
    def register(self, person: str) -> None:
        if any(row["participant_id"] == person for row in self.tables["participants"]):
            return
        facts = {"birth_date": "1961-05-04", "group": "pain", "language": "NL", "enrolled_at": "2026-03-01"}
        self.tables["participants"].append({"participant_id": person, **facts})
        self._write_table("participants")

    @rule(person=st.sampled_from(PEOPLE), status=st.sampled_from(["given", "withdrawn"]))
    def consent(self, person: str, status: str) -> None:
        """Each event is later than all before; the recordings are of 15 March."""
        self.events += 1
        at = f"2026-03-01T09:{self.events // 60:02}:{self.events % 60:02}+01:00"
        for scope in ("recording", "ai_research"):
            row = {"participant_id": person, "recorded_at": at, "status": status, "scope": scope}
            self.tables["consent"].append(row)
        self._write_table("consent")

    @rule(person=st.sampled_from(PEOPLE), day=st.integers(1, 2), nrs=st.sampled_from(["3", "4", "99"]))
    def score(self, person: str, day: int, nrs: str) -> None:
        """A new row, the same again, another value beside the first under its key, or one that is refused."""
        self.tables["clinical"].append({"participant_id": person, "observed_at": DAY.format(day), "nrs_now": nrs})
        self._write_table("clinical")

    @rule(name=st.sampled_from(["participants", "consent", "clinical"]), drifts=st.booleans())
    def change_a_table(self, name: str, drifts: bool) -> None:
        """From now on its files have the new rows alone; or a column is renamed, or has its name again."""
        if drifts:
            self.drifted ^= {name} - {"participants"}
        else:
            self.tables[name].clear()
        self._write_table(name)

    @rule(path=st.sampled_from(PATHS), content=st.sampled_from(sorted(CONTENTS)), described=st.sampled_from(DESCRIPTIONS))
    def deliver(self, path: str, content: str, described: str | None) -> None:
        """A new name, the same again, or other bytes under a name that is there."""
        self.hospital.write(path, CONTENTS[content])
        self.lying[path] = Lying(content, described)
        self._describe(path)

    @precondition(lambda self: self.lying)
    @rule(data=st.data(), described=st.sampled_from([RIGHT, WRONG_SUM, TWO_FACES, None]), anew=st.booleans())
    def describe(self, data: st.DataObject, described: str | None, anew: bool) -> None:
        """The sidecar comes later, is corrected, or goes; or the same bytes come again with it."""
        path = data.draw(st.sampled_from(sorted(self.lying)), label="path")
        content = self.lying[path].content
        if anew:
            self.deliver(path, content, described)
        self.lying[path] = Lying(content, described)
        self._describe(path)

    def _describe(self, path: str) -> None:
        described, content = self.lying[path].described, self.lying[path].sha256
        if described is None:
            (self.landing.root / path).with_suffix(".json").unlink(missing_ok=True)
            return
        keys = {"sha256": "0" * 64 if described == WRONG_SUM else content}
        if described in {TWO_FACES, CRASHES}:
            keys["device"] = described
        self.hospital.describe(path, keys)

    @precondition(lambda self: self.lying)
    @rule(data=st.data(), to=st.sampled_from(PATHS), copied=st.booleans())
    def rename(self, data: st.DataObject, to: str, copied: bool) -> None:
        """The same bytes under another name; the first may stay, or be a newer film by then."""
        path = data.draw(st.sampled_from(sorted(self.lying)), label="path")
        if path != to:
            lying = self.lying[path]
            if not copied:
                self._remove(path)
            self.deliver(to, lying.content, lying.described)

    @precondition(lambda self: self.lying)
    @rule(data=st.data(), everything=st.booleans())
    def remove(self, data: st.DataObject, everything: bool) -> None:
        """The hospital empties its folder, or a part of it."""
        path = data.draw(st.sampled_from(sorted(self.lying)), label="path")
        for each in list(self.lying) if everything else [path]:
            self._remove(each)

    def _remove(self, path: str) -> None:
        del self.lying[path]
        (self.landing.root / path).unlink()
        (self.landing.root / path).with_suffix(".json").unlink(missing_ok=True)

    @rule()
    def a_week_passes(self) -> None:
        self.mortal.now += timedelta(days=8)

    # --- the engineer, and bad luck ---

    @rule(passes=st.sampled_from([True, True, True, False]))
    def night(self, passes: bool) -> None:
        before = Books(self.mortal)
        assert self.mortal.night(passes=passes)
        self._settle_what_was_erased()
        after = Books(self.mortal)
        self._follow_night(before, after, passes=passes)
        self._compare_version(passes=passes)

    @rule()
    def good_night(self) -> None:
        """As most are."""
        self.night(passes=True)

    @rule()
    def another_good_night(self) -> None:
        """Rules are drawn alike: a run is as likely as a delivery."""
        self.night(passes=True)

    @rule(path=st.sampled_from(PATHS), content=st.sampled_from(GOOD))
    def film(self, path: str, content: str) -> None:
        """A delivery as it should be."""
        self.deliver(path, content, RIGHT)

    @rule(steps=st.integers(0, 120), passes=st.sampled_from([True, True, False]))
    def killed_night(self, steps: int, passes: bool) -> None:
        before = Books(self.mortal)
        if self.mortal.night(steps, passes=passes):
            self._settle_what_was_erased()
            self._follow_night(before, Books(self.mortal), passes=passes)
        else:
            self._be_unsure()

    def _be_unsure(self) -> None:
        self.maybe |= {(path, sha) for path, lying in self.lying.items() for sha in (None, lying.sha256)}
        for name in self.tables:
            self.maybe_rows[name] |= self._texts(name)

    @precondition(lambda self: self._known())
    @rule(data=st.data(), steps=st.none() | st.integers(0, 100))
    def erase(self, data: st.DataObject, steps: int | None) -> None:
        person = data.draw(st.sampled_from(self._known()), label="who")
        self.in_limbo.add(person)
        if self.mortal.erase(person, steps):
            self._settle_what_was_erased()

    def _known(self) -> list[str]:
        vault = Books(self.mortal).vault
        return [person for person in PEOPLE if vault.person(person) is not None]

    def _settle_what_was_erased(self) -> None:
        """An erasure that was killed is ended by the next night, unless it was killed before it had begun."""
        books = Books(self.mortal)
        for person in sorted(self.in_limbo):
            tombstone = books.vault.tombstone_of(person)
            if tombstone is not None and tombstone.pseudonym in books.under_way:
                continue
            self.in_limbo.discard(person)
            if tombstone is not None:
                self.gone.add(person)
                for path in PATHS:
                    if person_of(path) == person:
                        self.erased[path] = self._erased_rows(path)
                        self.read[path].clear()
                        self.unread.discard(path)
                for name in self.tables:
                    for known in (self.rows[name], self.maybe_rows[name]):
                        known -= {each for each in known if person in each}

    def _erased_rows(self, path: str) -> int:
        """How many rows of a name are erased: all that were surely seen, and no more than may have been."""
        sure = {*self.read[path], *({None} if path in self.unread else ())}
        possible = sure | {sha for where, sha in self.maybe if where == path}
        found = sum(row.fate == Fate.ERASED for row in Books(self.mortal).of_path(path))
        assert len(sure) - bool(self.maybe) <= found - self.erased[path] <= len(possible)
        return found

    @precondition(lambda self: self._quarantined())
    @rule(data=st.data(), steps=st.none() | st.integers(0, 10))
    def release(self, data: st.DataObject, steps: int | None) -> None:
        delivery = data.draw(st.sampled_from(self._quarantined()), label="what")
        self.mortal.release([delivery], steps)

    def _quarantined(self) -> list[str]:
        books = Books(self.mortal)
        return [row.delivery for row in books.rows if row.fate == Q]

    # --- what must have become of it all ---

    @invariant()
    def the_books_are_sound(self) -> None:
        Books(self.mortal).check()

    @invariant()
    def each_delivery_has_one_row(self) -> None:
        books = Books(self.mortal)
        names = {books.vault.digest("name", path): path for path in PATHS}
        assert {row.name_digest for row in books.media} <= names.keys()
        for path in PATHS:
            rows = books.of_path(path)
            live = [row.sha256 for row in rows if row.fate != Fate.ERASED]
            erased = len(rows) - len(live)
            sure = {*self.read[path], *({None} if path in self.unread else ())}
            possible = sure | {sha for where, sha in self.maybe if where == path}
            assert len(set(live)) == len(live), f"{path} has two rows for the same bytes"
            if person_of(path) in self.in_limbo or self.erased[path] != erased:
                most = len(possible) + self.erased[path]
                assert len(sure) + self.erased[path] <= len(rows) <= most, f"{path} has {rows}"
                continue
            missing = sure - set(live) - ({None} if self.maybe else set())
            assert not missing, f"no row of {path}"
            assert set(live) <= possible, f"a row without a file: {path}"

    @invariant()
    def each_row_of_a_table_has_one_fate(self) -> None:
        books = Books(self.mortal)
        for name in self.tables:
            of_table = {digest for table, digest in books.table_rows if table == name}
            sure, possible = (
                {books.vault.digest("row", name, *each.split("\x1f")) for each in known}
                for known in (self.rows[name], self.rows[name] | self.maybe_rows[name])
            )
            if not self.in_limbo:
                assert sure <= of_table, f"a row of {name} is lost"
            assert of_table <= possible, f"the ledger has a row of {name} that was not delivered"

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

    def _follow_night(self, before: Books, after: Books, *, passes: bool) -> None:
        """Hold what a whole night did against what it must have done."""
        for path in sorted(self.lying):
            row = self._row_of(path, after)
            wanted = self._verdicts(path, before, after, passes=passes)
            assert row.verdict in wanted or (row.fate, None) in wanted, f"{path} is {row.verdict}, not {wanted}"
            if row.fate == Fate.ERASED:
                continue
            if row.sha256 is None:
                self.unread.add(path)
            else:
                self.read[path].add(row.sha256)
                self.unread.discard(path)
        lying = {(after.vault.digest("name", path), file.sha256) for path, file in self.lying.items()}
        kept = {row.delivery: row for row in after.rows}
        for row in before.media:
            now = kept.get(row.delivery)
            if row.fate in {P, Q} and (row.name_digest, row.sha256) not in lying and now is not None:
                assert now.verdict[0] in {row.fate, Fate.ERASED}, f"{row.verdict} became {now.verdict} by itself"
        for path, sha in self.maybe:
            if sha is not None and any(row.sha256 == sha for row in after.of_path(path)):
                self.read[path].add(sha)
        self.unread = {path for path in PATHS if any(row.sha256 is None and row.fate != Fate.ERASED for row in after.of_path(path))} & (
            self.unread | {path for path, sha in self.maybe if sha is None}
        )
        self.maybe.clear()
        self._follow_tables(before, after)

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
        if known and known[-1].stamp == stamp and known[-1].fate != D:
            # Only an erasure changes what is settled.
            return {known[-1].verdict} if person not in self.gone else {known[-1].verdict, (Fate.ERASED.value, None)}
        if person in self.gone:
            return {(Q, "ERASED_SUBJECT")}
        if file.described is None:
            return {(D, "WAITING_PAIR"), (Q, "ORPHAN")}
        if file.described == WRONG_SUM:
            return {(Q, "CHECKSUM_MISMATCH")}
        if after.vault.person(person) is None:
            return {(Q, "UNKNOWN_ID")}
        if not self._consented(person, after):
            return {(Q, "NO_CONSENT")}
        if file.content == "empty":
            return {(Q, "EMPTY_FILE")}
        verdicts: set[tuple[str, str | None]] = set()
        if self._may_be_duplicate(path, before):
            verdicts.add((Fate.DUPLICATE.value, "DUPLICATE"))
            if not self._must_be_duplicate(path, before):
                verdicts |= self._by_content(file, passes=passes)
            return verdicts
        return self._by_content(file, passes=passes)

    def _by_content(self, file: Lying, *, passes: bool) -> set[tuple[str, str | None]]:
        if file.content == "cut":
            return {(Q, None)}
        if file.described in {TWO_FACES, CRASHES}:
            return {(Q, "MULTI_PERSON" if file.described == TWO_FACES else "DECODER_CRASH")}
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

    def _follow_tables(self, before: Books, after: Books) -> None:
        for name in self.tables:
            for text in self.maybe_rows[name]:
                if (name, after.vault.digest("row", name, *text.split("\x1f"))) in after.table_rows:
                    self.rows[name].add(text)
            self.maybe_rows[name] = {each for each in self.maybe_rows[name] if any(person in each for person in self.gone)}
            for text, wanted in self._wanted_rows(name, before, after).items():
                key = (name, after.vault.digest("row", name, *text.split("\x1f")))
                if any(person in text for person in self.gone):
                    # Counted once the table is read again.
                    self.maybe_rows[name].add(text)
                    assert after.table_rows.get(key, (None, *wanted))[1:] == wanted
                    continue
                self.rows[name].add(text)
                assert key in after.table_rows, f"a row of {name} has no fate: {text}"
                assert after.table_rows[key][1:] == wanted, f"{text} of {name} is {after.table_rows[key]}, not {wanted}"

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

    def _compare_version(self, *, passes: bool) -> None:
        """After a night that published, the version has the lake as it is, and of each name one recording is current."""
        books = Books(self.mortal)
        assert all(row.verdict != (D, "AWAITING_PUBLICATION") or not passes for row in books.media if books.in_lake(row.recording))
        lake = self.mortal.study.lake
        if not passes or not any(lake.glob("P*")):
            return
        files = {path.relative_to(lake.parent).as_posix() for path in lake.glob("P*/*/*") if path.is_file()}
        version = self.mortal.archive.published()
        assert files == {f"{folder}/{name}" for folder, names in version.items() for name in names}
        with_sidecar = {path.stem for path in lake.glob("*/recordings/*.json")}
        assert {Path(name).name.partition(".")[0] for name in files if "/clinical/" not in name} == with_sidecar
        for path in PATHS:
            accepted = [row for row in books.of_path(path) if row.accepted and books.in_lake(row.recording)]
            current = [row.recording for row in accepted if not self._is_superseded(row)]
            assert current == [row.recording for row in accepted[-1:]], f"{path} has {len(current)} current recordings"

    def _is_superseded(self, row: Row) -> bool:
        sidecar = self.mortal.study.lake / str(row.participant) / "recordings" / f"{row.recording}.json"
        return Recording.read(sidecar).superseded


LedgerMachine.TestCase.settings = settings(
    max_examples=int(os.environ.get("N_EX", "30")), stateful_step_count=int(os.environ.get("N_ST", "15")), report_multiple_bugs=False, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
TestLedgerInvariant = LedgerMachine.TestCase
