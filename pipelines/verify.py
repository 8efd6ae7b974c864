"""Verify: every object rehashed, and ledger, lake, index, DVC and warehouse held against each other."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines.erase_objects import Output, outputs_at, outputs_in_history, owners
from pipelines.lake import people, recordings
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.repository import Repository, tag_name, version_name
from pipelines.stores import FolderStore, Store, Stores, damaged, md5_of, stores_of
from pipelines.study import Study
from pipelines.tombstone import read_tombstones
from pipelines.warehouse import CURRENT, open_warehouse
from schemas.faults import Fate


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at and what was wrong, one line each."""

    checked: dict[str, int]
    wrong: tuple[str, ...]

    @property
    def document(self) -> dict[str, Any]:
        """For `painlake verify --json`."""
        return {"ok": not self.wrong, "checked": self.checked, "wrong": list(self.wrong)}


def verify(study: Study) -> Verified:
    """Rehash every object that a version references, and reconcile what the parts of a study say.

    Objects that are missing because their person was erased are fine. A remote in a bucket is listed, not read.

    Args:
        study: the study; held by nobody while this runs, or what is under way shows as a difference.
    """
    repository, stores = Repository(study.root), stores_of(study)
    erased = {each.pseudonym for each in read_tombstones(study.lake)}
    outputs = {output for output in outputs_in_history(repository) if output.person not in erased}
    checked: dict[str, int] = {"versions": len(repository.versions())}
    wrong = list(_objects(stores, outputs, checked))
    ledger = Ledger(study.ledger, read_only=True) if study.ledger.is_file() else None
    try:
        dirty = set(ledger.dirty()) if ledger is not None else set()
        wrong += _remotes(repository, stores, _pushed(ledger), erased, checked)
        wrong += _lake(study, repository, stores, erased, dirty, checked)
        wrong += _index(study, dirty)
        if ledger is not None:
            wrong += _ledger(study, ledger, checked)
            wrong += _warehouse(study, ledger, checked)
    finally:
        if ledger is not None:
            ledger.close()
    return Verified(checked, tuple(wrong))


def _objects(stores: Stores, outputs: set[Output], checked: dict[str, int]) -> Iterator[str]:
    """Objects that are missing from the cache, or damaged there or at a remote in a folder."""
    owned, unread = owners(outputs, stores)
    needed = set(owned)
    checked["objects"] = len(needed)
    for store in stores.places:
        here = store.objects() & needed
        if isinstance(store, FolderStore):
            yield from (f"{oid} is damaged in the {store.name}" for oid in damaged(store, sorted(here)))
        if store is stores.cache:
            for oid in sorted(needed - here):
                whose = ", ".join(sorted(owned[oid]))
                yield f"{oid} ({whose}) is missing from the cache: `dvc fetch --all-tags` takes it from a remote"
    yield from (f"{oid} is in no store, so what it lists is unknown" for oid in sorted(unread))


def _pushed(ledger: Ledger | None) -> set[int]:
    return set() if ledger is None else {row["number"] for row in ledger.versions() if row["pushed_at"] is not None}


def _remotes(
    repository: Repository, stores: Stores, pushed: set[int], erased: set[str], checked: dict[str, int]
) -> Iterator[str]:
    """Objects that a remote lacks though the ledger says that their version was copied there."""
    of_versions: dict[str, int] = {}
    for number in sorted(pushed & set(repository.versions())):
        outputs = {output for output in outputs_at(repository, tag_name(number)) if output.person not in erased}
        for oid in owners(outputs, stores)[0]:
            of_versions.setdefault(oid, number)
    for store in stores.remotes:
        checked[f"objects at {store.name}"] = len(of_versions)
        yield from _lacking(store, of_versions)


def _lacking(store: Store, of_versions: Mapping[str, int]) -> Iterator[str]:
    for oid in sorted(of_versions.keys() - store.objects()):
        yield f"{oid} of {version_name(of_versions[oid])} is missing from the {store.name}: run `dvc push --all-tags`"


def _lake(  # noqa: PLR0913, PLR0917 - what the lake is held against
    study: Study, repository: Repository, stores: Stores, erased: set[str], dirty: set[str], checked: dict[str, int]
) -> Iterator[str]:
    """Files of the lake that are not what the last commit has, leaving out persons whose data wait for a version."""
    present = set(people(study.lake))
    yield from (f"lake/{person} is there, though the person was erased" for person in sorted(present & erased))
    outputs = [o for o in outputs_at(repository, "HEAD") if o.person not in dirty | erased]
    checked["files in the lake"] = 0
    for output in sorted(outputs, key=lambda one: one.path):
        if output.person is None:
            continue
        listed = stores.files_of(output.oid)
        if listed is None:
            continue
        folder = study.root / output.path
        found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
        found = {name: path for name, path in found.items() if not name.endswith(".partial")}
        checked["files in the lake"] += len(found)
        yield from (f"{output.path}/{name} is missing" for name in sorted(listed.keys() - found.keys()))
        yield from (f"{output.path}/{name} is in no version" for name in sorted(found.keys() - listed.keys()))
        for name in sorted(listed.keys() & found.keys()):
            if md5_of(found[name]) != listed[name]:
                yield f"{output.path}/{name} is not what the last version has"
    committed = {output.person for output in outputs if output.person is not None}
    yield from (f"lake/{person} is in no version" for person in sorted(present - committed - dirty - erased))


def _index(study: Study, dirty: set[str]) -> Iterator[str]:
    """Persons that the index has and the lake has not, or the other way round."""
    if not study.index.is_file():
        return
    indexed = set(yaml.safe_load(study.index.read_text(encoding="utf-8"))["people"])
    with_recordings = {each.participant for each in recordings(study.lake)}
    for person in sorted((indexed ^ with_recordings) - dirty):
        yield f"{person} is in only one of lake/index.yaml and the lake's recordings"


def _ledger(study: Study, ledger: Ledger, checked: dict[str, int]) -> Iterator[str]:
    """Deliveries whose fate and whose place disagree."""
    state = counts(ledger)
    checked["deliveries"] = state["landed"]
    if not state["balanced"]:
        yield "the ledger does not balance: landed is not the sum of the fates"
    entered = {entry.recording: entry.fate for entry in ledger.deliveries("media") if entry.recording is not None}
    present = {each.recording for each in recordings(study.lake)}
    for recording, fate in sorted(entered.items()):
        if fate is Fate.PUBLISHED and recording not in present:
            yield f"{recording} is published by the ledger and not in the lake"
    yield from (f"{recording} is in the lake and not in the ledger" for recording in sorted(present - entered.keys()))


def _warehouse(study: Study, ledger: Ledger, checked: dict[str, int]) -> Iterator[str]:
    """What the published file says of itself against the ledger's last version and, if nothing waits, the lake."""
    versions = ledger.versions()
    if not versions:
        return
    link = study.warehouse / CURRENT
    if not link.exists():
        yield "nothing is published: warehouse/current leads nowhere"
        return
    with open_warehouse(link.resolve()) as connection:

        def one(sql: str) -> Any:
            return (connection.execute(sql).fetchone() or (None,))[0]

        number = one("SELECT number FROM meta.dataset_version")
        if number != versions[-1]["number"]:
            yield f"warehouse/current is {version_name(number)}, the ledger's last version is {version_name(versions[-1]['number'])}"
        checked["recordings in the warehouse"] = one("SELECT count(*) FROM recordings")
        if ledger.dirty():
            return
        yield from _counts(study, one)


def _counts(study: Study, one: Callable[[str], Any]) -> Iterator[str]:
    registered = [p for p in people(study.lake) if (study.lake / p / "clinical" / "participants.parquet").is_file()]
    for table, expected in (("participants", len(registered)), ("recordings", len(recordings(study.lake)))):
        found = one(f"SELECT count(*) FROM {table}")  # noqa: S608 - the two names above
        if found != expected:
            yield f"the warehouse has {found} {table}, the lake {expected}"
