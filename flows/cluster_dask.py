"""A Dask cluster, made or joined by prefect-dask: worker processes of this machine, a scheduler's address, or Slurm's jobs."""

import logging
import os
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import dask
import distributed
from prefect_dask.task_runners import DaskTaskRunner

from flows.cluster import Cluster, check_builds
from pipelines.carry_out import build_here, carry_out
from pipelines.errors import PainLakeError, UserError, in_short
from pipelines.order import Order, Outcome
from pipelines.params import StudyParams
from pipelines.params_runner import DaskParams

_LOOK_EVERY_S = 5.0
_LOOK_FOR_WORKERS_S = 1.0
_CONNECT_S = 30.0
"""How long a scheduler may take to answer."""

_HERE = {
    "processes": True,
    "threads_per_worker": 1,
    # Each person of this machine can reach its loopback: certificates for this run alone keep others out.
    "security": True,
    "host": "127.0.0.1",
    "dashboard_address": None,
    # Our own limits hold in the processes that decode.
    "memory_limit": 0,
}
"""How `distributed.LocalCluster` is made."""

_QUIET = {
    # What is sent is small, and what comes back smaller: nothing is to be spilt to a disk or looked at.
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.profile.enabled": False,
}


@contextmanager
def dask_cluster(params: StudyParams) -> Iterator[Cluster]:
    """Make or join a Dask cluster, until the block ends.

    Args:
        params: the block `study`.

    Raises:
        UserError: its scheduler speaks without TLS, or its class is not known.
        PainLakeError: it does not answer, or has no worker in time.
    """
    wanted = params.dask
    connect_s = min(wanted.wait_s, _CONNECT_S)
    with (
        dask.config.set(_QUIET | {"distributed.comm.timeouts.connect": connect_s}),
        _Refusals.heard() as refusals,
        _ended(_runner(params)) as runner,
    ):
        client = _client(runner, wanted)
        address = str(client.scheduler.address)
        if wanted.require_tls and not address.startswith("tls://"):
            raise UserError(
                f"study.dask: the scheduler {address.partition('://')[0]}://... speaks without TLS: give it certificates "
                "(docs/cluster.md), or set require_tls to false"
            )
        _wait_for_worker(client, wanted.wait_s, refusals)
        check_builds(_builds(client))

        def send(order: Order) -> Outcome:
            return _sent(client, order, wanted)

        yield Cluster(send, wanted.n_workers or sum(client.nthreads().values()))


def _runner(params: StudyParams) -> DaskTaskRunner:
    wanted = params.dask
    if wanted.address is not None:
        return DaskTaskRunner(address=wanted.address)
    kwargs: dict[str, Any] = dict(wanted.cluster_kwargs)
    if wanted.cluster_class is None:
        kwargs = _HERE | {"n_workers": wanted.n_workers or params.workers or len(os.sched_getaffinity(0))} | kwargs
    elif wanted.n_workers:
        kwargs.setdefault("n_workers", wanted.n_workers)
    try:
        return DaskTaskRunner(cluster_class=wanted.cluster_class, cluster_kwargs=kwargs)
    except (ImportError, AttributeError) as error:
        raise UserError(f"study.dask.cluster_class: {wanted.cluster_class} cannot be imported: {error}") from error


def _client(runner: DaskTaskRunner, wanted: DaskParams) -> Any:
    try:
        return runner.client
    except Exception as error:  # of Dask, of the cluster's class, or of what it calls
        where = wanted.address or wanted.cluster_class or "of this machine"
        said = " ".join(str(error).split()) or type(error).__name__
        raise PainLakeError(f"the Dask cluster {where} does not answer: {said}") from error


def _replace_jobs(client: Any, wanted: DaskParams) -> None:
    """Ask again for jobs that have ended, by their walltime for one: Dask alone would go on with the others."""
    if wanted.cluster_class is not None and wanted.n_workers and len(client.nthreads()) < wanted.n_workers:
        client.cluster.scale(wanted.n_workers)


def _wait_for_worker(client: Any, wait_s: float, refusals: list[str]) -> None:
    until = time.monotonic() + wait_s
    while True:
        try:
            client.wait_for_workers(1, timeout=max(min(_LOOK_FOR_WORKERS_S, until - time.monotonic()), 0.1))
        except TimeoutError as error:
            if refusals:
                raise PainLakeError(f"the Dask cluster gets no worker: {refusals[-1]}") from error
            if time.monotonic() > until:
                raise PainLakeError(f"the Dask cluster had no worker within {wait_s:g} s") from error
        else:
            return


class _Refusals(logging.Filter):
    """What a cluster's class could not do while it made its workers, such as `sbatch`: Dask only logs it, with traces."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is None or not _of_cluster(error):
            return True
        self.said.append(" ".join(str(error).split()))
        return False

    @classmethod
    @contextmanager
    def heard(cls) -> Iterator[list[str]]:
        """What was said until the block ends; the terminal is not told besides."""
        heard, loggers = cls(), [logging.getLogger(name) for name in ("tornado.application", "asyncio")]
        for logger in loggers:
            logger.addFilter(heard)
        try:
            yield heard.said
        finally:
            for logger in loggers:
                logger.removeFilter(heard)


def _of_cluster(error: BaseException) -> bool:
    """Whether an error was raised while a cluster made a worker."""
    return any(
        Path(frame.f_code.co_filename).parts[-3:-1] == ("distributed", "deploy")
        for frame, _ in traceback.walk_tb(error.__traceback__)
    )


@contextmanager
def _ended(runner: Any) -> Iterator[DaskTaskRunner]:
    """A task runner that is ended with the block; what was wrong is not hidden by how it ends."""
    runner.__enter__()
    try:
        yield runner
    except BaseException:
        with suppress(Exception):
            runner.__exit__(None, None, None)
        raise
    runner.__exit__(None, None, None)


def _builds(client: Any) -> list[str]:
    """What each worker measures with."""
    try:
        return list(client.run(build_here).values())
    except Exception as error:  # whatever becomes of a function where its module is not installed
        said = " ".join(str(error).split())[:200]
        raise PainLakeError(
            f"a worker of the Dask cluster takes no orders ({said}): install the same PainLake there"
        ) from error


def _sent(client: Any, order: Order, wanted: DaskParams) -> Outcome:
    """Send an order and wait; Dask gives it to another worker when its own is killed."""
    future = client.submit(carry_out, order, key=f"{order.stage}-{order.recording}-{uuid4().hex}", pure=False)
    last_seen = time.monotonic()
    try:
        while True:
            try:
                outcome: Outcome = future.result(timeout=_LOOK_EVERY_S)
            except TimeoutError as error:
                _replace_jobs(client, wanted)
                if client.nthreads():
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > wanted.wait_s:
                    raise PainLakeError(f"the Dask cluster has had no worker for {wanted.wait_s:g} s") from error
            else:
                return outcome
    except distributed.KilledWorker as error:
        raise PainLakeError(f"{order.recording}: each worker that took it was killed") from error
    except (OSError, distributed.CancelledError) as error:
        raise PainLakeError(f"{order.recording}: the Dask cluster is gone: {type(error).__name__}") from error
    except PainLakeError:
        raise
    except Exception as error:  # of Dask itself, or of a worker without our code
        raise PainLakeError(f"{order.recording}: a worker took no order: {in_short(error)}") from error
    finally:
        future.release()
