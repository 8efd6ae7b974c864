"""The lake as DVC's cache has it: each file's hash, the objects of folders, and the hash of the lake as a whole.

DVC itself asks for every file at every call. Here the hashes of what stands as it stood are known
(`pipelines.known`), and only the folders of persons whose data changed are entered.

Objects are written as DVC writes them (treeverse/dvc 3, `dvc_data.hashfile`): a file's is the file under its MD5; a
folder's is the list of its files, sorted by path, under the MD5 of that list and with the ending `.dir`.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.known import Known, digest_of, stamp_of
from pipelines.stores import FolderStore, md5_of

ENTERING = ".entering.partial"
"""In the cache: what is being copied into it, under its own name only once it is whole."""

_CODE = ("pipelines.known", "pipelines.dvc_objects")
_FICLONE = 0x40049409
"""Linux' request to have two files share their bytes until one is changed."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A file's or folder's hash, its bytes and, of a folder, how many files it has."""

    oid: str
    size: int
    nfiles: int | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file of a person: its MD5 and size."""

    md5: str
    size: int


class LakeHashes:
    """The hashes of all files in the lake, person by person.

    Args:
        lake: the lake.
        store: what is known of earlier nights; None reads all.
    """

    def __init__(self, lake: Path, store: Path | None) -> None:
        self._lake = lake
        self._known = Known(store, "objects", digest_of(_CODE, ()))

    def of_person(self, person: str) -> dict[str, File]:
        """A person's files, by their path in the person's folder, sorted."""
        had = self._known.get(person) or {}
        found, entries = {}, {}
        for path, known in sorted(_files(f"{self._lake}/{person}")):
            stamp = stamp_of(known)
            entry = had.get(path)
            md5 = entry[1] if entry is not None and stamp and entry[0] == stamp else md5_of(self._lake / person / path)
            found[path] = File(md5, known.st_size)
            if stamp:
                entries[path] = [stamp, md5]
        if entries != had:
            self._known.put(person, entries)
        return found

    def whole(self) -> Hashed:
        """The lake's hash, as a folder that DVC's stages depend on; it is in no cache."""
        digest, size, nfiles, first = hashlib.md5(b"[", usedforsecurity=False), 0, 0, True
        for path, file in self._all():
            # Person by person, since the list of a large study's files is a hundred megabytes.
            digest.update(("" if first else ", ").encode() + _entry(path, file).encode())
            first = False
            size += file.size
            nfiles += 1
        digest.update(b"]")
        self._known.keep()
        return Hashed(f"{digest.hexdigest()}.dir", size, nfiles)

    def _all(self) -> Iterator[tuple[str, File]]:
        with os.scandir(self._lake) as entries:
            names = [
                (f"{each.name}/" if each.is_dir() else each.name) for each in entries if not _is_partial(each.name)
            ]
        for name in sorted(names):
            if name.endswith("/"):
                yield from ((f"{name}{path}", file) for path, file in self.of_person(name[:-1]).items())
            else:
                path = self._lake / name
                yield name, File(md5_of(path), path.stat().st_size)


def _files(folder: str, within: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """The files below a folder, with their paths in it; half-written ones are no part of a dataset."""
    with os.scandir(f"{folder}/{within}") as entries:
        for entry in entries:
            if _is_partial(entry.name):
                continue
            if entry.is_dir():
                yield from _files(folder, f"{within}{entry.name}/")
            else:
                yield f"{within}{entry.name}", entry.stat()


def _is_partial(name: str) -> bool:
    return name.startswith(".") and name.endswith(".partial")


def _entry(path: str, file: File) -> str:
    return f'{{"md5": "{file.md5}", "relpath": {json.dumps(path)}}}'


def enter_folder(cache: FolderStore, folder: Path, files: Mapping[str, File]) -> Hashed:
    """Put a folder's files, and then the folder itself, into DVC's cache; `flush` has them on the disk.

    Args:
        cache: DVC's.
        folder: in the lake.
        files: its files, by their path in it, sorted.
    """
    for path, file in files.items():
        _put(cache, file.md5, file.size, folder / path)
    listed = f"[{', '.join(_entry(path, file) for path, file in files.items())}]".encode()
    oid = f"{hashlib.md5(listed, usedforsecurity=False).hexdigest()}.dir"
    _put(cache, oid, len(listed), listed)
    return Hashed(oid, sum(file.size for file in files.values()), len(files))


def flush() -> None:
    """Have all that was put into the cache on the disk: one wait for all, in place of two for each object."""
    os.sync()


def _put(cache: FolderStore, oid: str, size: int, source: Path | bytes) -> None:
    path = cache.path(oid)
    # One of another size is half of one that a power cut left.
    with suppress(FileNotFoundError):
        if path.stat().st_size == size:
            return
    temporary = cache.root / ENTERING
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary.unlink(missing_ok=True)
    if isinstance(source, bytes):
        temporary.write_bytes(source)
    else:
        _copy(source, temporary)
    # DVC takes a read-only object for whole, and every other for one to be hashed again.
    temporary.chmod(0o444)
    temporary.replace(path)


def _copy(source: Path, target: Path) -> None:
    """Copy a file, without its bytes where the file system can share them: what DVC's `reflink,copy` does."""
    with source.open("rb") as reading, target.open("wb") as writing:
        try:
            fcntl.ioctl(writing.fileno(), _FICLONE, reading.fileno())
        except OSError:
            shutil.copyfileobj(reading, writing, 1 << 20)


def in_folder(files: Mapping[str, File], folder: str) -> dict[str, File]:
    """Those of a person's files that are in one of the person's folders, by their path in it."""
    begin = f"{folder}/"
    return {path.removeprefix(begin): file for path, file in files.items() if path.startswith(begin)}


def hash_of_file(path: Path) -> Hashed:
    """The hash of a file outside the cache."""
    return Hashed(md5_of(path), path.stat().st_size)
