"""Where DVC keeps objects: its cache and every configured remote, looked into and emptied by our own index of hashes.

Cache and remotes have one layout: `files/md5/ab/cdef…`; a folder's object ends in `.dir` and lists its files.
"""

import configparser
import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from pipelines.durable import written_durably
from pipelines.errors import UserError
from pipelines.s3_client import bucket_and_prefix
from pipelines.storage import S3Objects
from pipelines.study import Study

_OBJECTS = "files/md5/"
_RUNS = "runs/"
_SECRETS = ("access_key_id", "secret_access_key", "session_token")
"""What DVC would take from its settings, and nobody should write into them."""


class Store(Protocol):
    """A place with objects."""

    @property
    def name(self) -> str:
        """What people call it: `cache`, or `remote` and the remote's name."""

    def read(self, oid: str) -> bytes | None:
        """An object's bytes, or None where it is not there."""

    def check(self) -> None:
        """See whether the place answers.

        Raises:
            TemporaryError: it cannot be reached.
            UserError: it refuses who asks.
        """

    def holds(self, oid: str, size: int | None) -> bool:
        """Whether an object is here as it should be; its size where that is known. Threads may call this at once."""

    def write(self, oid: str, source: Path) -> None:
        """Copy an object here from a file whose hash is right. Threads may call this at once."""

    def objects(self) -> set[str]:
        """The hashes of all objects."""

    def present(self) -> set[str]:
        """The hashes of the objects that can be read now."""

    def md5(self, oid: str) -> str | None:
        """The MD5 of an object's bytes, read piece by piece; None where they cannot be read."""

    def place(self, oid: str) -> str:
        """Where an object stands, for people."""

    def remove(self, oid: str) -> int:
        """Remove an object with all its versions; returns how many there were."""

    def remove_runs_naming(self, text: bytes) -> int:
        """Remove the entries of DVC's run cache that hold a text; returns how many."""


@dataclass(frozen=True, slots=True)
class FolderStore:
    """A cache or remote in a folder."""

    name: str
    root: Path

    @property
    def is_there(self) -> bool:
        """Whether the folder holds any objects: one that does not may be a volume that is not mounted."""
        return (self.root / _OBJECTS).is_dir()

    def path(self, oid: str) -> Path:
        """Where an object stands."""
        return self.root / _OBJECTS / oid[:2] / oid[2:]

    def read(self, oid: str) -> bytes | None:
        """An object's bytes."""
        try:
            return self.path(oid).read_bytes()
        except FileNotFoundError:
            return None

    def check(self) -> None:
        """A folder is asked when it is read."""

    def holds(self, oid: str, size: int | None) -> bool:
        """Whether an object of that size is there."""
        path = self.path(oid)
        return path.is_file() and size in {None, path.stat().st_size}

    def write(self, oid: str, source: Path) -> None:
        """Copy an object here."""
        with written_durably(self.path(oid), mode=0o444) as temporary:
            shutil.copyfile(source, temporary)

    def objects(self) -> set[str]:
        """The hashes of all objects."""
        return {path.parent.name + path.name for path in (self.root / _OBJECTS).glob("??/*") if path.is_file()}

    def present(self) -> set[str]:
        """The same as `objects`."""
        return self.objects()

    def md5(self, oid: str) -> str | None:
        """The MD5 of an object's bytes."""
        try:
            return md5_of(self.path(oid))
        except OSError:
            # A sector that the disk cannot read any more is damage like any other.
            return None

    def place(self, oid: str) -> str:
        """The object's file."""
        return str(self.path(oid))

    def remove(self, oid: str) -> int:
        """Remove an object, and its folder if that is empty then."""
        path = self.path(oid)
        if not path.is_file():
            return 0
        path.unlink()
        if not any(path.parent.iterdir()):
            path.parent.rmdir()
        return 1

    def remove_runs_naming(self, text: bytes) -> int:
        """Remove the entries of DVC's run cache that hold a text."""
        naming = [path for path in (self.root / _RUNS).rglob("*") if path.is_file() and text in path.read_bytes()]
        for path in naming:
            path.unlink()
            if not any(path.parent.iterdir()):
                path.parent.rmdir()
        return len(naming)


@dataclass(frozen=True, slots=True)
class S3Store:
    """A remote in a bucket."""

    name: str
    bucket: S3Objects

    def read(self, oid: str) -> bytes | None:
        """An object's newest bytes."""
        return self.bucket.read(_key(oid))

    def check(self) -> None:
        """See whether the bucket answers."""
        self.bucket.check()

    def holds(self, oid: str, size: int | None) -> bool:
        """Whether an object has the bytes that its hash names."""
        return self.bucket.holds(_key(oid), oid.removesuffix(".dir"), size)

    def write(self, oid: str, source: Path) -> None:
        """Copy an object here, in parts where it is large."""
        self.bucket.write(_key(oid), source)

    def objects(self) -> set[str]:
        """The hashes of all objects of which any version is left."""
        return {name.removeprefix(_OBJECTS).replace("/", "") for name in self.bucket.names(_OBJECTS)}

    def present(self) -> set[str]:
        """The hashes of the objects that can be read now."""
        return {name.removeprefix(_OBJECTS).replace("/", "") for name in self.bucket.current(_OBJECTS)}

    def md5(self, oid: str) -> str | None:
        """The MD5 of an object's newest bytes, read piece by piece."""
        return self.bucket.md5(_key(oid))

    def place(self, oid: str) -> str:
        """The object's address."""
        return self.bucket.address(_key(oid))

    def remove(self, oid: str) -> int:
        """Remove all versions and delete markers of an object."""
        return self.bucket.remove(_key(oid))

    def remove_runs_naming(self, text: bytes) -> int:
        """Remove the entries of DVC's run cache that hold a text."""
        naming = [name for name in self.bucket.names(_RUNS) if text in (self.bucket.read(name) or b"")]
        return sum(self.bucket.remove(name) > 0 for name in naming)


def _key(oid: str) -> str:
    return f"{_OBJECTS}{oid[:2]}/{oid[2:]}"


@dataclass(frozen=True, slots=True)
class Stores:
    """All places with objects of a study.

    Args:
        cache: DVC's cache.
        remotes: those that we can look into.
        unreachable: names of configured remotes of other kinds, which are beyond our reach.
    """

    cache: FolderStore
    remotes: tuple[Store, ...]
    unreachable: tuple[str, ...] = ()
    _folders: dict[str, dict[str, str] | None] = field(default_factory=dict, repr=False)

    def files_of(self, folder: str) -> dict[str, str] | None:
        """What a folder's object lists, by path, from the first place that has it whole; None where none has."""
        if folder not in self._folders:
            contents = (store.read(folder) for store in self.places)
            content = next((c for c in contents if c is not None and _is(folder, c)), None)
            listed = None if content is None else json.loads(content)
            self._folders[folder] = None if listed is None else {row["relpath"]: row["md5"] for row in listed}
        return self._folders[folder]

    @property
    def places(self) -> tuple[Store, ...]:
        """Cache and remotes."""
        return (self.cache, *self.remotes)


def stores_of(study: Study, shared: str | None = None) -> Stores:
    """The stores of a study, as DVC's settings in it say.

    Args:
        study: the study.
        shared: in place of what `.dvc/config` says now.

    Raises:
        UserError: the settings cannot be read.
    """
    config = configparser.ConfigParser(interpolation=None)
    settings_folder = study.root / ".dvc"
    try:
        if shared is None:
            config.read(settings_folder / "config", encoding="utf-8")
        else:
            config.read_string(shared)
        config.read(settings_folder / "config.local", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError) as error:
        raise UserError(
            f"DVC's settings {settings_folder}/config cannot be read: `git checkout -- .dvc/config`"
        ) from error
    cache = settings_folder / config.get("cache", "dir", fallback="cache")
    remotes: list[Store] = []
    unreachable = []
    for section in config.sections():
        if not section.strip("'").startswith("remote "):
            continue
        name = f"remote {section.strip(chr(39)).removeprefix('remote ').strip(chr(34))}"
        settings = dict(config[section])
        store = _remote(name, settings, settings_folder)
        if store is None:
            unreachable.append(f"{name} ({settings.get('url', 'without a url')})")
        else:
            remotes.append(store)
    return Stores(FolderStore("cache", cache), tuple(remotes), tuple(unreachable))


def _remote(name: str, settings: Mapping[str, str], beside: Path) -> Store | None:
    url = settings.get("url", "")
    if url.startswith("s3://"):
        for secret in _SECRETS:
            if secret in settings:
                option = f"`dvc remote modify {name.removeprefix('remote ')} --unset {secret}`, also with --local"
                raise UserError(f"DVC's settings hold a {secret}: credentials come from AWS's standard chain. {option}")
        return S3Store(name, S3Objects(*bucket_and_prefix(url), settings))
    if "://" in url or not url:
        return None
    # DVC reads a relative path from the folder of its settings.
    return FolderStore(name, beside / url)


def _is(oid: str, content: bytes) -> bool:
    return hashlib.md5(content, usedforsecurity=False).hexdigest() == oid.removesuffix(".dir")


def md5_of(path: Path) -> str:
    """A file's hash as DVC names its object."""
    with path.open("rb") as file:
        # DVC names objects so; it guards against damage, not against an attacker.
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
