"""A unit of work as it is sent to another machine: pseudonyms and paths; and how it is carried out there.

The worker takes all else from the study's folder, which it sees under the same path: the recording's sidecar, the
parameters, and the person's key, left for it under the workers' own. It works out the unit's key by itself, so that a
machine with other code, libraries, models or parameters does nothing rather than something else.
"""

import multiprocessing
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pipelines.confine import Limits
from pipelines.disk import disk_error
from pipelines.errors import PainLakeError, Rejection, in_short
from pipelines.params import Params
from pipelines.params_face import FaceParams
from pipelines.pool import Workers
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.selftest import check_engines
from pipelines.stages import media_stage
from pipelines.study import Study
from pipelines.work import Done, Unit, do_unit, finished, key_of
from pipelines.worker_key import lease_of, taken_over, worker_key


@dataclass(frozen=True, slots=True)
class Order:
    """A unit of work, to be done elsewhere.

    Args:
        study: the study's folder, by the path that all machines know it by.
        stage: the media stage.
        participant: a pseudonym.
        recording: its pseudonymous name.
        key: what the result is filed under.
    """

    study: str
    stage: str
    participant: str
    recording: str
    key: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order; one of these, the others are empty.

    Args:
        sha256: of the unit's files, which are in the lake.
        code: the recording cannot be measured (`schemas.faults`), with what was found in `detail`.
        error: it could not be done for a reason that is not the recording's own.
        disk: the study's disk cannot be written.
    """

    sha256: str = ""
    code: str = ""
    detail: str = ""
    error: str = ""
    disk: str = ""


def carry_out(order: Order) -> Outcome:
    """Do a unit of work, in a confined process of this machine; whatever happens is told, and nothing is raised."""
    try:
        return Outcome(sha256=_done(order).sha256)
    except Rejection as refused:
        return Outcome(code=refused.code, detail=refused.detail)
    except Exception as error:  # noqa: BLE001 - an error that travelled would take its message and trace along
        unwritable = disk_error(error, Path(order.study))
        if unwritable is not None:
            return Outcome(disk=str(unwritable))
        return Outcome(error=str(error) if isinstance(error, PainLakeError) else in_short(error))


def _done(order: Order) -> Done:
    study = Study(Path(order.study))
    params = study.params()
    limits = Limits.of(params.study)
    recording = _recording(study, order)
    if _key_here(study, order, recording, params) != order.key:
        raise PainLakeError(
            "this worker has other code, libraries, models or parameters than the run: install the same there"
        )
    _try_engines(params.face, limits)
    lease = lease_of(study.state, order.stage, order.recording, order.key)
    identity = taken_over(lease, worker_key())
    unit = Unit(order.stage, recording, study.lake, params, order.key, identity, lease)
    with _confined(limits) as workers:
        return workers.run(do_unit, unit)


def _recording(study: Study, order: Order) -> Recording:
    path = recordings_folder(study.lake, order.participant) / f"{order.recording}.json"
    try:
        return Recording.read(path)
    except FileNotFoundError as error:
        raise PainLakeError(f"this worker does not see {path}: the study must be on a shared file system") from error


def _key_here(study: Study, order: Order, recording: Recording, params: Params) -> str:
    """The order's key as it comes out with the code, parameters and files that this machine sees."""
    stage = media_stage(order.stage)
    outputs = {}
    for name in stage.needs:
        before = finished(media_stage(name), study.lake, recording)
        if before is None:
            raise PainLakeError(f"this worker does not see what {name} made of {order.recording}")
        outputs[name] = before.sha256
    return key_of(stage, recording, params, outputs)


@cache
def _try_engines(face: FaceParams, limits: Limits) -> None:
    """Once on each worker, before a recording could be blamed for what is wrong with the machine."""
    with _confined(limits) as workers:
        try:
            workers.run(check_engines, face)
        except Rejection as error:
            raise PainLakeError(f"the engines do not run on this worker: {error.code}, {error.detail}") from error


_idle: dict[Limits, list[Workers]] = {}
_lock = threading.Lock()


@contextmanager
def _confined(limits: Limits) -> Iterator[Workers]:
    """A confined process for this thread alone; it stays for the next order, and ends with this process."""
    with _lock:
        idle = _idle.setdefault(limits, [])
        workers = idle.pop() if idle else None
    if workers is None:
        # Dask's workers are daemons, to whom Python denies children; ours see to it that they end with them.
        multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]  # noqa: SLF001 - see above
        workers = Workers(1, limits)
    try:
        yield workers
    finally:
        with _lock:
            idle.append(workers)
