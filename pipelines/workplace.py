"""Where a worker of a cluster does a unit of work: in the study's folder, or in one of its own that it fills from a bucket."""

import fcntl
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import PainLakeError
from pipelines.exchange_objects import DETAIL, bucket_of, is_bucket, put, table_name, unit_name
from pipelines.order import Order
from pipelines.params import Params
from pipelines.parcel import seal, unseal
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.stages import media_stage
from pipelines.storage import S3Objects
from pipelines.study import Study
from pipelines.worker_key import VARIABLE, answer_of, lease_of, still_wanted, taken_over, worker_key, write_answer

_OVER = "the run that ordered this is over"

_PREFIX = "painlake-workplace-"


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a unit of work needs, as a worker sees it.

    Args:
        lake: where files are read from and written to.
        params: the run's.
        recording: its facts.
        identity: gives the person's key, where the run still waits for the unit.
        leave: leaves something for the run alone to read; returns what it is called.
        sends_files: whether what was made is to be left so, since `lake` is the worker's own.
        lease: a file that is gone when the run waits no more.
    """

    lake: Path
    params: Params
    recording: Recording
    identity: Callable[[], str]
    leave: Callable[[Mapping[str, bytes]], str]
    sends_files: bool
    lease: Path | None = None


def workplace_of(order: Order) -> AbstractContextManager[Workplace]:
    """The place for an order, until it is done.

    Raises:
        PainLakeError: what it needs is not there, or is not for this worker.
    """
    return _filled(order) if is_bucket(order.place) else _shared(order)


# --- the study's folder ---


@contextmanager
def _shared(order: Order) -> Iterator[Workplace]:
    study = Study(Path(order.place))
    lease = lease_of(study.state, order.stage, order.recording, order.key)
    path = recordings_folder(study.lake, order.participant) / f"{order.recording}.json"

    def leave(files: Mapping[str, bytes]) -> str:
        still_wanted(lease)
        write_answer(answer_of(lease), files[DETAIL].decode(), worker_key())
        return ""

    try:
        recording = Recording.read(path)
    except FileNotFoundError as error:
        raise PainLakeError(
            f"this worker does not see {path}: the study must be on a shared file system, or name a bucket in "
            "study.exchange"
        ) from error
    yield Workplace(
        study.lake,
        study.params(),
        recording,
        lambda: taken_over(lease, worker_key()),
        leave,
        sends_files=False,
        lease=lease,
    )


# --- a folder of its own ---


@contextmanager
def _filled(order: Order) -> Iterator[Workplace]:
    objects, name = bucket_of(order.place), unit_name(order.stage, order.recording, order.key)
    files = _order_in(objects, f"{name}order", order)

    def leave(made: Mapping[str, bytes]) -> str:
        if f"{name}order" not in objects.current(name):
            raise PainLakeError(_OVER)
        # A name of its own: a worker that was taken for dead may be about to leave the same.
        left = f"{name}result.{secrets.token_hex(8)}"
        put(objects, left, seal(made, files["recipient"].decode()))
        return left

    with _own_folder() as lake:
        folder = recordings_folder(lake, order.participant)
        folder.mkdir(parents=True)
        (folder / f"{order.recording}.json").write_bytes(files["recording.json"])
        recording = Recording.read(folder / f"{order.recording}.json")
        for need in media_stage(order.stage).needs:
            for path in media_stage(need).files(lake, recording):
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(files[table_name(path)])
        if "recording.sha256" in files:
            sha256 = objects.fetch(f"{name}recording", folder / f"{order.recording}.age")
            if sha256 != files["recording.sha256"].decode():
                raise PainLakeError(f"what lies at {order.place} for {order.recording} is not what the run left there")
        params = Params.model_validate_json(files["params.json"])
        yield Workplace(lake, params, recording, files["identity"].decode, leave, sends_files=True)


def _order_in(objects: S3Objects, name: str, order: Order) -> dict[str, bytes]:
    sealed = objects.read(name)
    if sealed is None:
        raise PainLakeError(_OVER)
    if hashlib.sha256(sealed).hexdigest() != order.sha256:
        raise PainLakeError(f"what lies at {order.place} for {order.recording} is not what the run left there")
    key = worker_key()
    try:
        return unseal(sealed, key)
    except PainLakeError as error:
        raise PainLakeError(f"this worker's {VARIABLE} is not that of the run") from error


@contextmanager
def _own_folder() -> Iterator[Path]:
    """A folder for this unit alone; what a worker that was killed left of its own goes, too."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(left):
            shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix="painlake-"))
    with _locked(new):
        # Held before it has the name that others look for.
        folder = new.rename(new.with_name(new.name.replace("painlake-", _PREFIX, 1)))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder as its worker does; the kernel lets go when that ends, however it ends.

    Raises:
        BlockingIOError: another process holds it.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)
