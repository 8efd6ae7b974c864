"""Whatever lands in whatever order, and wherever a run is killed: nothing is lost, and the ledger adds up.

A machine delivers, renames, withdraws, erases, releases and kills at random, and keeps a model of its own of what it
delivered. What is real in its nights and what is not stands in `tests.pipelines.invariant_factory`.
"""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule

from pipelines.recording import Recording
from schemas.faults import Fate
from tests.pipelines.invariant_books import Books, Row
from tests.pipelines.invariant_hospital import PATHS, PEOPLE, person_of
from tests.pipelines.invariant_model import D, Model, P, Q


class LedgerMachine(Model):
    """The hospital, the engineer and bad luck."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(self.mortal)
        self.checked = False

    def _look(self) -> None:
        """Open the books again: only the engineer's doings change them."""
        self.books, self.checked = Books(self.mortal), False

    # --- the engineer, and bad luck ---

    @rule(passes=st.sampled_from([True, True, True, False]))
    def night(self, *, passes: bool) -> None:
        before = self.books
        assert self.mortal.night(passes=passes)
        self._look()
        self._settle_what_was_erased()
        self._follow_night(before, self.books, passes=passes)
        self._compare_version(passes=passes)

    @rule()
    def good_night(self) -> None:
        """As most are."""
        self.night(passes=True)

    @rule()
    def another_good_night(self) -> None:
        """Rules are drawn alike: a run is as likely as a delivery."""
        self.night(passes=True)

    @rule(steps=st.integers(0, 120), passes=st.sampled_from([True, True, False]))
    def killed_night(self, steps: int, *, passes: bool) -> None:
        before = self.books
        ended = self.mortal.night(steps, passes=passes)
        self._look()
        if ended:
            self._settle_what_was_erased()
            self._follow_night(before, self.books, passes=passes)
        else:
            self._be_unsure()

    def _be_unsure(self) -> None:
        self.maybe |= {(path, sha) for path, lying in self.lying.items() for sha in (None, lying.sha256)}
        for name in self.tables:
            self.maybe_rows[name] |= self._texts(name)

    @precondition(lambda self: self._known() and not self.gone)
    @rule(data=st.data(), steps=st.none() | st.integers(0, 100))
    def erase(self, data: st.DataObject, steps: int | None) -> None:
        person = data.draw(st.sampled_from(self._known()), label="who")
        self.in_limbo.add(person)
        ended = self.mortal.erase(person, steps)
        self._look()
        if ended:
            self._settle_what_was_erased()

    def _known(self) -> list[str]:
        return [person for person in PEOPLE if self.books.vault.person(person) is not None]

    def _settle_what_was_erased(self) -> None:
        """An erasure that was killed is ended by the next night, unless it was killed before it had begun."""
        books = self.books
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
        found = sum(row.fate == Fate.ERASED for row in self.books.of_path(path))
        assert len(sure) - bool(self.maybe) <= found - self.erased[path] <= len(possible)
        return found

    @precondition(lambda self: self._quarantined())
    @rule(data=st.data(), steps=st.none() | st.integers(0, 10))
    def release(self, data: st.DataObject, steps: int | None) -> None:
        delivery = data.draw(st.sampled_from(self._quarantined()), label="what")
        self.mortal.release([delivery], steps)
        self._look()

    def _quarantined(self) -> list[str]:
        return [row.delivery for row in self.books.rows if row.fate == Q]

    # --- what must have become of it all ---

    @invariant()
    def everything_adds_up(self) -> None:
        """After each step that may have changed anything; what the hospital does alone changes nothing."""
        if not self.checked:
            self.books.check()
            self.each_delivery_has_one_row()
            self.each_row_of_a_table_has_one_fate()
            self.checked = True

    def each_delivery_has_one_row(self) -> None:
        books = self.books
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

    def each_row_of_a_table_has_one_fate(self) -> None:
        books = self.books
        for name in self.tables:
            of_table = {digest for table, digest in books.table_rows if table == name}
            sure, possible = (
                {books.vault.digest("row", name, *each.split("\x1f")) for each in known}
                for known in (self.rows[name], self.rows[name] | self.maybe_rows[name])
            )
            if not self.in_limbo:
                assert sure <= of_table, f"a row of {name} is lost"
            assert of_table <= possible, f"the ledger has a row of {name} that was not delivered"

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
        self.unread = {
            path for path in PATHS if any(row.sha256 is None and row.fate != Fate.ERASED for row in after.of_path(path))
        } & (self.unread | {path for path, sha in self.maybe if sha is None})
        self.maybe.clear()
        self.seen_at = self.hospital.at
        self._follow_tables(before, after)

    def _follow_tables(self, before: Books, after: Books) -> None:
        for name in self.tables:
            for text in self.maybe_rows[name]:
                if (name, after.vault.digest("row", name, *text.split("\x1f"))) in after.table_rows:
                    self.rows[name].add(text)
            self.maybe_rows[name] = {
                each for each in self.maybe_rows[name] if any(person in each for person in self.gone)
            }
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

    def _compare_version(self, *, passes: bool) -> None:
        """After a night that published, the version has the lake as it is, and of each name one recording is current."""
        books = self.books
        assert all(
            row.verdict != (D, "AWAITING_PUBLICATION") or not passes
            for row in books.media
            if books.in_lake(row.recording)
        )
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


class LongerLedgerMachine(LedgerMachine):
    """The same, for longer."""


def _settings(examples: int, steps: int) -> settings:
    # Not shrunk: that takes minutes, and a failing example is short enough to be read as it is.
    return settings(
        max_examples=examples,
        stateful_step_count=steps,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )


LedgerMachine.TestCase.settings = _settings(40, 16)
LongerLedgerMachine.TestCase.settings = _settings(150, 25)
TestLedgerInvariant = LedgerMachine.TestCase
TestLongerLedgerInvariant = pytest.mark.crash(LongerLedgerMachine.TestCase)
