"""A Dask cluster, made or joined by prefect-dask: worker processes of this machine, a scheduler's address, or Slurm's jobs."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import dask
import distributed
from prefect_dask.task_runners import DaskTaskRunner

from flows.cluster import Cluster
from pipelines.carry_out import carry_out
from pipelines.errors import PainLakeError, UserError
from pipelines.order import Order, Outcome
from pipelines.params import StudyParams
from pipelines.params_runner import DaskParams

_LOOK_EVERY_S = 5.0

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
    with dask.config.set(_QUIET), _runner(params) as runner:
        client = _client(runner, wanted)
        address = str(client.scheduler.address)
        if wanted.require_tls and not address.startswith("tls://"):
            raise UserError(
                f"study.dask: the scheduler {address.partition('://')[0]}://... speaks without TLS: give it certificates "
                "(docs/cluster.md), or set require_tls to false"
            )
        try:
            client.wait_for_workers(1, timeout=wanted.wait_s)
        except TimeoutError as error:
            raise PainLakeError(f"the Dask cluster had no worker within {wanted.wait_s:g} s") from error

        def send(order: Order) -> Outcome:
            return _sent(client, order, wanted.wait_s)

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
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        where = wanted.address or wanted.cluster_class or "this machine's"
        raise PainLakeError(f"the Dask cluster {where} does not answer: {error}") from error


def _sent(client: Any, order: Order, wait_s: float) -> Outcome:
    """Send an order and wait; Dask gives it to another worker when its own is killed."""
    future = client.submit(carry_out, order, key=f"{order.stage}-{order.recording}-{uuid4().hex}", pure=False)
    last_seen = time.monotonic()
    try:
        while True:
            try:
                outcome: Outcome = future.result(timeout=_LOOK_EVERY_S)
            except TimeoutError as error:
                if client.nthreads():
                    last_seen = time.monotonic()
                elif time.monotonic() - last_seen > wait_s:
                    raise PainLakeError(f"the Dask cluster has had no worker for {wait_s:g} s") from error
            else:
                return outcome
    except distributed.KilledWorker as error:
        raise PainLakeError(f"{order.recording}: each worker that took it was killed") from error
    except (OSError, distributed.CancelledError) as error:
        raise PainLakeError(f"{order.recording}: the Dask cluster is gone: {type(error).__name__}") from error
    finally:
        future.release()
