"""A study folder: where everything stands, how one is made, and who may run in it."""

import fcntl
import importlib.metadata
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipelines.durable import write_durably
from pipelines.errors import RunInProgressError, UserError
from pipelines.params import Params, read_params
from pipelines.s3_client import bucket_and_prefix
from pipelines.vault import FOLDER_VARIABLE, Vault

_TEMPLATES = ("dvc.yaml", "params.yaml")

_GITIGNORE = """\
# Identities, keys, state and what can be built again never enter git or DVC.
/landing/
/vault/
/state/
/warehouse/
/remote/
/reports/*.html
.*.partial
"""

_DVCIGNORE = """\
# Files that a killed run left half written are no part of a dataset.
.*.partial
"""


@dataclass(frozen=True, slots=True)
class Study:
    """The paths of a study."""

    root: Path

    @property
    def params_file(self) -> Path:
        """The study's own parameters."""
        return self.root / "params.yaml"

    @property
    def vault(self) -> Path:
        """Identities and keys; may lie on another volume."""
        return Path(os.environ.get(FOLDER_VARIABLE) or self.root / "vault")

    @property
    def state(self) -> Path:
        """What a run remembers."""
        return self.root / "state"

    @property
    def ledger(self) -> Path:
        """What landed and what became of it."""
        return self.state / "ledger.sqlite"

    @property
    def audit(self) -> Path:
        """Who did what: sealed line by line."""
        return self.state / "audit.log"

    @property
    def quarantine(self) -> Path:
        """What was set aside, encrypted."""
        return self.state / "quarantine"

    @property
    def lake(self) -> Path:
        """One folder a person."""
        return self.root / "lake"

    @property
    def index(self) -> Path:
        """Whose folders `dvc.yaml` goes through, and which code made them."""
        return self.lake / "index.yaml"

    @property
    def warehouse(self) -> Path:
        """The published DuckDB files."""
        return self.root / "warehouse"

    @property
    def reports(self) -> Path:
        """Validation and metrics."""
        return self.root / "reports"

    @property
    def log(self) -> Path:
        """What the runs had to say: codes, pseudonyms and counts."""
        return self.state / "painlake.log"

    def params(self) -> Params:
        """Read the study's parameters.

        Raises:
            UserError: they do not fit.
        """
        return read_params(self.params_file, complete=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the study for one run; the kernel frees the lock when the process ends, however it ends.

        The lock's file says how its last holder ended, for `may_have_leavings`.

        Raises:
            RunInProgressError: another run holds it.
        """
        self.state.mkdir(mode=0o700, exist_ok=True)
        with (self.state / "lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise RunInProgressError(
                    f"RUN_IN_PROGRESS: another run holds {self.root}; try again when it is over"
                ) from error
            _note(handle.fileno(), _HELD if _noted(handle.fileno()) == _ENDED else _LEFT, lasting=True)
            yield
            # Not where an error ended it: workers may have been stopped while they wrote.
            if _noted(handle.fileno()) == _HELD:
                _note(handle.fileno(), _ENDED)

    def is_held(self) -> bool:
        """Whether a run holds the study just now."""
        try:
            with self.held():
                return False
        except RunInProgressError:
            return True

    def may_have_leavings(self) -> bool:
        """Whether an earlier holder may have left half-written files: it was killed, or ended with an error.

        The caller holds the study. What nobody knows of, since no holder has noted its end yet, may be so too.
        """
        try:
            return (self.state / "lock").read_bytes() != _HELD
        except FileNotFoundError:
            return True

    def note_cleared(self) -> None:
        """Note that no half-written file is left; the caller holds the study and has seen to it."""
        lock = self.state / "lock"
        if lock.exists():
            with lock.open("a+") as handle:
                _note(handle.fileno(), _HELD)


_HELD, _LEFT, _ENDED = b"held\n", b"held; an earlier holder did not end well\n", b"ended\n"


def _noted(lock: int) -> bytes:
    return os.pread(lock, 100, 0)


def _note(lock: int, what: bytes, *, lasting: bool = False) -> None:
    """Write how a lock is held; where the disk is full or read-only it says nothing, and nothing is taken as said."""
    with suppress(OSError):
        os.ftruncate(lock, 0)
        os.write(lock, what)
        if lasting:
            os.fsync(lock)


def open_study(root: Path) -> Study:
    """The study in a folder.

    Raises:
        UserError: there is none.
    """
    study = Study(root.absolute())
    if not root.is_dir():
        raise UserError(f"no study at {root}: make one with `painlake init {root}`, or name it with --study")
    # A clone has no state folder yet: git does not know it.
    if not study.params_file.is_file() or not (study.root / "dvc.yaml").is_file():
        raise UserError(f"{root} is no study: make one with `painlake init`, or name another with --study")
    return study


def template(name: str) -> Path:
    """The project's own `dvc.yaml` or `params.yaml`: beside the packages in a checkout, inside them in a wheel."""
    packaged = Path(__file__).parent / "templates" / name
    return packaged if packaged.is_file() else Path(__file__).parent.parent / name


def make_study(root: Path, landing: str | None, remote: str | None) -> Study:
    """Make a study folder: parameters, vault, ledger's place, and a git and DVC repository.

    Args:
        root: a new or empty folder.
        landing: a folder or s3://bucket/prefix to read from; None makes `landing/` inside the study.
        remote: where DVC keeps a second copy, a folder or s3://bucket/prefix; None for none.

    Raises:
        UserError: the folder holds something already, or is inside another git repository's work tree by mistake.
    """
    from pipelines.repository import Repository  # noqa: PLC0415 - only `init` needs it at start-up

    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise UserError(f"{root} is not empty: name a new folder")
    for place in (landing, remote):
        if place is not None and "://" in place and not place.startswith("s3://"):
            raise UserError(f"{place}: landing and remote are folders or s3://bucket/prefix")
        if place is not None and place.startswith("s3://"):
            bucket_and_prefix(place)
    study = Study(root.absolute())
    for folder in (study.root, study.lake, study.warehouse, study.reports):
        folder.mkdir(parents=True, exist_ok=True)
    study.state.mkdir(mode=0o700)
    study.quarantine.mkdir(mode=0o700)
    if landing is None:
        (study.root / "landing").mkdir()
    shutil.copyfile(template("dvc.yaml"), study.root / "dvc.yaml")
    params = template("params.yaml").read_text(encoding="utf-8")
    if landing is not None:
        place = landing if landing.startswith("s3://") else str(Path(landing).absolute())
        params = params.replace("  landing: landing\n", f"  landing: {yaml.safe_dump(place).splitlines()[0]}\n", 1)
    write_durably(study.params_file, params.encode())
    write_durably(study.root / ".gitignore", _GITIGNORE.encode())
    write_durably(study.root / ".dvcignore", _DVCIGNORE.encode())
    Vault.create(study.vault)
    Repository(study.root).create(remote)
    return study


def painlake_version() -> str:
    """The version of the installed code."""
    return importlib.metadata.version("painlake")
