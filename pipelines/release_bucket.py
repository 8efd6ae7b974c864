"""A release in a bucket: every file read back before it counts, nothing overwritten, and whole once its manifest is there.

`manifest.json` is written last and names every file with its size and SHA-256: a prefix without one holds no release. The
first object, `UNFINISHED.json`, says whose the prefix is; it goes once the manifest is there. So who comes to a prefix
where a release broke off knows it for theirs, takes away what is there, and begins anew.
"""

import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import PainLakeError, TemporaryError, UserError
from pipelines.faultpoints import fault_point
from pipelines.in_parallel import in_parallel
from pipelines.params_s3 import S3Params
from pipelines.release_target import written_there
from pipelines.s3_client import asking, bucket_and_prefix
from pipelines.s3_write import Target, encryption, write_file, write_text
from pipelines.storage import S3Objects
from pipelines.study import Study
from pipelines.vault import Vault

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

MANIFEST = "manifest.json"
UNFINISHED = "UNFINISHED.json"
_THREADS = 4


@dataclass(frozen=True)
class BucketTarget:
    """A prefix of a bucket where nothing is yet.

    Args:
        place: s3://bucket/prefix.
        study: keeps the release until it is sent.
        params: how to write.
    """

    place: str
    study: Study
    params: S3Params

    def __post_init__(self) -> None:
        if not self._address[1]:
            raise UserError(f"{self.place} is a whole bucket: name s3://bucket/prefix")

    @property
    def _address(self) -> tuple[str, str]:
        return bucket_and_prefix(self.place)

    @cached_property
    def _objects(self) -> S3Objects:
        return S3Objects(*self._address, {}, called=self._called)

    @property
    def _called(self) -> str:
        return f"the release's place {self.place}"

    def check(self, vault: Vault) -> None:
        """See whether the prefix is empty, or holds what an earlier release of this study left when it broke off."""
        self._left(vault)

    def _left(self, vault: Vault) -> set[str]:
        """What an earlier release of this study left; nothing where the prefix is empty.

        Raises:
            UserError: something else is there.
        """
        found = self._objects.current()
        if not found:
            return set()
        left = self._objects.read(UNFINISHED) if UNFINISHED in found and MANIFEST not in found else None
        if left is None:
            raise UserError(f"{self.place} is not empty: name a new prefix")
        if not vault.made_release(_release_in(left)):
            raise UserError(f"{self.place} holds another study's unfinished release: name a new prefix")
        return found | self._objects.unfinished()

    @contextmanager
    def set_aside(self, release: str) -> Iterator[Path]:
        """A folder in the study's own state, which is sent file by file, and gone in the end."""
        folder = staging(self.study)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        with written_there(folder, self.place):
            yield folder
            try:
                with asking(self._called):
                    self._send(release, folder)
            except TemporaryError as error:
                raise TemporaryError(f"{error}; what is there is no release yet: run the same command again") from error

    def _send(self, release: str, folder: Path) -> None:
        bucket, prefix = self._address
        client: S3Client = self._objects.client()
        options = encryption(self.params.sse, self.params.sse_kms_key_id)
        target = Target(client, bucket, options, self.params.part_mb << 20)
        left = self._left(Vault.open(self.study.vault))
        # What says whose it is goes last.
        for name in sorted(left, key=lambda name: (name == UNFINISHED, name)):
            self._objects.remove(name)
        if not write_text(target, prefix + UNFINISHED, json.dumps({"release": release}) + "\n"):
            raise UserError(f"{self.place} was taken by another release meanwhile: name a new prefix")
        names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
        sums = dict(_sent(target, prefix, folder, names))
        files = {name: {"bytes": (folder / name).stat().st_size, "sha256": sums[name]} for name in names}
        manifest = json.dumps({"release": release, "files": files}, indent=1) + "\n"
        fault_point("release.sent")
        if not write_text(target, prefix + MANIFEST, manifest):
            raise PainLakeError(f"{self.place}/{MANIFEST} came back with other bytes than were sent: try again")
        self._objects.remove(UNFINISHED)


def staging(study: Study) -> Path:
    """Where a release is made that is to be sent; what a killed run left in it is removed by the next."""
    return study.state / "release"


def _sent(target: Target, prefix: str, folder: Path, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each file's name and SHA-256, once it is in the bucket: small ones some at a time, large ones part by part."""

    def send(name: str) -> str:
        fault_point(f"release.file.{name}")
        return write_file(target, prefix + name, folder / name, new=True)

    small = [name for name in names if (folder / name).stat().st_size <= target.part_bytes]
    yield from in_parallel(send, small, _THREADS)
    for name in names:
        if name not in small:
            yield name, send(name)


def _release_in(content: bytes) -> str:
    """The name of the release that an unfinished one was to have; empty where it cannot be read."""
    try:
        said = json.loads(content)
    except ValueError:
        return ""
    return str(said.get("release", "")) if isinstance(said, dict) else ""
