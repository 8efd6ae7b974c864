"""The study's git and DVC repository, by their command lines, one caller at a time."""

import configparser
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from pipelines.durable import write_durably
from pipelines.durable_steps import durable_step
from pipelines.errors import PainLakeError

_TAG = re.compile(r"dataset-v(\d{4,})")
_LOCK_WAIT_S = 60.0


class Repository:
    """Git and DVC in a study.

    Args:
        root: the study's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def root(self) -> Path:
        """The study's folder."""
        return self._root

    def create(self, remote: str | None) -> None:
        """Make the repository, with a DVC remote if one is named, and commit what is there."""
        self.git("init", "--quiet", "--initial-branch", "main")
        self.dvc("init", "--quiet")
        place = None if remote is None else remote if remote.startswith("s3://") else str(Path(remote).absolute())
        # Written at once: `dvc config` starts anew, and takes a second, for each setting.
        write_durably(self._root / ".dvc" / "config", _dvc_config(place).encode())
        self.commit("Make the study")

    @property
    def has_remote(self) -> bool:
        """Whether a second copy is kept anywhere."""
        return self.remote is not None

    @property
    def remote(self) -> str | None:
        """The name of the remote where a second copy is kept."""
        # Read, not asked for: a night with nothing new should not wait for DVC to start.
        config = configparser.ConfigParser(interpolation=None)
        config.read([self._root / ".dvc" / "config", self._root / ".dvc" / "config.local"], encoding="utf-8")
        return config.get("core", "remote", fallback=None)

    def add(self, paths: Sequence[Path]) -> None:
        """Put folders that come from landing under DVC."""
        if not paths:
            return
        with durable_step("repository.add"):
            self.dvc("add", *[str(path.relative_to(self._root)) for path in paths])

    def accept(self, stages: Sequence[str]) -> None:
        """Enter the outputs of stages as they are, as if DVC itself had run them."""
        if not stages:
            return
        with durable_step("repository.accept"):
            self.dvc("commit", "--force", *stages)

    def commit(self, message: str) -> str | None:
        """Commit everything that git knows of; returns the commit, or None where nothing changed."""
        with durable_step("repository.stage"):
            self.git("add", "--all")
        if not self.git("status", "--porcelain").strip():
            return None
        with durable_step("repository.commit"):
            self.git(*self._author(), "commit", "--quiet", "--message", message)
        return self.head()

    def _author(self) -> list[str]:
        """Git's options for who commits: the user's own name where both halves are set; and nobody has to type a key."""
        unsigned = ["-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
        if all(self._run(["git", "config", f"user.{part}"], check=False).strip() for part in ("name", "email")):
            return unsigned
        return [*unsigned, "-c", "user.name=PainLake", "-c", "user.email=painlake@localhost"]

    def head(self) -> str:
        """The commit that stands."""
        return self.git("rev-parse", "HEAD").strip()

    def versions(self) -> list[int]:
        """The numbers of all dataset versions, in order."""
        found = (_TAG.fullmatch(line) for line in self.git("tag", "--list", "dataset-v*").split())
        return sorted(int(match[1]) for match in found if match)

    def version_at_head(self) -> int | None:
        """The version that stands, or None where the last commit is none (yet)."""
        tags = self.git("tag", "--points-at", "HEAD", "--list", "dataset-v*").split()
        matches = [match for match in map(_TAG.fullmatch, tags) if match]
        return max((int(match[1]) for match in matches), default=None)

    def tag(self, number: int, message: str) -> None:
        """Name the commit that stands as a dataset version."""
        with durable_step("repository.tag"):
            self.git(*self._author(), "tag", "--annotate", "--force", tag_name(number), "--message", message)

    def commit_of(self, number: int) -> str:
        """The commit of a version."""
        return self.git("rev-list", "--max-count=1", tag_name(number)).strip()

    def time_of(self, commit: str) -> str:
        """When a commit was made, UTC, ISO 8601."""
        seconds = int(self.git("show", "--no-patch", "--format=%ct", commit))
        return datetime.fromtimestamp(seconds, tz=UTC).isoformat()

    def push(self) -> None:
        """Copy the current version's objects to the remote."""
        with durable_step("repository.push"):
            self.dvc("push")

    def texts_in_history(self, paths: re.Pattern[str]) -> Iterator[tuple[str, str]]:
        """Every text that tracked files ever had, on any branch, tag or the reflog, and the texts as they stand.

        Args:
            paths: which files, matched whole.

        Yields:
            The path in the study and the text; each pair once.
        """
        yield from self.texts_committed(paths)
        yield from self.texts_standing()

    def texts_standing(self) -> Iterator[tuple[str, str]]:
        """The texts of `dvc.lock` and the `.dvc` files as they stand, by path in the study."""
        for path in sorted(self._root.glob("dvc.lock")) + sorted((self._root / "lake").glob("*/*.dvc")):
            yield path.relative_to(self._root).as_posix(), path.read_text(encoding="utf-8")

    def texts_committed(self, paths: re.Pattern[str]) -> Iterator[tuple[str, str]]:
        """Every text that tracked files had in any commit, on any branch, tag or the reflog.

        Args:
            paths: which files, matched whole.

        Yields:
            The path in the study and the text; each pair once.
        """
        log = self.git("log", "--all", "--reflog", "-m", "--format=", "--raw", "--no-abbrev", "--no-renames", "-z")
        parts = log.split("\0")
        found = {
            (name, head.split()[3])
            for head, name in pairwise(parts)
            if head.lstrip().startswith(":") and paths.fullmatch(name)
        }
        yield from self._blobs(sorted(pair for pair in found if pair[1].strip("0")))

    def texts_at(self, revision: str, paths: re.Pattern[str]) -> Iterator[tuple[str, str]]:
        """The texts of tracked files at a commit.

        Args:
            revision: as git knows it.
            paths: which files, matched whole.

        Yields:
            The path in the study and the text.
        """
        listed = [entry.partition("\t") for entry in self.git("ls-tree", "-r", "-z", revision).split("\0") if entry]
        yield from self._blobs([(name, head.split()[2]) for head, _, name in listed if paths.fullmatch(name)])

    def _blobs(self, named: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """The texts of blobs, each with its name, read in one go."""
        if not named:
            return
        asked = "".join(f"{blob}\n" for _, blob in named)
        answer = self._run(["git", "cat-file", "--batch"], given=asked).encode()
        place = 0
        for name, _ in named:
            head, _, _ = answer[place:].partition(b"\n")
            begin = place + len(head) + 1
            size = int(head.split()[2])
            yield name, answer[begin : begin + size].decode()
            place = begin + size + 1

    def texts_of(self, blobs: Mapping[str, str], paths: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The texts of some files.

        Args:
            blobs: from `tracked`.
            paths: of the files.

        Yields:
            The path in the study and the text.
        """
        yield from self._blobs([(path, blobs[path]) for path in sorted(paths)])

    def tracked(self, revision: str) -> dict[str, str]:
        """The blob of each file of a commit, by path in the study."""
        listed = [entry.partition("\t") for entry in self.git("ls-tree", "-r", "-z", revision).split("\0") if entry]
        return {name: head.split()[2] for head, _, name in listed}

    def fsck(self) -> list[str]:
        """What git finds wrong with its objects, references and index, a line each."""
        command = ["git", "fsck", "--full", "--strict", "--no-dangling", "--no-progress"]
        done = subprocess.run(command, cwd=self._root, capture_output=True, text=True, check=False, errors="replace")
        said = [line for line in (done.stderr + done.stdout).splitlines() if not line.startswith("notice:")]
        return said if done.returncode != 0 or said else []

    def forget_computed(self) -> list[Path]:
        """Remove what DVC remembers of the study's files outside it: paths, times and hashes, made again when asked for.

        Returns:
            The folders that were removed.
        """
        asked = "from dvc.repo import Repo; print(Repo('.').site_cache_dir)"
        folder = Path(self._run([sys.executable, "-c", asked]).strip())
        if folder.parent.name != "repo" or not folder.is_dir():
            return []
        shutil.rmtree(folder)
        return [folder]

    def git(self, *arguments: str) -> str:
        """Run git here; returns what it printed."""
        return self._run(["git", *arguments])

    def dvc(self, *arguments: str) -> str:
        """Run DVC here, waiting for its lock where somebody else has it; returns what it printed."""
        until = time.monotonic() + _LOCK_WAIT_S
        while True:
            try:
                return self._run([sys.executable, "-m", "dvc", *arguments])
            except PainLakeError as error:
                if "lock" not in str(error).lower() or time.monotonic() > until:
                    raise
                time.sleep(1.0)

    def _run(self, command: list[str], *, check: bool = True, given: str | None = None) -> str:
        # Our own folder comes first on the PATH, so that DVC's stages find this installation's `painlake`.
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        quiet = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "GIT_TERMINAL_PROMPT": "0", "PATH": path}
        try:
            done = subprocess.run(
                command,
                cwd=self._root,
                capture_output=True,
                text=True,
                check=False,
                env=os.environ | quiet,
                input=given,
            )
        except FileNotFoundError as error:
            raise PainLakeError(f"{command[0]} is not installed: PainLake needs it to version the study") from error
        if check and done.returncode != 0:
            name = command[0] if command[0] == "git" else "dvc"
            said = " ".join((done.stderr or done.stdout).split())[-500:]
            raise PainLakeError(f"{name} {next(a for a in command[1:] if a not in {'-m', 'dvc'})} failed: {said}")
        return done.stdout


def _dvc_config(remote: str | None) -> str:
    lines = [
        "[core]",
        "    analytics = false",
        "    check_update = false",
        *([] if remote is None else ["    remote = store"]),
        # Hard links as root corrupt the cache, and links make a lake file read-only that a later run replaces.
        "[cache]",
        '    type = "reflink,copy"',
        *([] if remote is None else ["['remote \"store\"']", f"    url = {remote}"]),
    ]
    return "\n".join(lines) + "\n"


def tag_name(number: int) -> str:
    """The git tag of a version.

    >>> tag_name(7)
    'dataset-v0007'
    """
    return f"dataset-v{number:04d}"


def version_name(number: int) -> str:
    """What people call a version.

    >>> version_name(7)
    'v0007'
    """
    return f"v{number:04d}"
