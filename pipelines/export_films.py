"""Handing out the films that the engine `openface` waits for, so that OpenFace can run on another machine.

Films are the persons themselves: they are written where the caller says and nowhere else, readable for their owner
alone, stripped and under their pseudonymous names, and each is in the audit log before it is written. Of who took back
consent none is.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from pipelines.audit import open_audit
from pipelines.confine import Limits
from pipelines.desk import Desk
from pipelines.durable import write_durably
from pipelines.errors import PainLakeError, Rejection, UserError
from pipelines.handover import within_reach
from pipelines.lake import recordings
from pipelines.landing_zone import Readable, open_landing
from pipelines.ledger import Ledger
from pipelines.openface_input import find_csv
from pipelines.params_face import OpenFaceParams
from pipelines.pool import Workers
from pipelines.pseudonymise import open_recording
from pipelines.quarantine import Quarantine
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.withdrawals import withdrawn

_WAITING = frozenset({"ENGINE_INPUT_MISSING", "ENGINE_INPUT_UNFIT"})


def export_films(study: Study, folder: Path) -> list[Path]:
    """Write the films of all recordings that have no CSV in `face.openface.csv_folder`: current ones and waiting ones.

    Args:
        study: the study.
        folder: a new or empty folder outside study, vault and landing zone; it gets mode 0700, its files 0600.

    Returns:
        The files: `<recording>.mp4` or `.mkv`.

    Raises:
        UserError: no folder of CSV files is set, the place will not do, or the vault does not open.
        RunInProgressError: a run holds the study.
        PainLakeError: a film cannot be written.
    """
    openface = study.params().face.openface
    if openface.csv_folder is None:
        raise UserError("set face.openface.csv_folder in params.yaml: films are handed out for its CSV files alone")
    _check_place(study, folder)
    written = []
    with study.held(), _opened(study) as desk:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            for name, film in _films(desk, openface):
                path = folder / f"{name}{_suffix(film)}"
                write_durably(path, film, mode=0o600)
                written.append(path)
        except OSError as error:
            raise PainLakeError(f"{folder} cannot be written: {error.strerror}") from error
    return written


def _check_place(study: Study, folder: Path) -> None:
    landing = study.params().study.landing
    closed = [study.root, study.vault, *([] if landing.startswith("s3://") else [study.root / landing])]
    if any(folder.resolve().is_relative_to(place.resolve()) for place in closed):
        raise UserError(f"{folder} is inside the study, its vault or its landing zone: write elsewhere")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is not empty: name a new folder")


@contextmanager
def _opened(study: Study) -> Iterator[Desk]:
    params = study.params()
    vault = Vault.open(study.vault)
    landing = open_landing(params.study.landing, study.root)
    audit = open_audit(study, vault)
    try:
        with closing(Ledger(study.ledger)) as ledger:
            quarantine = Quarantine(study.quarantine, vault, audit, ledger)
            now = datetime.now(tz=UTC)
            yield Desk(landing, study.lake, vault, ledger, quarantine, params, now, audit)
    finally:
        audit.save_head()
        audit.close()


def _films(desk: Desk, openface: OpenFaceParams) -> Iterator[tuple[str, bytes]]:
    """Names and films, one at a time in memory."""
    for recording in recordings(desk.lake):
        if recording.superseded or withdrawn(desk, recording.participant) or _has_csv(recording.recording, openface):
            continue
        _enter(desk, recording.recording)
        yield (
            recording.recording,
            open_recording(desk.lake, recording, desk.vault.of_pseudonym(recording.participant).identity),
        )
    with Workers(1, Limits.of(desk.params.study)) as workers:
        for entry in desk.ledger.waiting():
            path = desk.vault.name_of(entry.delivery)
            if not _WAITING & set(entry.codes) or entry.participant is None or entry.sha256 is None or path is None:
                continue
            # As the judge names it when it lets it in again.
            name = f"{entry.participant}-{desk.vault.label('recording', entry.sha256)}"
            if withdrawn(desk, entry.participant) or _has_csv(name, openface):
                continue
            _enter(desk, name)
            try:
                with within_reach(desk.source.holder(path), path) as reachable:
                    film = workers.run(stripped, reachable, path)
            except Rejection as error:
                raise PainLakeError(f"{name} cannot be handed out: {error.code}, {error.detail}") from error
            yield name, film


def _has_csv(name: str, openface: OpenFaceParams) -> bool:
    try:
        return find_csv(name, openface) is not None
    except Rejection:
        return False


def _enter(desk: Desk, name: str) -> None:
    if desk.audit is None:
        raise PainLakeError("films are handed out with an audit log alone")
    desk.audit.append("recording_decrypted", name, {"stage": "export"})


def stripped(source: Readable, path: str) -> bytes:
    """A delivered film without anything but picture and sound; runs in a worker.

    Raises:
        Rejection: it cannot be read or stripped.
    """
    # Here: it decodes, which is a worker's work.
    from pipelines.strip import strip  # noqa: PLC0415 - see above

    return strip(source.read(path), PurePosixPath(path).suffix.lower()).media


def _suffix(film: bytes) -> str:
    return ".mp4" if film[4:8] == b"ftyp" else ".mkv"
