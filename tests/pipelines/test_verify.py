"""Verify on a whole versioned study: one changed bit in any durable file is found, and nothing else is named."""

import contextlib
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.checkout import checkout
from pipelines.errors import RunInProgressError
from pipelines.ledger import Ledger
from pipelines.repository import Repository
from pipelines.stores import FolderStore, stores_of
from pipelines.study import Study
from pipelines.vault_care import back_up
from pipelines.verify import Verified, verify
from tests.pipelines.erase_factory import PERSON, erase, make
from tests.pipelines.lake_factory import pseudonym

pytestmark = pytest.mark.slow

KINDS = {
    "recordings": r"study/lake/P\w+/recordings/.*\.age",
    "sidecars": r"study/lake/P\w+/recordings/.*\.json",
    "features": r"study/lake/P\w+/(quality|face|voice|aligned)/.*",
    "clinical tables": r"study/lake/P\w+/clinical/.*",
    "index and tombstones": r"study/lake/\w+\.yaml",
    "DVC's files": r"study/(dvc\.lock|dvc\.yaml|\.dvcignore|\.dvc/config|lake/P\w+/\w+\.dvc)",
    "parameters": r"study/params\.yaml",
    "lists of ignored files": r"study/(.*/)?\.gitignore",
    "reports": r"study/reports/\w+\.json",
    "objects in the cache": r"study/\.dvc/cache/files/.*",
    "objects at the remote": r"remote/files/.*",
    "DVC's run cache": r"study/\.dvc/cache/runs/.*",
    "git objects": r"study/\.git/objects/.*",
    "git references": r"study/\.git/(HEAD|index|packed-refs|refs/.*)",
    "ledger": r"study/state/ledger\.(sqlite|seal)",
    "audit log": r"study/state/audit\.log",
    "quarantine": r"study/state/quarantine/.*",
    "receipts": r"study/state/receipts/.*",
    "vault": r"(study/vault|backups)/.*",
    "warehouse": r"study/warehouse/.*",
}
"""Every durable file is of one of these kinds."""

UNCHECKED = re.compile(
    r"study/(\.git/(hooks|logs|info|config|description|COMMIT_EDITMSG)|\.dvc/tmp|landing"
    r"|state/(lock|checked\.sqlite|painlake\.log|ledger\.sqlite-(shm|wal)))"
)
"""As the module says: nothing knows how these should be, or they are made again."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """After two versions, with quarantine and remote; then a backup of the vault, and an erasure with a third version."""
    root = tmp_path_factory.mktemp("verify")
    made = make(root)
    made.ledger.close()
    # As after somebody's `dvc repro`: DVC then keeps which inputs gave which outputs.
    Repository(made.study.root).dvc("commit", "--force")
    (root / "backups").mkdir()
    back_up(made.study, root / "backups", 30)
    erase(made.study.root)
    return made.study


def files_of(study: Study) -> dict[str, Path]:
    """Every file of the study and of what stands beside it, but for what nothing knows."""
    around = study.root.parent
    found = {path.relative_to(around).as_posix(): path for path in sorted(around.rglob("*")) if path.is_file()}
    return {name: path for name, path in found.items() if not UNCHECKED.match(name) and not path.is_symlink()}


@contextlib.contextmanager
def changed(path: Path, content: bytes) -> Iterator[None]:
    """A file with other content, and with the times and rights that it had; then as it was."""
    before, stat = path.read_bytes(), path.stat()

    def put(what: bytes) -> None:
        path.chmod(0o644 | stat.st_mode)
        path.write_bytes(what)
        path.chmod(stat.st_mode)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))

    put(content)
    try:
        yield
    finally:
        put(before)


def copied(study: Study, folder: Path) -> Study:
    """A copy with a remote of its own, for what is not put back."""
    shutil.copytree(study.root.parent, folder / "copy", symlinks=True)
    return Study(folder / "copy" / "study")


def flipped(content: bytes, kind: str, chance: random.Random) -> bytes:
    places = list(range(len(content)))
    if kind == "git objects":
        # The last bits before zlib's checksum may be padding, which inflates to nothing.
        del places[-5]
    if kind == "DVC's run cache":
        # DVC's digest leaves sizes out.
        sizes = [match.span() for match in re.finditer(rb"\n *(size|nfiles): \d+\n", content)]
        places = [place for place in places if not any(begin <= place < end for begin, end in sizes)]
    flipped_one = bytearray(content)
    flipped_one[chance.choice(places)] ^= 1 << chance.randrange(8)
    return bytes(flipped_one)


def name_in_finding(name: str) -> str:
    """What a finding calls a file: objects by their hash, what stands in the study by its path there."""
    _, is_object, place = name.partition("files/md5/")
    if is_object:
        return place.replace("/", "")
    return name.partition("/")[2].removeprefix(".dvc/cache/")


def say_which(found: Verified, name: str) -> bool:
    """Whether exactly this file is named."""
    if len(found.findings) != 1:
        return False
    (finding,) = found.findings
    # Where git itself does not start any more, no more than that can be said.
    is_gits = name.startswith("study/.git/") and finding.name == ".git"
    return is_gits or name_in_finding(name) in finding.line.partition(": ")[0]


def test_a_study_is_whole_after_two_nights_a_backup_and_an_erasure(whole: Study) -> None:
    found = verify(whole)
    assert found.wrong == ()
    assert found.document["ok"] is True
    assert {"objects", "objects at remote store", "files in the lake", "git objects"} <= found.checked.keys()
    assert verify(whole, quick=True).wrong == ()


def test_every_durable_file_is_of_a_kind_that_is_checked(whole: Study) -> None:
    names = files_of(whole)
    unknown = [name for name in names if not any(re.fullmatch(kind, name) for kind in KINDS.values())]
    assert unknown == []
    assert [kind for kind, pattern in KINDS.items() if not any(re.fullmatch(pattern, name) for name in names)] == []


@pytest.mark.parametrize("most", [6, pytest.param(None, marks=pytest.mark.crash)], ids=["some", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_one_changed_bit_in_any_file_is_found_and_nothing_else_is_named(
    whole: Study, kind: str, most: int | None
) -> None:
    chance = random.Random(f"4 {kind}")  # noqa: S311 - the same bits each time
    files = [each for each in files_of(whole).items() if re.fullmatch(KINDS[kind], each[0]) and each[1].stat().st_size]
    missed = {}
    for name, path in files if most is None else chance.sample(files, min(most, len(files))):
        content = path.read_bytes()
        with changed(path, flipped(content, kind, chance)):
            found = verify(whole)
        if not say_which(found, name):
            missed[name] = found.wrong
    assert missed == {}
    assert verify(whole).wrong == ()


def test_a_reference_that_git_reads_and_would_not_write_is_found(whole: Study) -> None:
    names = [name for name in files_of(whole) if re.fullmatch(KINDS["git references"], name) and "refs/" in name]
    for name in names:
        path = whole.root.parent / name
        with changed(path, path.read_bytes().upper()):
            assert say_which(verify(whole), name)
        with changed(path, path.read_bytes() + b"\n"):
            assert say_which(verify(whole), name)
    assert names


def test_packed_references_are_read_to_the_letter(whole: Study, tmp_path: Path) -> None:
    study = copied(whole, tmp_path)
    Repository(study.root).git("pack-refs", "--all")
    assert verify(study).wrong == ()
    path = study.root / ".git/packed-refs"
    content = path.read_bytes()
    for spoilt in (content.replace(b"pack-refs", b"pack-refS"), content + b"\n", content.replace(b"\n^", b"\n~")):
        path.write_bytes(spoilt)
        assert say_which(verify(study), "study/.git/packed-refs")


@pytest.mark.parametrize(
    "kind", ["recordings", "objects in the cache", "objects at the remote", "quarantine", "ledger", "warehouse"]
)
def test_a_cut_file_is_found(whole: Study, kind: str) -> None:
    name, path = next((n, p) for n, p in files_of(whole).items() if re.fullmatch(KINDS[kind], n))
    with changed(path, path.read_bytes()[:-1]):
        assert say_which(verify(whole), name)
    with changed(path, b""):
        assert say_which(verify(whole), name)


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize(
    "kind", ["recordings", "features", "objects in the cache", "quarantine", "warehouse", "reports"]
)
def test_a_missing_file_is_found_also_by_a_quick_look(whole: Study, kind: str, quick: bool) -> None:  # noqa: FBT001 - a parameter
    # An object that no version has is no loss, so one is taken that the last version has.
    name, path = [(n, p) for n, p in files_of(whole).items() if re.fullmatch(KINDS[kind], n)][-1]
    if kind == "objects in the cache":
        path = cache_of(whole).path(of_lake(whole))
        name = path.relative_to(whole.root.parent).as_posix()
    away = whole.root.parent / "away"
    path.rename(away)
    try:
        found = verify(whole, quick=quick)
    finally:
        away.rename(path)
    assert say_which(found, name), found.wrong
    assert "missing" in found.wrong[0]


def cache_of(study: Study) -> FolderStore:
    return stores_of(study).cache


def of_lake(study: Study) -> str:
    """The object of a recording in the lake."""
    media = min((study.lake / pseudonym(2) / "recordings").glob("*.age")).read_bytes()
    cache = cache_of(study)
    return next(oid for oid in cache.objects() if cache.read(oid) == media)


def test_files_that_nobody_knows_are_named(whole: Study) -> None:
    places = (
        "lake/P000000002/recordings/note.txt", "lake/P000000003/face/P000000003-00000009.parquet", "stray.csv",
        "warehouse/copy.duckdb", "state/quarantine/AAAAAAAAAAAA.age", "state/receipts/P000000009.json",
    )  # fmt: skip
    for place in places:
        path = whole.root / place
        path.write_bytes(b"nobody's")
        try:
            found = verify(whole)
        finally:
            path.unlink()
        # A feature is named twice: it is in no version, and of a recording that is not there.
        assert {finding.name for finding in found.findings} == {place}


def test_two_swapped_objects_are_both_named(whole: Study) -> None:
    cache = cache_of(whole)
    one, other = sorted(oid for oid in cache.objects() if not oid.endswith(".dir"))[:2]
    first, second = cache.path(one).read_bytes(), cache.path(other).read_bytes()
    with changed(cache.path(one), second), changed(cache.path(other), first):
        found = verify(whole)
    assert [finding.name for finding in found.findings] == [one, other]


def test_swapped_deliveries_in_quarantine_are_named_also_without_their_sums(whole: Study) -> None:
    one, other = sorted(whole.quarantine.glob("*.age"))[:2]
    first, second = one.read_bytes(), other.read_bytes()
    names = [path.relative_to(whole.root).as_posix() for path in (one, other)]
    with changed(one, second), changed(other, first):
        assert [finding.name for finding in verify(whole).findings] == names
        ledger, seal = whole.ledger.read_bytes(), whole.ledger.with_suffix(".seal").read_bytes()
        try:
            opened = Ledger(whole.ledger)
            for name in names:
                opened.forget_sum(name)
            opened.close()
            found = verify(whole)
        finally:
            whole.ledger.write_bytes(ledger)
            whole.ledger.with_suffix(".seal").write_bytes(seal)
    assert [(finding.name, "another delivery" in finding.problem) for finding in found.findings] == [
        (name, True) for name in names
    ]


def test_other_times_and_rights_are_no_damage(whole: Study) -> None:
    before = {path: path.stat() for path in files_of(whole).values() if "vault" not in path.parts}
    for path in before:
        os.utime(path, (1, 1))
    found = verify(whole)
    for path, stat in before.items():
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert found.wrong == ()


def test_each_finding_says_where_whose_and_what_to_do(whole: Study) -> None:
    cache = cache_of(whole)
    oid = of_lake(whole)
    with changed(cache.path(oid), b"spoilt"):
        (finding,) = verify(whole).findings
    assert finding.line == (
        f"{oid} (P000000002) is damaged in the cache: remove {cache.path(oid)}, then run `dvc fetch --all-tags`"
    )


def test_what_a_finding_says_to_do_is_enough(whole: Study, tmp_path: Path) -> None:
    study = copied(whole, tmp_path)
    cache, (remote,) = cache_of(study), stores_of(study).remotes
    assert isinstance(remote, FolderStore)
    in_cache, at_remote = sorted(oid for oid in remote.objects() if not oid.endswith(".dir"))[:2]
    built = (study.warehouse / "current").resolve()
    spoilt = [
        min((study.lake / pseudonym(3) / "face").glob("*.parquet")),
        cache.path(in_cache),
        remote.path(at_remote),
        built,
        study.params_file,
    ]
    for path in spoilt:
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
    lines = verify(study).wrong
    assert len(lines) == len(spoilt)
    said = " ".join(lines)
    commands = ["fetch --all-tags", f"checkout lake/{pseudonym(3)}/face"]
    assert [command for command in commands if f"`dvc {command}`" not in said] == []
    copy = f"install -D -m 0444 {cache.path(at_remote)} {remote.path(at_remote)}"
    assert f"`{copy}`" in said
    assert "`painlake checkout v0003`" in said
    assert "`git checkout -- params.yaml`" in said
    for path in spoilt:
        path.unlink()
    for command in commands:
        Repository(study.root).dvc(*command.split())
    Repository(study.root).git("checkout", "--", "params.yaml")
    subprocess.run(copy.split(), check=True)
    checkout(study, 3)
    assert verify(study).wrong == ()


def test_without_the_key_it_says_what_it_could_not_check(whole: Study) -> None:
    key = whole.vault / "master.key"
    away = whole.root.parent / "key"
    key.rename(away)
    try:
        found = verify(whole)
        with changed(min(whole.quarantine.glob("*.age")), b"spoilt"):
            damaged = verify(whole)
    finally:
        away.rename(key)
    assert found.wrong == ()
    assert [note for note in found.notes if "master.key is not at hand" in note and "audit log" in note]
    assert len(damaged.wrong) == 1


def test_a_remote_that_is_away_is_one_finding(whole: Study) -> None:
    remote = whole.root.parent / "remote"
    remote.rename(remote.with_name("gone"))
    try:
        found = verify(whole)
    finally:
        remote.with_name("gone").rename(remote)
    assert [finding.name for finding in found.findings] == ["remote store"]


def test_a_writer_that_was_killed_leaves_an_unsealed_ledger_and_no_damage(whole: Study) -> None:
    ledger, seal = whole.ledger.read_bytes(), whole.ledger.with_suffix(".seal").read_bytes()
    code = "import os, sys, pathlib; from pipelines.ledger import Ledger; l = Ledger(pathlib.Path(sys.argv[1])); l.mark_dirty(sys.argv[2]); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(whole.ledger), pseudonym(9)], check=False)
    try:
        found = verify(whole)
    finally:
        Path(f"{whole.ledger}-wal").unlink(missing_ok=True)
        Path(f"{whole.ledger}-shm").unlink(missing_ok=True)
        whole.ledger.write_bytes(ledger)
        whole.ledger.with_suffix(".seal").write_bytes(seal)
    assert found.wrong == ()
    assert [note for note in found.notes if "unsealed" in note]


def test_it_does_not_look_while_another_run_holds_the_study(whole: Study) -> None:
    with whole.held(), pytest.raises(RunInProgressError):
        verify(whole)


def test_versions_tags_and_the_ledger_are_held_against_each_other(whole: Study) -> None:
    repository = Repository(whole.root)
    tag = whole.root / ".git" / "refs" / "tags" / "dataset-v0002"
    content = tag.read_text()
    tag.write_text((tag.parent / "dataset-v0001").read_text())
    moved = verify(whole)
    tag.unlink()
    missing = verify(whole)
    tag.write_text(content)
    assert [f.name for f in moved.findings] == [f.name for f in missing.findings] == [".git/refs/tags/dataset-v0002"]
    assert repository.versions() == [1, 2, 3]


def test_an_erased_persons_folder_that_is_back_is_named(whole: Study) -> None:
    folder = whole.lake / PERSON / "recordings"
    folder.mkdir(parents=True)
    found = verify(whole)
    shutil.rmtree(folder.parent)
    assert [finding.name for finding in found.findings] == [f"lake/{PERSON}"]


def test_packed_objects_and_references_are_checked_too(whole: Study, tmp_path: Path) -> None:
    study = copied(whole, tmp_path)
    Repository(study.root).git("gc", "--quiet")
    assert verify(study).wrong == ()
    chance = random.Random(4)  # noqa: S311 - the same bits each time
    packs = sorted((study.root / ".git" / "objects" / "pack").glob("*.pack"))
    for path in (*packs, *(pack.with_suffix(".idx") for pack in packs), study.root / ".git" / "packed-refs"):
        name = path.relative_to(study.root.parent).as_posix()
        with changed(path, flipped(path.read_bytes(), "", chance)):
            found = verify(study)
        assert found.wrong, name
        assert all(finding.name.startswith(".git") for finding in found.findings), found.wrong
