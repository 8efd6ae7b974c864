"""DVC's records of the lake: its cache, the `.dvc` files and `dvc.lock`, entered for the persons whose data changed.

What `dvc add` and `dvc commit --force` would do for them, to the same hashes, so that `dvc status`, `push`, `checkout`
and `repro` find their own. DVC's commands read the records of everybody at each call (at 2,000 people minutes a night);
here a night's cost follows what is new. Where `dvc.yaml` is not as PainLake made it, or a record not as DVC or PainLake
writes it, DVC does it itself.
"""

import fcntl
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from pipelines.durable import write_durably
from pipelines.durable_steps import durable_step
from pipelines.dvc_objects import Hashed, LakeHashes, enter_folder, flush, hash_of_file, in_folder
from pipelines.errors import PainLakeError
from pipelines.known import store_of
from pipelines.repository import Repository
from pipelines.stages import MEDIA_STAGES
from pipelines.stores import FolderStore, stores_of
from pipelines.study import Study, template

_ADDED = ("recordings", "clinical")
"""Folders that come from landing, before any stage."""
_HEAD = "schema: '2.0'\nstages:\n"
_STAGE = re.compile(r"^  ([A-Za-z0-9_@-]+):\n", re.MULTILINE)
_LOCK_WAIT_S = 60.0


def enter(study: Study, repository: Repository, changed: Sequence[str], indexed: Sequence[str]) -> None:
    """Enter the folders of persons, and the outputs of their stages, as they stand.

    Args:
        study: the study.
        repository: its repository.
        changed: persons whose data may have changed.
        indexed: everyone with recordings: whose stages there are.

    Raises:
        PainLakeError: an output is not there.
    """
    there = [person for person in changed if (study.lake / person).is_dir()]
    with_stages = [person for person in there if person in set(indexed)]
    before = _Lock.read(study)
    if before is None:
        folders = [study.lake / person / name for person in there for name in _ADDED]
        repository.add([folder for folder in folders if folder.is_dir()])
        stages = [f"{stage.name}@{person}" for person in with_stages for stage in MEDIA_STAGES]
        repository.accept([*stages, "validate", "publish"])
        return
    with _held(study):
        hashes = LakeHashes(study.lake, store_of(study.state))
        records = _Records(study, stores_of(study).cache, hashes)
        of_persons = {person: records.enter_folders(person, person in with_stages) for person in there}
        flush()
        with durable_step("repository.add"):
            for person, hashed in of_persons.items():
                records.write_dvc_files(person, hashed)
        with durable_step("repository.accept"):
            found = dict(before.entries)
            for person in with_stages:
                found.update(records.of_person(person, of_persons[person]))
            found.update(records.of_all(hashes.whole()))
            _Lock(found).write(study)


@dataclass(frozen=True, slots=True)
class _Lock:
    """The text of each stage in `dvc.lock`, by its name."""

    entries: Mapping[str, str]

    @classmethod
    def read(cls, study: Study) -> "_Lock | None":
        """The lock, or None where the study's stages or their records are not as PainLake makes them."""
        pipeline = study.root / "dvc.yaml"
        if not pipeline.is_file() or pipeline.read_bytes() != template("dvc.yaml").read_bytes():
            return None
        path = study.root / "dvc.lock"
        text = path.read_text(encoding="utf-8") if path.is_file() else _HEAD
        if not text.startswith(_HEAD):
            return None
        parts = _STAGE.split(text[len(_HEAD) :])
        return cls(dict(zip(parts[1::2], parts[2::2], strict=True))) if not parts[0].strip() else None

    def write(self, study: Study) -> None:
        """Write the lock, in an order that does not depend on what was entered when."""
        names = list(yaml.safe_load(template("dvc.yaml").read_text(encoding="utf-8"))["stages"])
        order = {name: place for place, name in enumerate(names)}

        def place(name: str) -> tuple[int, str]:
            stage, _, person = name.partition("@")
            return order.get(stage, len(order)), person

        text = "".join(f"  {name}:\n{self.entries[name]}" for name in sorted(self.entries, key=place))
        content = (_HEAD + text).encode()
        path = study.root / "dvc.lock"
        if not path.is_file() or path.read_bytes() != content:
            write_durably(path, content)


class _Records:
    """The records of persons, put together from their hashes and `dvc.yaml`."""

    def __init__(self, study: Study, cache: FolderStore, hashes: LakeHashes) -> None:
        self._study = study
        self._cache = cache
        self._hashes = hashes
        self._stages: dict[str, Any] = yaml.safe_load((study.root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
        self._params = {
            name: _as_text(self._params_of(stage.get("do", stage)["params"])) for name, stage in self._stages.items()
        }

    def _params_of(self, named: Sequence[str | Mapping[str, Sequence[str]]]) -> dict[str, dict[str, Any]]:
        """The values of the parameters that a stage names, by file."""
        found: dict[str, dict[str, Any]] = {}
        for each in named:
            wanted = {"params.yaml": [each]} if isinstance(each, str) else each
            for file, keys in wanted.items():
                values = self._values(file)
                for key in keys:
                    value: Any = values
                    for part in key.split("."):
                        value = value[part]
                    found.setdefault(file, {})[key] = value
        return found

    def _values(self, file: str) -> Any:
        text = (self._study.root / file).read_text(encoding="utf-8")
        if file == "params.yaml":
            return _loaded(text)
        # Of the index its code alone: the persons come last, and are many.
        return yaml.safe_load(text.partition("\npeople:")[0])

    def enter_folders(self, person: str, with_stages: bool) -> dict[str, Hashed]:  # noqa: FBT001 - a fact about the person
        """Put a person's folders into the cache; gives their hashes by name."""
        files = self._hashes.of_person(person)
        folder = self._study.lake / person
        names = [name for name in _ADDED if (folder / name).is_dir()]
        if with_stages:
            names += [name for stage in self._foreach() for name in self._outs(stage)]
        missing = [name for name in names if not (folder / name).is_dir()]
        if missing:
            raise PainLakeError(f"lake/{person}/{missing[0]} is not there: the next run makes it again")
        return {name: enter_folder(self._cache, folder / name, in_folder(files, name)) for name in names}

    def _foreach(self) -> list[str]:
        return [name for name, stage in self._stages.items() if "foreach" in stage]

    def _outs(self, stage: str) -> list[str]:
        return [path.rpartition("/")[2] for each in self._stages[stage]["do"]["outs"] for path in each]

    def write_dvc_files(self, person: str, hashed: Mapping[str, Hashed]) -> None:
        """Write the `.dvc` files of what comes from landing, and what keeps git from taking the data in."""
        folder = self._study.lake / person
        for name in _ADDED:
            if name in hashed:
                each = hashed[name]
                text = f"outs:\n- md5: {each.oid}\n  size: {each.size}\n  nfiles: {each.nfiles}\n  hash: md5\n  path: {name}\n"
                _write(folder / f"{name}.dvc", text)
        ignored = folder / ".gitignore"
        lines = ignored.read_text(encoding="utf-8").splitlines() if ignored.is_file() else []
        lines += [f"/{name}" for name in hashed if f"/{name}" not in lines]
        _write(ignored, "".join(f"{line}\n" for line in lines))

    def of_person(self, person: str, hashed: Mapping[str, Hashed]) -> Iterator[tuple[str, str]]:
        """A person's stages with their texts in the lock."""
        by_path = {f"lake/{person}/{name}": each for name, each in hashed.items()}
        for name in self._foreach():
            yield f"{name}@{person}", self._text(name, self._stages[name]["do"], by_path, person)

    def of_all(self, lake: Hashed) -> Iterator[tuple[str, str]]:
        """The stages that are nobody's; they have not been entered before their inputs and outputs are there."""
        by_path = {"lake": lake}
        for path in ("reports/validation.json", "reports/dataset.json"):
            file = self._study.root / path
            if not file.is_file():
                raise PainLakeError(f"{path} is not there: validate first")
            by_path[path] = hash_of_file(file)
        for name, stage in self._stages.items():
            if "foreach" not in stage:
                yield name, self._text(name, stage, by_path, "")

    def _text(self, name: str, stage: Mapping[str, Any], by_path: Mapping[str, Hashed], person: str) -> str:
        outs = [path for each in (*stage.get("outs", ()), *stage.get("metrics", ())) for path in each]
        lines = [f"    cmd: {stage['cmd']}", "    deps:", *_entries(stage["deps"], by_path, person)]
        text = "\n".join(lines) + f"\n    params:\n{self._params[name]}    outs:\n"
        text += "\n".join(_entries(outs, by_path, person)) + "\n"
        return text.replace("${item}", person)


def _entries(paths: Sequence[str], by_path: Mapping[str, Hashed], person: str) -> Iterator[str]:
    for path in sorted(each.replace("${item}", person) for each in paths):
        hashed = by_path[path]
        yield f"    - path: {path}\n      hash: md5\n      md5: {hashed.oid}\n      size: {hashed.size}"
        if hashed.nfiles is not None:
            yield f"      nfiles: {hashed.nfiles}"


def _write(path: Path, text: str) -> None:
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_durably(path, text.encode(), step=f"dvc_records.{path.name.rpartition('.')[2]}")


def _loaded(text: str) -> Any:
    # As DVC reads it: in YAML 1.2 `no` is a text and `1e-3` a number, in PyYAML's 1.1 it is the other way round.
    from ruamel.yaml import YAML  # noqa: PLC0415 - only a new version needs it

    return YAML(typ="safe", pure=True).load(text)


def _as_text(values: Mapping[str, Any]) -> str:
    """Parameters as they stand in the lock: as deep as there, since lines are broken by their length."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - as above

    written = StringIO()
    YAML().dump({"stages": {"stage": {"params": dict(values)}}}, written)
    return "".join(written.getvalue().splitlines(keepends=True)[3:])


@contextmanager
def _held(study: Study) -> Iterator[None]:
    """Hold DVC's own lock, as its commands do (`zc.lockfile`): somebody may be at work with them.

    Raises:
        PainLakeError: it stays taken.
    """
    path = study.root / ".dvc" / "tmp" / "lock"
    path.parent.mkdir(exist_ok=True)
    until = time.monotonic() + _LOCK_WAIT_S
    with path.open("a+") as handle:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() > until:
                    raise PainLakeError("DVC is at work in the study and holds its lock: try again later") from error
                time.sleep(0.2)
        yield
