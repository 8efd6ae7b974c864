"""Where a release goes: a folder, made beside its place and renamed whole; one in a bucket is in `pipelines.release_bucket`."""

import glob
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from pipelines.durable import sync
from pipelines.errors import PainLakeError, UserError
from pipelines.params_s3 import S3Params
from pipelines.study import Study
from pipelines.vault import Vault


class ReleaseTarget(Protocol):
    """A place for one release."""

    def check(self, vault: Vault) -> None:
        """See whether a release can go here, before any is made.

        Args:
            vault: knows the releases that the study has made.

        Raises:
            UserError: it cannot.
        """

    def set_aside(self, release: str) -> AbstractContextManager[Path]:
        """A folder to make the release in; it takes its place once whole, where the block ends without an error.

        Args:
            release: its name, which the vault knows by the end of the block.

        Raises:
            PainLakeError: it cannot be written; nothing stays that could be taken for a release.
        """


def target_of(out: Path | str, study: Study, params: S3Params) -> ReleaseTarget:
    """The place that a user named.

    Args:
        out: a new or empty folder outside the study, or s3://bucket/prefix.
        study: the study.
        params: how to write to a bucket.

    Raises:
        UserError: it is no such place.
    """
    if str(out).startswith("s3://"):
        from pipelines.release_bucket import BucketTarget  # noqa: PLC0415 - it builds on this module

        return BucketTarget(str(out), study, params)
    if "://" in str(out):
        raise UserError(f"{out}: a release goes to a folder or to s3://bucket/prefix")
    return FolderTarget(Path(out).absolute(), study)


@dataclass(frozen=True, slots=True)
class FolderTarget:
    """A new or empty folder."""

    out: Path
    study: Study

    def check(self, vault: Vault) -> None:  # noqa: ARG002 - a folder is new, or is refused
        """See whether the folder is new or empty, and outside the study."""
        out = self.out
        if out.resolve().is_relative_to(self.study.root.resolve()):
            raise UserError(f"{out} is inside the study, whose git would keep it: name a folder elsewhere")
        if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
            raise UserError(f"{out} is not empty: name a new folder")

    @contextmanager
    def set_aside(self, release: str) -> Iterator[Path]:  # noqa: ARG002 - what a killed run left is known by its name
        """A folder beside its place, for its owner alone."""
        out = self.out
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            for left in out.parent.glob(f".{glob.escape(out.name)}.*.partial"):
                shutil.rmtree(left)
            folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.", suffix=".partial", dir=out.parent))
        except OSError as error:
            raise UserError(f"{out} cannot be made: {error.strerror}") from error
        with written_there(folder, str(out)):
            yield folder
            for path in [*folder.rglob("*"), folder]:
                sync(path)
            folder.replace(out)
            sync(out.parent)


@contextmanager
def written_there(folder: Path, place: str) -> Iterator[None]:
    """Have what fails in a folder be one line, and the folder gone in the end.

    Raises:
        PainLakeError: it cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise PainLakeError(f"{place} cannot be written: {error.strerror}") from error
    except duckdb.Error as error:
        raise PainLakeError(f"{place} cannot be written: {str(error).splitlines()[0]}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
