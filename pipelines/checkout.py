"""The warehouse of an earlier version, built again from what DVC keeps."""

import logging
import shutil
import tempfile
from pathlib import Path

from pipelines.errors import UserError
from pipelines.older_lake import bring_up
from pipelines.params import read_params
from pipelines.publish import build
from pipelines.repository import Repository, tag_name, version_name
from pipelines.study import Study
from pipelines.tombstone import read_tombstones
from pipelines.validate import read_report
from pipelines.vault_records import Tombstone
from pipelines.version import note_sum, version_record
from pipelines.warehouse import warehouse_file

log = logging.getLogger("painlake")


def find_version(study: Study, text: str) -> int:
    """The number of a version as people write it: `v0003`, `3` or `dataset-v0003`.

    Raises:
        UserError: there is no such version.
    """
    number = text.removeprefix("dataset-").removeprefix("v")
    known = Repository(study.root).versions()
    if not number.isdecimal() or int(number) not in known:
        names = ", ".join(version_name(each) for each in known) or "none yet"
        raise UserError(f"no version {text}; there are: {names}")
    return int(number)


def checkout(study: Study, number: int) -> Path:
    """The DuckDB file of a version: the one that stands, or one built again beside it.

    The study itself stays at its current version.

    Args:
        study: the study.
        number: of a version that exists.

    Returns:
        The file. Persons that were erased since are not in it, but for a row each in `meta.erased`.
    """
    target = warehouse_file(study.warehouse, number)
    if target.is_file():
        return target
    return rebuild(study, number)


def rebuild(study: Study, number: int) -> Path:
    """Build the DuckDB file of a version from what DVC keeps, in place of one that may stand; without the erased."""
    target = warehouse_file(study.warehouse, number)
    repository = Repository(study.root)
    with tempfile.TemporaryDirectory(prefix="checkout-", dir=study.state) as folder:
        lake = Path(folder) / "lake"
        missing = fetch(study, number, Path(folder))
        for differing in bring_up(lake):
            log.warning("%s was made by another PainLake: %s", version_name(number), differing)
        params = read_params(Path(folder) / "params.yaml")
        record = version_record(number, params, repository, lake / "index.yaml", repository.commit_of(number))
        results = read_report(Path(folder) / "reports" / "validation.json").results
        build(lake, target, record, results, params.publish, missing)
    note_sum(study, target)
    return target


def fetch(study: Study, number: int, folder: Path) -> list[Tombstone]:
    """Copy a version's files, but for the recordings themselves, from DVC's cache or its remote.

    Returns:
        The tombstones of those whom the version had and who were erased since: nothing of them is copied.
    """
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - two seconds that only this needs

    system = DVCFileSystem(str(study.root), rev=tag_name(number))
    tombstones = {each.pseudonym: each for each in read_tombstones(study.lake)}
    people = {Path(path).name for path in system.ls("lake", detail=False)}
    # Each by itself: listing an erased person's folder asks for objects that are gone.
    places = ["params.yaml", "reports", *(f"lake/{name}" for name in sorted(people - tombstones.keys()))]
    for name in places:
        for path in system.find(name) if system.isdir(name) else [name]:
            relative = path.lstrip("/")
            if relative.endswith((".age", ".dvc", ".gitignore")):
                continue
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            with system.open(path, "rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
    return [tombstones[name] for name in sorted(people & tombstones.keys())]
