"""What must hold after every night, whatever was delivered; each check tells what does not, in words."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines import ledger_counts
from pipelines.csvfile import read_csv
from pipelines.deliveries import Delivery
from pipelines.errors import Rejection
from pipelines.night import Night
from pipelines.stages import MEDIA_STAGES
from pipelines.study import Study
from schemas.faults import FAULTS, Effect, Fate
from schemas.landing import DELIVERED_TABLES
from tests.fuzz.mutations import Mutant
from tests.fuzz.originals import NEIGHBOURS, OTHER, PATIENT, media, tables

_PROBE_BYTES = 48


def listing(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Path -> size, time of change and SHA-256."""
    return {
        str(path.relative_to(folder)): (path.stat().st_size, path.stat().st_mtime_ns, _sha256(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def features(study: Study) -> dict[str, str]:
    """Path in the lake -> SHA-256 of each feature file."""
    folders = {stage.folder for stage in MEDIA_STAGES}
    return {
        str(path.relative_to(study.lake)): _sha256(path)
        for path in sorted(study.lake.rglob("*.parquet"))
        if path.parent.name in folders
    }


def differing(reference: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Feature files of neighbours that are missing, or other than without the damaged files."""
    return [f"a neighbour's {path} is another" for path, sha256 in reference.items() if found.get(path) != sha256]


def leaks(study: Study) -> list[str]:
    """Files outside landing and vault that hold a hospital's ID or a piece of a recording."""
    probes = [PATIENT.encode(), OTHER.encode()]
    for content in (*media().values(), *(make() for make in NEIGHBOURS.values())):
        pieces = [content[len(content) * at // 8 :][:_PROBE_BYTES] for at in range(1, 7)]
        # A piece of a few values could stand anywhere.
        probes += [piece for piece in pieces if len(set(piece)) > _PROBE_BYTES // 2]
    readable = {study.root / "landing", study.vault}
    return [
        f"{path.relative_to(study.root)} holds something readable"
        for path in sorted(study.root.rglob("*"))
        if path.is_file() and not readable & set(path.parents) and _holds(path.read_bytes(), probes)
    ]


def _holds(content: bytes, probes: list[bytes]) -> bool:
    return any(probe in content for probe in probes)


@dataclass(frozen=True, slots=True)
class Books:
    """Ledger and quarantine of a study after its night."""

    night: Night

    def _rows(self, path: str) -> list[Delivery]:
        return self.night.ledger.by_name(self.night.desk.vault.digest("name", path))

    def entry(self, path: str) -> Delivery | None:
        """The one row of a delivered file."""
        rows = self._rows(path)
        return rows[0] if len(rows) == 1 else None

    def check(self, path: str, content: bytes) -> list[str]:
        """One row, one fate, codes that fit it, and the same bytes back from quarantine."""
        rows = self._rows(path)
        if len(rows) != 1:
            return [f"it has {len(rows)} rows"]
        entry = rows[0]
        effects = {FAULTS[code].effect for code in entry.codes}
        found = [] if ledger_counts.counts(self.night.ledger)["balanced"] else ["the ledger does not balance"]
        if (entry.fate is Fate.QUARANTINED) is not (Effect.QUARANTINE in effects):
            found.append(f"it is {entry.fate} with {entry.codes}")
        if entry.fate is Fate.QUARANTINED:
            kept = self.night.desk.quarantine.fetch(entry.delivery)
            if kept is None or kept[:2] != (path, content):
                found.append("it cannot be had back as it landed")
        return found

    def check_neighbours(self, *, published: bool) -> list[str]:
        """Each good delivery is published, or at least accepted."""
        wanted = Fate.PUBLISHED if published else Fate.DEFERRED
        entries = {path: self.entry(path) for path in NEIGHBOURS}
        return [
            f"the neighbour {path} is {entry.fate if entry else 'lost'} {entry.reasons if entry else ''}"
            for path, entry in entries.items()
            if entry is None or entry.fate is not wanted or entry.recording is None
        ]

    def check_rows(self, mutant: Mutant) -> list[str]:
        """Every row of every table has one fate, and there are as many as its file has."""
        counts = ledger_counts.counts(self.night.ledger)["tables"]
        found = []
        for table in DELIVERED_TABLES:
            name = f"{table.name}.csv"
            content = mutant.content if name == mutant.target else tables()[name]
            try:
                landed = len(read_csv(content, table, self.night.desk.zone))
            except Rejection:
                landed = 0
            of_table = counts.get(table.name, {"landed": 0})
            if of_table["landed"] != landed or sum(of_table.get(fate.value, 0) for fate in Fate) != landed:
                found.append(f"of {landed} rows of {table.name} the ledger has {of_table}")
        return found


@contextmanager
def books(study: Study) -> Iterator[Books]:
    """Open the books of a study."""
    night = Night.open(study)
    try:
        yield Books(night)
    finally:
        night.close()
