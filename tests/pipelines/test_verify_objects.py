import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import PainLakeError
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.stores import FolderStore, Stores
from pipelines.verify_objects import Wanted, check_objects, check_runs


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    """A cache and a remote with the same three objects."""
    both = [FolderStore(name, tmp_path / name) for name in ("cache", "remote store")]
    for store in both:
        for content in (b"one", b"two", b"three"):
            put(store, content)
    return Stores(both[0], (both[1],))


def put(store: FolderStore, content: bytes) -> str:
    path = store.path(oid_of(content))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return oid_of(content)


def oid_of(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


ONE, TWO, THREE = (oid_of(content) for content in (b"one", b"two", b"three"))
WANTED = Wanted({ONE: {"P1"}, TWO: {"P2", "P1"}, THREE: {"P3"}}, {ONE: 1, TWO: 1, THREE: 2}, set())


def looked(stores: Stores, wanted: Wanted = WANTED, *, quick: bool = False) -> Findings:
    findings = Findings(quick=quick)
    check_objects(findings, stores, wanted)
    return findings


def remote_of(stores: Stores) -> FolderStore:
    (remote,) = stores.remotes
    assert isinstance(remote, FolderStore)
    return remote


def test_whole_objects_are_counted_and_nothing_is_wrong(stores: Stores) -> None:
    found = looked(stores)
    assert (found.wrong, found.checked) == ([], {"objects": 3, "objects at remote store": 3})


def test_a_damaged_object_says_whose_it_is_and_where_a_whole_copy_is(stores: Stores) -> None:
    stores.cache.path(TWO).write_bytes(b"twp")
    (finding,) = looked(stores).wrong
    assert (finding.name, finding.whose, finding.problem) == (TWO, ("P1", "P2"), "is damaged in the cache")
    assert "`dvc fetch --all-tags`" in finding.remedy


def test_a_damaged_object_at_a_remote_is_put_back_from_the_cache(stores: Stores) -> None:
    remote = remote_of(stores)
    remote.path(ONE).write_bytes(b"")
    (finding,) = looked(stores).wrong
    assert finding.problem == "is damaged in the remote store"
    assert f"install -D -m 0444 {stores.cache.path(ONE)} {remote.path(ONE)}" in finding.remedy


def test_where_every_copy_is_damaged_it_says_so(stores: Stores) -> None:
    for store in (stores.cache, remote_of(stores)):
        store.path(ONE).write_bytes(b"spoilt")
    in_cache, at_remote = looked(stores).wrong
    assert "take it from a backup" in in_cache.remedy
    assert "mend the cache first" in at_remote.remedy
    in_cache, _ = looked(stores, Wanted(WANTED.owned, WANTED.pushed, {ONE})).wrong
    assert "the lake has it" in in_cache.remedy


@pytest.mark.parametrize("quick", [False, True])
def test_missing_objects_are_named_but_for_those_that_no_version_needs(stores: Stores, *, quick: bool) -> None:
    stores.cache.remove(ONE)
    remote_of(stores).remove(THREE)
    findings = looked(stores, Wanted({ONE: {"P1"}, TWO: set()}, {THREE: 2}, set()), quick=quick)
    assert [(each.name, each.problem) for each in findings.wrong] == [
        (ONE, "is missing from the cache"),
        (f"{THREE} of v0002", "is missing from the remote store"),
    ]


def test_a_quick_look_reads_no_object(stores: Stores) -> None:
    stores.cache.path(TWO).write_bytes(b"twp")
    assert looked(stores, quick=True).wrong == []


def test_a_remote_that_is_away_is_one_finding_unless_nothing_was_copied_to_it(stores: Stores, tmp_path: Path) -> None:
    (tmp_path / "remote store").rename(tmp_path / "away")
    (finding,) = looked(stores).wrong
    assert (finding.name, "mount it" in finding.remedy) == ("remote store", True)
    assert looked(stores, Wanted(WANTED.owned, {}, set())).wrong == []


def test_objects_of_no_version_and_files_that_are_no_objects_are_notes(stores: Stores) -> None:
    put(stores.cache, b"of nobody")
    (stores.cache.root / "files" / "md5" / "ab").mkdir()
    (stores.cache.root / "files" / "md5" / "ab" / "half.tmp").write_bytes(b"left")
    found = looked(stores)
    assert found.wrong == []
    assert len(found.notes) == 2


def test_a_damaged_object_of_no_version_is_named_all_the_same(stores: Stores) -> None:
    stores.cache.path(put(stores.cache, b"of nobody")).write_bytes(b"spoilt")
    (finding,) = looked(stores).wrong
    assert "no version has it" in finding.remedy


def test_an_entry_of_the_run_cache_goes_by_the_digest_of_its_values(stores: Stores) -> None:
    values = {"cmd": "painlake stage face P1", "outs": [{"path": "lake/P1/face", "md5": "ab.dir"}]}
    name = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    path = stores.cache.root / "runs" / "ab" / "abcd" / name
    path.parent.mkdir(parents=True)
    text = "cmd: painlake stage face P1\nouts:\n- path: lake/P1/face\n  md5: ab.dir\n  size: 7\n"
    for content, wrong in ((text, []), (text.replace("ab.dir", "ac.dir"), [name]), ("cmd: [", [name])):
        path.write_text(content)
        findings = Findings()
        check_runs(findings, stores.cache)
        assert [finding.name.rpartition("/")[2] for finding in findings.wrong] == wrong


def test_work_in_threads_comes_in_the_order_of_the_items_and_raises_what_it_raised() -> None:
    def halved(number: int) -> int:
        if number == 40:
            raise PainLakeError("no")
        return number // 2

    found = in_parallel(halved, iter(range(100)), 3)
    assert [next(found) for _ in range(40)] == [(number, number // 2) for number in range(40)]
    with pytest.raises(PainLakeError):
        next(found)


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def many() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    assert next(in_parallel(str, many(), 2)) == (0, "0")
    assert len(taken) <= 8
