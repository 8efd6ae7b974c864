"""Verify: every object in the cache and at the remotes, hashed where it stands and held against git's history."""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import PainLakeError
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.repository import version_name
from pipelines.stores import FolderStore, Store, Stores

_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")
_WAITING_THREADS = 16
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def reading_threads() -> int:
    """How many threads hash files: hashing is bound to the processor, reading to the disk."""
    return 2 * (os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What should be where.

    Args:
        owned: whose each object of any version is, by hash; nobody's where it is no person's.
        pushed: the first version that was copied to the remotes and has the object, by hash.
        in_lake: hashes of the files of the lake that are whole.
    """

    owned: Mapping[str, set[str]]
    pushed: Mapping[str, int]
    in_lake: set[str]


@dataclass(slots=True)
class _Place:
    store: Store
    present: set[str]
    damaged: set[str] = field(default_factory=set)


def check_objects(findings: Findings, stores: Stores, wanted: Wanted) -> None:
    """Hash every object of every store, each once, and name those that are damaged or missing.

    Args:
        findings: what is found goes there.
        stores: the cache and the remotes.
        wanted: what should be there.
    """
    places = [place for store in stores.places if (place := _listed(findings, store, wanted)) is not None]
    for place in places:
        kind = "objects" if place.store is stores.cache else f"objects at {place.store.name}"
        findings.count(kind, len(place.present))
        if not findings.quick:
            place.damaged = _damaged(findings, place)
    for place in places:
        for oid in sorted(place.damaged):
            where = f"is damaged in the {place.store.name}"
            findings.add(oid, where, _mend(oid, place, places, wanted), *wanted.owned.get(oid, ()))
        is_cache = place.store is stores.cache
        for oid in sorted((wanted.owned.keys() if is_cache else wanted.pushed.keys()) - place.present):
            _missing(findings, oid, place, places, wanted)
        known = wanted.owned.keys() | wanted.pushed.keys()
        if is_cache and (left := len(place.present - known - place.damaged)):
            findings.note(
                f"{left} objects in the cache are in no version: lists of what a stage read, or left by a killed run"
            )
    for name in stores.unreachable:
        findings.note(f"{name} was not looked into: PainLake reads remotes in folders and in S3 buckets")


def _listed(findings: Findings, store: Store, wanted: Wanted) -> _Place | None:
    if isinstance(store, FolderStore) and not store.is_there:
        if store.name != "cache" and wanted.pushed:
            findings.add(store.name, f"holds no objects at {store.root}", "mount it")
            return None
        return _Place(store, set())
    try:
        found = store.present()
    except (PainLakeError, OSError) as error:
        findings.add(store.name, f"cannot be looked into ({error})", "see that it can be reached")
        return None
    strays = {name for name in found if _OBJECT.fullmatch(name) is None}
    if strays:
        findings.note(f"{len(strays)} files in the {store.name} are no objects; a killed run leaves such")
    return _Place(store, found - strays)


def _damaged(findings: Findings, place: _Place) -> set[str]:
    threads = reading_threads() if isinstance(place.store, FolderStore) else _WAITING_THREADS
    findings.progress.phase(f"hashing the {place.store.name}", len(place.present))
    damaged = set()
    try:
        for oid, md5 in in_parallel(place.store.md5, sorted(place.present), threads):
            if md5 != oid.removesuffix(".dir"):
                damaged.add(oid)
            findings.progress.advance()
    except PainLakeError as error:
        findings.add(place.store.name, f"cannot be read to its end ({error})", "run `painlake verify` again")
    return damaged


def _missing(findings: Findings, oid: str, place: _Place, places: Iterable[_Place], wanted: Wanted) -> None:
    whose = wanted.owned.get(oid, set())
    if place.store.name == "cache":
        elsewhere = _elsewhere(oid, place, places)
        remedy = "`dvc fetch --all-tags` takes it from a remote" if elsewhere else _last_resort(oid, wanted)
        findings.add(oid, "is missing from the cache", remedy, *whose)
    else:
        name = f"{oid} of {version_name(wanted.pushed[oid])}"
        findings.add(name, f"is missing from the {place.store.name}", _put_back(oid, place, places), *whose)


def _elsewhere(oid: str, place: _Place, places: Iterable[_Place]) -> list[str]:
    """The other stores that have an object whole."""
    others = (other for other in places if other is not place)
    return [other.store.name for other in others if oid in other.present - other.damaged]


def _mend(oid: str, place: _Place, places: Iterable[_Place], wanted: Wanted) -> str:
    """How a damaged object is put right; DVC trusts what is there, so that has to go first."""
    remove = f"remove {place.store.place(oid)}"
    if oid not in wanted.owned and oid not in wanted.pushed:
        return f"{remove}; no version has it"
    elsewhere = _elsewhere(oid, place, places)
    if place.store.name == "cache":
        if any(name != "cache" for name in elsewhere):
            return f"{remove}, then run `dvc fetch --all-tags`"
        return f"{remove}, then {_last_resort(oid, wanted)}"
    return f"{remove}, then {_put_back(oid, place, places)}"


def _put_back(oid: str, place: _Place, places: Iterable[_Place]) -> str:
    """How an object gets to a remote again; `dvc push` passes over the files of a folder that it pushed before."""
    cache = next(other for other in places if other.store.name == "cache")
    if oid not in cache.present - cache.damaged:
        return "mend the cache first, and look again"
    source, target = cache.store.place(oid), place.store.place(oid)
    copy = "aws s3 cp" if target.startswith("s3://") else "install -D -m 0444"
    return f"run `{copy} {source} {target}`"


def _last_resort(oid: str, wanted: Wanted) -> str:
    if oid in wanted.in_lake:
        return "run `dvc commit --force`: the lake has it"
    return "take it from a backup: neither lake nor remote has it"


def check_runs(findings: Findings, cache: FolderStore) -> None:
    """Name the damaged entries of DVC's run cache, which it files under a digest of what they say."""
    for path in sorted((cache.root / "runs").glob("??/*/*")):
        if path.is_file() and _digest_of_run(path) != path.name:
            name = path.relative_to(cache.root).as_posix()
            findings.add(name, "is damaged in the cache of DVC's runs", f"remove {path}: DVC can do without it")


def _digest_of_run(path: Path) -> str | None:
    """What DVC calls an entry: a digest of its values, sizes left out (`dvc.stage.cache`)."""
    try:
        values = _without_sizes(yaml.load(path.read_bytes(), Loader=_LOADER))  # noqa: S506 - a safe loader
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        return None


def _without_sizes(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_sizes(each) for key, each in value.items() if key not in {"size", "nfiles"}}
    return [_without_sizes(each) for each in value] if isinstance(value, list) else value
