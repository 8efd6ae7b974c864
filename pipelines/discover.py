"""Looking into the landing zone: what is there, what is new. Reads names and times, not one byte of a file."""

import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from pipelines.deliveries import Delivery, Kind
from pipelines.landing_zone import LandedFile
from pipelines.waiting import waited
from schemas.faults import Fate
from schemas.landing import DELIVERED_TABLES, MEDIA_SUFFIXES

_UPLOADING = (".part", ".partial", ".tmp", ".temp", ".filepart", ".crdownload", ".download")
"""What uploading programs name a file until it is whole: it has not landed yet."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A delivered file that is to be looked at, with its sidecar."""

    kind: Kind
    file: LandedFile
    sidecar: LandedFile | None = None

    @property
    def stamp(self) -> str:
        """Changes when the file or its sidecar changes."""
        return f"{self.file.stamp}|{'-' if self.sidecar is None else self.sidecar.stamp}"

    @property
    def suffix(self) -> str:
        """The media file's ending, in lower case."""
        return PurePosixPath(self.file.path).suffix.lower()


@dataclass(frozen=True, slots=True)
class Discovery:
    """What a look into the landing zone found.

    Args:
        candidates: files that are new, changed, or whose waiting is over.
        tables: all delivered tables that are there; read only if `tables_changed`.
        paths: of everything that is there.
        unlistable: folders that cannot be listed.
    """

    candidates: tuple[Candidate, ...]
    tables: dict[str, LandedFile]
    tables_changed: bool
    paths: frozenset[str] = frozenset()
    unlistable: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether there is something to do."""
        return bool(self.candidates) or self.tables_changed


@dataclass(frozen=True, slots=True)
class Look:
    """What a look into the landing zone compares it with.

    Args:
        known: the latest delivery under each name's digest.
        digest: of a path.
        lake: to see which accepted recordings a killed run left undone.
        now: the time of this look.
        orphan_after: how long a file may wait for its other half.
        waiting: all deferred deliveries.
    """

    known: Mapping[str, Delivery]
    digest: Callable[[str], str]
    lake: Path
    now: datetime
    orphan_after: timedelta
    waiting: Sequence[Delivery] = ()

    def at(self, files: list[LandedFile]) -> Discovery:
        """Compare a listing with the ledger."""
        tables = table_files(files)
        in_tables = {file.path for file in tables.values()}
        candidates = _pair([file for file in files if file.path not in in_tables])
        entries = [self._entry(file) for file in tables.values()]
        pairs = zip(entries, tables.values(), strict=True)
        changed = any(e is None or e.stamp != f.stamp or e.fate is Fate.DEFERRED for e, f in pairs)
        # One that was released is read again though its file has gone.
        changed = changed or any(e.kind == "table" and "RELEASED" in e.codes for e in self.waiting)
        return Discovery(
            tuple(each for each in candidates if self._is_due(each)),
            tables,
            changed,
            frozenset(file.path for file in files),
            tuple(file.path for file in files if not file.listable),
        )

    def _entry(self, file: LandedFile) -> Delivery | None:
        return self.known.get(self.digest(file.path))

    def _is_due(self, candidate: Candidate) -> bool:
        """Whether a file is new, or must be looked at again."""
        if candidate.kind == "other" and candidate.suffix == ".json" and self._is_left_over(candidate.file.path):
            return False
        entry = self._entry(candidate.file)
        if entry is None or entry.stamp != candidate.stamp:
            return True
        if entry.fate is not Fate.DEFERRED or not candidate.file.listable:
            return False
        if entry.recording is not None and entry.participant is not None:
            return not (self.lake / entry.participant / "recordings" / f"{entry.recording}.json").is_file()
        if "WAITING_PAIR" in entry.codes:
            return waited(entry.first_seen, self.now) >= self.orphan_after
        return True

    def _is_left_over(self, path: str) -> bool:
        """Whether a sidecar's media file has come, with it, and gone again."""
        known = (self.known.get(self.digest(media)) for media in media_of(path))
        return any(entry is not None and has_sidecar(entry) for entry in known)


def media_of(sidecar: str) -> list[str]:
    """The names that a sidecar's media file may have.

    >>> media_of("a.json")[:3], media_of("a.mp4.json")[-1]
    (['a.mp4', 'a.MP4', 'a.mov'], 'a.mp4')
    """
    path = PurePosixPath(sidecar)
    endings = [ending for suffix in MEDIA_SUFFIXES for ending in (suffix, suffix.upper())]
    return [*(str(path.with_suffix(ending)) for ending in endings), str(path.with_suffix(""))]


def has_sidecar(media: Delivery) -> bool:
    """Whether a delivery was read together with its sidecar."""
    alone = {"ORPHAN", "VANISHED", "UNREADABLE", "RESOURCE_LIMIT"} & set(media.codes)
    settled = media.fate in {Fate.PUBLISHED, Fate.DUPLICATE}
    return media.kind == "media" and (settled or (media.fate is Fate.QUARANTINED and not alone))


def table_files(files: Iterable[LandedFile]) -> dict[str, LandedFile]:
    """The delivered tables that are there, by name, in the order in which they must be read."""
    by_path = {file.path.lower(): file for file in files if file.regular}
    return {t.name: by_path[f"{t.name}.csv"] for t in DELIVERED_TABLES if f"{t.name}.csv" in by_path}


def _pair(files: list[LandedFile]) -> list[Candidate]:
    """Media with their sidecars, sidecars alone, and what is neither; sorted by path."""
    sidecars = {file.path: file for file in files if file.path.lower().endswith(".json")}
    paired: set[str] = set()
    found = []
    for file in files:
        if file.path in sidecars:
            continue
        path = PurePosixPath(file.path)
        ending = path.suffix
        if ending.lower() in _UPLOADING:
            continue
        if ending.lower() not in MEDIA_SUFFIXES:
            found.append(Candidate("other", file))
            continue
        without = file.path.removesuffix(ending)
        names = (f"{without}.json", f"{file.path}.json", f"{without}.JSON")
        sidecar = next((sidecars[name] for name in names if name in sidecars), None)
        if sidecar is not None:
            paired.add(sidecar.path)
        found.append(Candidate("media", file, sidecar))
    found.extend(Candidate("other", file) for path, file in sidecars.items() if path not in paired)
    return sorted(found, key=lambda candidate: candidate.file.path)


def is_plain(path: str) -> bool:
    r"""Whether a path is made of visible, normalised characters and leads nowhere else.

    >>> is_plain("recordings/007/v1/a.mp4"), is_plain("recordings/../a.mp4"), is_plain("a\u202e.mp4")
    (True, False, False)
    """
    parts = path.split("/")
    if any(part in {"", ".", ".."} for part in parts) or "\\" in path or len(path.encode(errors="replace")) > 1000:
        return False
    visible = all(unicodedata.category(character) not in {"Cc", "Cf", "Co", "Cn", "Cs"} for character in path)
    return visible and unicodedata.normalize("NFC", path) == path
