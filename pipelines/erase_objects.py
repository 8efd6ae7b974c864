"""The project's own index: which objects are whose, over all versions that git knows.

DVC cannot delete one person from its history (treeverse/dvc issues 4903, 2036, 4218): it collects what no kept version
needs, and every version needs everyone. So the hashes are read from git's whole history of `dvc.lock` and the `.dvc`
files, each folder's object is opened, and a hash that another person's outputs share stays.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

from pipelines.repository import Repository
from pipelines.stores import Stores
from pipelines.study import Study

_PERSON = re.compile(r"lake/([^/]+)/")
TRACKED = re.compile(r"(?:.*/)?dvc\.lock|.*\.dvc")


@dataclass(frozen=True, slots=True)
class Output:
    """An output that some version has: what it is called, its object, and whose it is (None for nobody's)."""

    path: str
    oid: str
    person: str | None


@dataclass(frozen=True, slots=True)
class OfPerson:
    """The objects of a person.

    Args:
        own: hashes that only this person's outputs have, and so must go; sorted.
        shared: hashes that others' have too; sorted.
        unread: folders' objects that no store has, so that what they list is unknown; sorted.
        unreferenced: hashes in the cache that no version and no work in progress needs; sorted.
    """

    own: tuple[str, ...]
    shared: tuple[str, ...]
    unread: tuple[str, ...]
    unreferenced: tuple[str, ...]


def outputs_in_history(repository: Repository) -> set[Output]:
    """All cached outputs of every commit that git knows, reflog included, and of the files as they stand."""
    found: set[Output] = set()
    for path, content in repository.texts_in_history(TRACKED):
        found.update(outputs_in(path, content))
    return found


def outputs_at(repository: Repository, revision: str) -> set[Output]:
    """All cached outputs of one commit."""
    found: set[Output] = set()
    for path, content in repository.texts_at(revision, TRACKED):
        found.update(outputs_in(path, content))
    return found


def new_outputs(repository: Repository, revision: str, before: str | None) -> tuple[set[Output], set[Output]]:
    """The outputs of a commit that an earlier one has not, and those that the earlier one had in their places.

    What is the same in both is not read: of the `.dvc` files the others, of `dvc.lock` the stages that differ.

    Args:
        repository: the study's.
        revision: of the commit.
        before: of the earlier one; None gives all outputs.
    """
    if before is None:
        return outputs_at(repository, revision), set()
    here, there = repository.tracked(revision), repository.tracked(before)
    changed = {path for path, blob in here.items() if there.get(path) != blob and TRACKED.fullmatch(path)}
    texts = dict(repository.texts_of(here, changed))
    earlier = dict(repository.texts_of(there, changed & there.keys()))
    found: tuple[set[Output], set[Output]] = (set(), set())
    for path, text in texts.items():
        for outputs, one in zip(found, _differing(path, text, earlier.get(path, "")), strict=True):
            outputs.update(outputs_in(path, one))
    return found


_STAGE = re.compile(r"^(?=  [^\s#].*:$)", re.MULTILINE)
"""Where a stage begins in `dvc.lock`."""


def _differing(path: str, text: str, earlier: str) -> tuple[str, str]:
    """Two texts of a `dvc.lock`, each without the stages that stand in the other word for word; others as they are."""
    if not path.endswith("dvc.lock") or not earlier:
        return text, earlier
    head, *stages = _STAGE.split(text)
    head_before, *stages_before = _STAGE.split(earlier)
    new, old = set(stages), set(stages_before)
    return (
        head + "".join(each for each in stages if each not in old),
        head_before + "".join(each for each in stages_before if each not in new),
    )


def outputs_in(path: str, content: str) -> set[Output]:
    """The outputs that a `dvc.lock` or a `.dvc` file names.

    Args:
        path: of the file, in the study; a `.dvc` file's outputs stand beside it.
        content: its text.
    """
    document = yaml.safe_load(content) or {}
    folder = "" if path.endswith("dvc.lock") else path.rpartition("/")[0]
    stages: Iterable[Mapping[str, list[dict[str, str]]]] = (
        (document.get("stages") or {}).values() if path.endswith("dvc.lock") else [document]
    )
    found = set()
    for stage in stages:
        for out in stage.get("outs", []):
            place = f"{folder}/{out['path']}".lstrip("/")
            person = _PERSON.match(f"{place}/")
            if "md5" in out:
                found.add(Output(place, out["md5"], None if person is None else person[1]))
    return found


def owners(outputs: Iterable[Output], stores: Stores) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Whose each object is.

    Returns:
        The persons by hash; and the persons by the hash of each folder's object that no store has.
    """
    owned: dict[str, set[str]] = defaultdict(set)
    unread: dict[str, set[str]] = defaultdict(set)
    for output in outputs:
        if output.person is None:
            continue
        owned[output.oid].add(output.person)
        if output.oid.endswith(".dir"):
            files = stores.files_of(output.oid)
            if files is None:
                unread[output.oid].add(output.person)
            for oid in (files or {}).values():
                owned[oid].add(output.person)
    return owned, unread


def objects_of(study: Study, repository: Repository, stores: Stores, person: str, erased: set[str]) -> OfPerson:
    """The objects of a person over all versions.

    Args:
        study: the study; a cache outside its folder may serve others, so nothing unreferenced is taken there.
        repository: its git repository.
        stores: its cache and remotes.
        person: the pseudonym.
        erased: pseudonyms of those erased before: their claims keep nothing.
    """
    outputs = outputs_in_history(repository)
    owned, unread = owners(outputs, stores)
    others = {oid: {*whose} - erased - {person} for oid, whose in owned.items() if person in whose}
    of_nobody: set[str] = set()
    if stores.cache.root.resolve().is_relative_to(study.root.resolve()):
        of_nobody = stores.cache.objects() - owned.keys() - {output.oid for output in outputs}
    return OfPerson(
        tuple(sorted(oid for oid, whose in others.items() if not whose)),
        tuple(sorted(oid for oid, whose in others.items() if whose)),
        tuple(sorted(oid for oid, whose in unread.items() if person in whose)),
        tuple(sorted(of_nobody)),
    )
