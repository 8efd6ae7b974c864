"""The export of recordings' annotations for ELAN, from the published warehouse.

Frame by frame what a face and a voice do could tell who it was to one who has another recording of them
(`schemas.core.Tier.FEATURE`): so the files are for their owner alone, never inside the study, and each making of some
is in the audit log.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.audit import open_audit
from pipelines.checkout import checkout, find_version
from pipelines.durable import write_durably
from pipelines.elan import Document, write_eaf
from pipelines.elan_tiers import tiers_of
from pipelines.errors import PainLakeError, UserError
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.warehouse import current_file, open_warehouse

_MODE = 0o600
PSPI_THRESHOLD = 2.0
"""From here on PSPI is marked: above what a face at rest gives an engine."""


@dataclass(frozen=True, slots=True)
class Choice:
    """How to export.

    Args:
        version: of the dataset, such as v0001; None for the current one.
        pspi_threshold: from which PSPI on an interval of pain is marked.
        force: whether files that are there are replaced.
    """

    version: str | None = None
    pspi_threshold: float = PSPI_THRESHOLD
    force: bool = False


def export_recording(study: Study, recording: str, file: Path, choice: Choice) -> list[Path]:
    """Write the annotations of one recording.

    Args:
        study: the study.
        recording: its name, as in the table `recordings`.
        file: a new file outside the study; it gets mode 0600.
        choice: how.

    Returns:
        The file, in a list.

    Raises:
        UserError: there is no such recording or version, or the place will not do.
        RunInProgressError: a run holds the study.
        PainLakeError: it cannot be written; nothing stays.
    """
    if not file.absolute().parent.is_dir():
        raise UserError(f"{file.parent} is no folder: make it first")
    return _export(study, {recording: file}, choice)


def export_all(study: Study, folder: Path, choice: Choice) -> list[Path]:
    """Write the annotations of every current recording, each to `<recording>.eaf` in a folder, made if need be.

    Returns:
        The files, by recording.

    Raises:
        UserError: there is no such version, or the place will not do.
        RunInProgressError: a run holds the study.
        PainLakeError: a file cannot be written; those before it stay, whole.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is no folder: name one")
    return _export(study, folder, choice)


def _export(study: Study, target: Path | Mapping[str, Path], choice: Choice) -> list[Path]:
    places = [target] if isinstance(target, Path) else list(target.values())
    _check_outside(study, places)
    with study.held():
        vault = Vault.open(study.vault)
        warehouse = (
            current_file(study.warehouse)
            if choice.version is None
            else checkout(study, find_version(study, choice.version))
        )
        known = _recordings(warehouse)
        if isinstance(target, Path):
            files = {name: target / f"{name}.eaf" for name, is_current in known.items() if is_current}
        else:
            files = dict(target)
        _check(files, known, force=choice.force)
        audit = open_audit(study, vault)
        try:
            version = warehouse.stem.removeprefix("painlake-")
            subject = next(iter(files)) if len(files) == 1 else version
            audit.append("elan_exported", subject, {"version": version, "recordings": len(files)})
            if isinstance(target, Path):
                target.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(warehouse, files, choice)
        except OSError as error:
            raise PainLakeError(f"{places[0]} cannot be written: {error.strerror}") from error
        finally:
            audit.save_head()
            audit.close()
    return list(files.values())


def _check_outside(study: Study, places: Sequence[Path]) -> None:
    landing = study.params().study.landing
    closed = [study.root, study.vault]
    if not landing.startswith("s3://"):
        closed.append(study.root / landing)
    for place in places:
        where = place.absolute().parent.resolve() / place.name
        if any(where.resolve().is_relative_to(folder.resolve()) for folder in closed):
            raise UserError(f"{place} is inside the study, its vault or its landing zone: write elsewhere")


def _recordings(warehouse: Path) -> dict[str, bool]:
    """The recordings that a warehouse has, and whether each is a current one."""
    with open_warehouse(warehouse) as connection:
        rows = connection.execute("SELECT recording, status = 'current' FROM recordings ORDER BY recording").fetchall()
    return dict(rows)


def _check(files: Mapping[str, Path], known: Mapping[str, bool], *, force: bool) -> None:
    for recording, file in files.items():
        if recording not in known:
            raise UserError(f"no recording {recording} in this version: the table recordings has their names")
        if file.is_symlink() or file.is_dir() or (file.exists() and not force):
            hint = "name a new file" if file.is_symlink() or file.is_dir() else "name a new file, or add --force"
            raise UserError(f"{file} is there already: {hint}")


def _write(warehouse: Path, files: Mapping[str, Path], choice: Choice) -> None:
    with open_warehouse(warehouse) as connection:
        version, created_at, made_by = connection.execute(
            "SELECT version, created_at, painlake_version FROM meta.dataset_version"
        ).fetchone() or ("", None, "")
        pictured = dict(connection.execute("SELECT recording, width IS NOT NULL FROM recordings").fetchall())
        for recording, file in files.items():
            document = Document(
                recording,
                f"PainLake {made_by}",
                created_at,
                pictured[recording],
                (("PainLake dataset version", version),),
                tiers_of(connection, recording, choice.pspi_threshold),
            )
            write_durably(file, write_eaf(document), _MODE)
