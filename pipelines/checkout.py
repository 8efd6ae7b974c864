"""The warehouse of an earlier version, built again from what DVC keeps."""

import shutil
import tempfile
from pathlib import Path

from pipelines.errors import UserError
from pipelines.params import read_params
from pipelines.publish import build
from pipelines.repository import Repository, tag_name, version_name
from pipelines.study import Study
from pipelines.validate import read_report
from pipelines.version import version_record
from pipelines.warehouse import warehouse_file


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
        The file. Persons that were erased since are not in it.
    """
    target = warehouse_file(study.warehouse, number)
    if target.is_file():
        return target
    repository = Repository(study.root)
    with tempfile.TemporaryDirectory(prefix="checkout-", dir=study.state) as folder:
        lake = Path(folder) / "lake"
        fetch(study, number, Path(folder))
        params = read_params(Path(folder) / "params.yaml")
        record = version_record(number, params, repository, lake / "index.yaml", repository.commit_of(number))
        results = read_report(Path(folder) / "reports" / "validation.json").results
        build(lake, target, record, results, params.publish)
    return target


def fetch(study: Study, number: int, folder: Path) -> None:
    """Copy a version's files, but for the recordings themselves, from DVC's cache or its remote."""
    from dvc.api import DVCFileSystem  # noqa: PLC0415 - two seconds that only this needs

    system = DVCFileSystem(str(study.root), rev=tag_name(number))
    for name in ("params.yaml", "lake", "reports"):
        for path in [name] if name.endswith(".yaml") else system.find(name):
            relative = path.lstrip("/")
            if relative.endswith((".age", ".dvc", ".gitignore")):
                continue
            target = folder / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            with system.open(path, "rb") as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
