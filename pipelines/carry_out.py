"""Carrying out an order on a worker of a cluster.

The worker takes all else than the order says from its workplace: the recording's sidecar, the parameters, and the
person's key, left for it under the workers' own. It works out the unit's key by itself, so that a machine with other
code, libraries, models or parameters does nothing rather than something else.
"""

import hashlib
import multiprocessing
import platform
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from pipelines.confine import Limits
from pipelines.disk import disk_error
from pipelines.errors import PainLakeError, Rejection, in_short
from pipelines.exchange_objects import DETAIL, is_bucket, table_name
from pipelines.order import Order, Outcome
from pipelines.params_face import FaceParams
from pipelines.pool import Workers
from pipelines.selftest import check_engines
from pipelines.stages import MEDIA_STAGES, media_stage
from pipelines.study import painlake_version
from pipelines.work import Unit, do_unit, finished, key_of
from pipelines.workplace import Workplace, workplace_of


def carry_out(order: Order) -> Outcome:
    """Do a unit of work, in a confined process of this machine; whatever happens is told, and nothing is raised."""
    try:
        with workplace_of(order) as place:
            return _done(order, place)
    except Exception as error:  # noqa: BLE001 - an error that travelled would take its message and trace along
        own = is_bucket(order.place)
        unwritable = disk_error(error, Path(tempfile.gettempdir() if own else order.place))
        if unwritable is not None:
            return Outcome(error=f"on a worker {unwritable}") if own else Outcome(disk=str(unwritable))
        return Outcome(error=str(error) if isinstance(error, PainLakeError) else in_short(error))


def build_here() -> str:
    """What this machine measures with: the version of Python, and a digest of code, libraries and engines' packages.

    Machines that give the same can work together; each order is held against parameters and models besides.
    """
    code = hashlib.sha256("".join(stage.code_sha256() for stage in MEDIA_STAGES).encode()).hexdigest()
    return f"PainLake {painlake_version()} ({code[:8]}) on Python {platform.python_version()}"


def _done(order: Order, place: Workplace) -> Outcome:
    if _key_here(order, place) != order.key:
        raise PainLakeError(
            "this worker has other code, libraries, models or parameters than the run: install the same there"
        )
    limits = Limits.of(place.params.study)
    _try_engines(place.params.face, limits)
    unit = Unit(
        order.stage, place.recording, place.lake, place.params, order.key, place.identity(), order.again, place.lease
    )
    try:
        with _confined(limits) as workers:
            done = workers.run(do_unit, unit)
    except Rejection as refused:
        return Outcome(code=refused.code, left=place.leave({DETAIL: refused.detail.encode()}))
    files = media_stage(order.stage).files(place.lake, place.recording)
    left = place.leave({table_name(path): path.read_bytes() for path in files}) if place.sends_files else ""
    return Outcome(sha256=done.sha256, left=left)


def _key_here(order: Order, place: Workplace) -> str:
    """The order's key as it comes out with the code, parameters and files that this machine sees."""
    stage = media_stage(order.stage)
    outputs = {}
    for name in stage.needs:
        before = finished(media_stage(name), place.lake, place.recording)
        if before is None:
            raise PainLakeError(f"this worker does not see what {name} made of {order.recording}")
        outputs[name] = before.sha256
    return key_of(stage, place.recording, place.params, outputs)


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
