"""Verify: the study's git repository, the tracked files as they stand, and the versions' tags against the ledger."""

import hashlib
import re
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.erase_objects import TRACKED, Output, outputs_at, outputs_in
from pipelines.errors import PainLakeError
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.repository import Repository, tag_name
from pipelines.study import Study
from pipelines.verify_objects import reading_threads

_EDITED_BY_PEOPLE = frozenset({"params.yaml", "dvc.yaml", ".dvc/config", ".gitignore", ".dvcignore", ".dvc/.gitignore"})
_NAMED = re.compile(r"refs/[\w./-]*\w|packed-refs|objects/pack/pack-\w+\.\w+")
# As git writes them. Git reads more than that, such as a hash in capitals, which is one flipped bit from it.
_REFERENCE = re.compile(rb"([0-9a-f]{40}|[0-9a-f]{64}|ref: refs/\S+)\n")
_PACKED = re.compile(
    rb"(# pack-refs with:( peeled| fully-peeled| sorted)* ?\n)?([0-9a-f]{40,64} refs/\S+\n(\^[0-9a-f]{40,64}\n)?)*"
)
_PIECE = 1 << 20


@dataclass(frozen=True, slots=True)
class History:
    """What git has of a study.

    Args:
        sound: whether git can be believed; if not, the other values are of the files as they stand.
        outputs: of all versions.
        at_head: outputs of the last commit.
        tracked: the blob of each file of the last commit, by path.
        changed: paths of tracked files that are missing, or not what the last commit has.
        versions: the numbers of the tagged versions.
    """

    sound: bool
    outputs: frozenset[Output]
    at_head: frozenset[Output]
    tracked: Mapping[str, str]
    changed: frozenset[str]
    versions: tuple[int, ...]


def read_history(findings: Findings, study: Study, repository: Repository) -> History:
    """Check git's own files, and read what it knows of the versions."""
    findings.progress.phase("checking git")
    before = len(findings.wrong)
    if not findings.quick:
        _check_git(findings, study, repository)
    try:
        if len(findings.wrong) == before:
            committed = frozenset(_outputs(repository.texts_committed(TRACKED)))
            tracked = repository.tracked("HEAD")
            at_head = frozenset(outputs_at(repository, "HEAD"))
            changed = frozenset(name for name, blob in tracked.items() if _blob_of(study.root / name) != blob)
            return History(True, committed, at_head, tracked, changed, tuple(repository.versions()))
    except (PainLakeError, ValueError, IndexError) as error:
        findings.add(".git", f"cannot be read ({error})", _from_clone())
    findings.note("git is damaged: lake and objects were held against dvc.lock and the .dvc files as they stand")
    standing = frozenset(_standing(repository))
    lake = (path for name in (".gitignore", "*.dvc") for path in study.lake.glob(f"*/{name}"))
    tracked = {path.relative_to(study.root).as_posix(): "" for path in lake}
    return History(False, standing, standing, tracked, frozenset(), ())


def _from_clone() -> str:
    return "take it from a clone or a backup of the study"


def _outputs(texts: Iterable[tuple[str, str]]) -> Iterable[Output]:
    for path, content in texts:
        yield from outputs_in(path, content)


def _standing(repository: Repository) -> set[Output]:
    try:
        return set(_outputs(repository.texts_standing()))
    except Exception:  # noqa: BLE001 - spoilt text fails in many ways, and git cannot tell any more which it is
        return set()


def _check_git(findings: Findings, study: Study, repository: Repository) -> None:
    """Inflate and hash every loose object, and have git check packs, references and its index."""
    objects = sorted((study.root / ".git" / "objects").glob("[0-9a-f][0-9a-f]/*"))
    findings.count("git objects", len(objects))
    damaged = [path for path, whole in in_parallel(_is_whole, objects, reading_threads()) if not whole]
    for path in damaged:
        findings.add(path.relative_to(study.root).as_posix(), "is damaged", _from_clone())
    said = repository.fsck()
    if damaged:
        # What git says then follows from the damaged objects.
        return
    if not said:
        for path in _misspelt(study.root / ".git"):
            findings.add(path.relative_to(study.root).as_posix(), "is not as git writes it", _from_clone())
        return
    # Where the branch is damaged, git goes on to say so of HEAD, which leads to it.
    named = {f".git/{match[0]}" for line in said if "HEAD" not in line for match in _NAMED.finditer(line)}
    if not named and any("HEAD" in line for line in said):
        named.add(".git/HEAD")
    if any("index file" in line for line in said):
        named.add(".git/index")
    for name in sorted(named) or [".git"]:
        remedy = "remove it, then run `git reset`" if name == ".git/index" else _from_clone()
        findings.add(name, f"is damaged ({said[0]})", remedy)


def _misspelt(git: Path) -> list[Path]:
    """References that git can read, and would never write."""
    packed = git / "packed-refs"
    loose = [git / "HEAD", *sorted(path for path in (git / "refs").rglob("*") if path.is_file())]
    wrong = [path for path in loose if path.suffix != ".lock" and not _REFERENCE.fullmatch(path.read_bytes())]
    if packed.exists() and not _PACKED.fullmatch(packed.read_bytes()):
        wrong.append(packed)
    return wrong


def _is_whole(path: Path) -> bool:
    """Whether a loose object's content is what its name says (SHA-1 over its inflated bytes), and all there is."""
    digest = hashlib.sha1(usedforsecurity=False)
    inflate = zlib.decompressobj()
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                digest.update(inflate.decompress(piece))
    except (OSError, zlib.error):
        return False
    digest.update(inflate.flush())
    return inflate.eof and not inflate.unused_data and digest.hexdigest() == path.parent.name + path.name


def check_tracked(findings: Findings, study: Study, history: History, *, pending: bool) -> None:
    """Hold the files that git tracks, as they stand, against the last version, and name files that nobody knows.

    Args:
        findings: what is found goes there.
        study: the study.
        history: from `read_history`.
        pending: whether data wait for a version: lock, index and reports may be of it already.
    """
    if not history.sound:
        return
    findings.count("files that git tracks", len(history.tracked))
    for name in sorted(history.changed):
        is_there = (study.root / name).is_file()
        _changed(findings, name, "is not what the last version has" if is_there else "is missing", pending=pending)
    if any(name.endswith(".gitignore") for name in history.changed):
        # What git is to leave alone is not known then.
        return
    unknown = Repository(study.root).git("ls-files", "--others", "--exclude-standard", "-z").split("\0")
    for name in sorted(filter(None, unknown)):
        # What is in the lake's folders is looked at there.
        if name.count("/") < 2 or not name.startswith("lake/"):
            if pending:
                findings.note(f"{name} is in no version yet; data wait for the next one")
            else:
                findings.add(name, "is in no version, and nobody knows it", "look at it, then move it away")


def _changed(findings: Findings, name: str, problem: str, *, pending: bool) -> None:
    if name in _EDITED_BY_PEOPLE:
        remedy = f"`git checkout -- {name}`, or, if you changed it on purpose, `git commit {name}`"
        findings.add(name, problem, remedy)
    elif pending:
        findings.note(f"{name} {problem}; data wait for the next version")
    else:
        findings.add(name, problem, f"run `git checkout -- {name}`")


def _blob_of(path: Path) -> str | None:
    """What git calls a file's content; None where it cannot be read."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def check_tags(
    findings: Findings, repository: Repository, history: History, versions: list[dict[str, Any]], *, pending: bool
) -> None:
    """Hold the versions' tags against the ledger's versions."""
    if not history.sound:
        return
    for version in versions:
        number = int(version["number"])
        restore = f"run `git tag -f -a {tag_name(number)} {version['git_commit']} -m restored`"
        if number not in history.versions:
            findings.add(f".git/refs/tags/{tag_name(number)}", "is missing, and the ledger has the version", restore)
        elif repository.commit_of(number) != version["git_commit"]:
            findings.add(f".git/refs/tags/{tag_name(number)}", "leads to another commit than the ledger's", restore)
    for number in sorted(set(history.versions) - {int(version["number"]) for version in versions}):
        if pending:
            findings.note(f"{tag_name(number)} is not in the ledger yet: the next run enters it")
        else:
            findings.add(f".git/refs/tags/{tag_name(number)}", "is not in the ledger", "run `painlake ingest`")
