"""Taking a person out of the dataset: lake, index, DVC's files, and a published version without them."""

import shutil
from contextlib import suppress

import yaml

from pipelines.checkout import rebuild
from pipelines.durable import sync, write_durably
from pipelines.erasing import Erasing
from pipelines.errors import PainLakeError, TemporaryError, UserError
from pipelines.faultpoints import fault_point
from pipelines.repository import version_name
from pipelines.version import Versioning
from pipelines.warehouse import CURRENT, make_current


def remove_from_lake(erasing: Erasing) -> None:
    """Delete the person's folder with its `.dvc` files, and their entries in the index and in `dvc.lock`."""
    folder = erasing.study.lake / erasing.pseudonym
    erasing.count("files_in_the_lake", sum(path.is_file() for path in folder.rglob("*")))
    if folder.is_dir():
        shutil.rmtree(folder)
        sync(erasing.study.lake)
    fault_point("erase.lake.folder")
    index = erasing.study.index
    if index.is_file():
        text = index.read_text(encoding="utf-8")
        write_durably(index, text.replace(f"- {erasing.pseudonym}\n", "").encode())
    lock = erasing.study.root / "dvc.lock"
    if lock.is_file():
        write_durably(lock, without_stages(lock.read_text(encoding="utf-8"), erasing.pseudonym).encode())


def without_stages(lock: str, person: str) -> str:
    """The text of a `dvc.lock` without a person's stages; everybody else's stay byte for byte.

    Raises:
        PainLakeError: the text is not laid out as DVC does it.
    """
    kept = []
    dropping = False
    for line in lock.splitlines(keepends=True):
        if not line.startswith("   ") and line.strip():
            dropping = line.startswith("  ") and line.strip().endswith(f"@{person}:")
        if not dropping:
            kept.append(line)
    text = "".join(kept)
    before, after = yaml.safe_load(lock)["stages"], yaml.safe_load(text)["stages"] or {}
    if after != {name: stage for name, stage in before.items() if not name.endswith(f"@{person}")}:
        raise PainLakeError("dvc.lock is laid out in an unknown way: run `dvc commit --force`, then try again")
    return text


def publish_without(erasing: Erasing) -> None:
    """Make a new version without the person, and publish it.

    Where data of others wait for the next night or do not pass the checks, or there are no others, nothing is published
    here: the last version is built again without the person and stays current.
    """
    versioning = Versioning(erasing.study, erasing.params, erasing.ledger, erasing.repository)
    if not erasing.repository.versions():
        erasing.repository.commit("Erase a person")
        erasing.journal.published = "nothing had been published"
        return
    if versioning.has_people() and not erasing.ledger.dirty():
        outcome = erasing.check(
            erasing.study.lake, erasing.study.reports / "validation.json", erasing.params.validation
        )
        if outcome.passed:
            commit = versioning.commit()
            number = max(erasing.repository.versions())
            if commit is not None:
                number = versioning.publish(commit, outcome)
            with suppress(TemporaryError, UserError):
                # The next run pushes.
                versioning.push()
            erasing.journal.published = f"{version_name(number)} is published without the person"
            return
    erasing.repository.commit("Erase a person")
    number = max(erasing.repository.versions())
    make_current(rebuild(erasing.study, number))
    erasing.journal.published = (
        f"{version_name(number)} was built again without the person; the next run publishes what waits of others"
    )


def remove_older_files(erasing: Erasing) -> None:
    """Delete every built DuckDB file but the current one: they hold the person, and can be built again without."""
    current = (erasing.study.warehouse / CURRENT).resolve()
    found = [path for path in erasing.study.warehouse.glob("*") if path.name != CURRENT]
    found += erasing.study.warehouse.glob(".*.partial*")
    old = sorted({path for path in found if path.is_file() and path.resolve() != current})
    erasing.count("warehouse_files", len(old))
    for path in old:
        path.unlink()
