"""What a hospital may do between the runs of a study, as rules of a state machine; what lies in its folder is kept in mind."""

import hashlib
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from pipelines.landing_zone import FolderLanding
from schemas.landing import DELIVERED_TABLES
from tests.pipelines.invariant_factory import CRASHES, TWO_FACES, MortalStudy
from tests.pipelines.landing_factory import Hospital, wav

PEOPLE = ("MRN-4711001", "MRN-4711002", "MRN-4711003")
PATHS = tuple(f"recordings/{person}/V1/{name}.wav" for person in PEOPLE for name in ("anna", "bert"))
CONTENTS = {
    "first": wav(1.0),
    "second": wav(0.9),
    "third": wav(0.8),
    "empty": b"",
    "cut": wav(2.0)[:9000],
    "two faces": TWO_FACES,
    "crashes": CRASHES,
}
"""By name, so that a failing example can be read."""
GOOD = ("first", "second", "third")
RIGHT, WRONG_SUM = "right", "wrong sum"
DESCRIPTIONS = (RIGHT, RIGHT, WRONG_SUM, None)
DAY = "2026-03-{:02}T09:00:00+01:00"
TABLES = {table.name: table for table in DELIVERED_TABLES}


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


class HospitalMachine(RuleBasedStateMachine):
    """A hospital that delivers to a study."""

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
        self.seen_at = self.hospital.at
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
    def two_are_admitted(self, *, filmed: bool) -> None:
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

    @rule(person=st.sampled_from(PEOPLE), status=st.sampled_from(["given", "given", "withdrawn"]))
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
    def change_a_table(self, name: str, *, drifts: bool) -> None:
        """From now on its files have the new rows alone; or a column is renamed, or has its name again."""
        if drifts:
            self.drifted ^= {name} - {"participants"}
        else:
            self.tables[name].clear()
        self._write_table(name)

    @rule(
        path=st.sampled_from(PATHS), content=st.sampled_from(sorted(CONTENTS)), described=st.sampled_from(DESCRIPTIONS)
    )
    def deliver(self, path: str, content: str, described: str | None) -> None:
        """A new name, the same again, or other bytes under a name that is there."""
        self.hospital.write(path, CONTENTS[content])
        self.lying[path] = Lying(content, described)
        self._describe(path)

    @rule(path=st.sampled_from(PATHS), content=st.sampled_from(GOOD))
    def film(self, path: str, content: str) -> None:
        """A delivery as it should be."""
        self.deliver(path, content, RIGHT)

    @rule(paths=st.permutations(PATHS), content=st.sampled_from(sorted(CONTENTS)))
    def deliver_twice(self, paths: list[str], content: str) -> None:
        """The same bytes under two names in one night, good or broken."""
        for path in paths[:2]:
            self.deliver(path, content, RIGHT)
        self.good_night()

    @precondition(lambda self: self.lying)
    @rule(
        data=st.data(),
        described=st.sampled_from([RIGHT, WRONG_SUM, None]),
        anew=st.booleans(),
        tonight=st.booleans(),
    )
    def describe(self, data: st.DataObject, described: str | None, *, anew: bool, tonight: bool) -> None:
        """The sidecar comes later, is corrected, or goes; or the same bytes come again with it."""
        path = data.draw(st.sampled_from(sorted(self.lying)), label="path")
        content = self.lying[path].content
        if anew:
            self.deliver(path, content, described)
        self.lying[path] = Lying(content, described)
        self._describe(path)
        if tonight:
            self.good_night()

    def _describe(self, path: str) -> None:
        described, content = self.lying[path].described, self.lying[path].sha256
        if described is None:
            (self.landing.root / path).with_suffix(".json").unlink(missing_ok=True)
            return
        keys = {"sha256": "0" * 64 if described == WRONG_SUM else content}
        self.hospital.describe(path, keys)

    @precondition(lambda self: self.lying)
    @rule(data=st.data(), to=st.sampled_from(PATHS), copied=st.booleans(), tonight=st.booleans())
    def rename(self, data: st.DataObject, to: str, *, copied: bool, tonight: bool) -> None:
        """The same bytes under another name; the first may stay, or be a newer film by then."""
        path = data.draw(st.sampled_from(sorted(self.lying)), label="path")
        if path != to:
            lying = self.lying[path]
            if not copied:
                self._remove(path)
            self.deliver(to, lying.content, lying.described)
        if tonight:
            self.good_night()

    @precondition(lambda self: self.lying)
    @rule(data=st.data(), everything=st.booleans())
    def remove(self, data: st.DataObject, *, everything: bool) -> None:
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

    @property
    def delivered_since(self) -> bool:
        """Whether anything was delivered since the last run that came to its end."""
        return self.hospital.at != self.seen_at

    def good_night(self) -> None:
        """A run that nothing disturbs."""
        raise NotImplementedError
