"""A Ray cluster, started or joined by prefect-ray."""

import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from flows.cluster import Cluster, check_builds
from pipelines.carry_out import build_here, carry_out
from pipelines.errors import PainLakeError, in_short
from pipelines.order import Order, Outcome
from pipelines.params import StudyParams
from pipelines.params_runner import RayParams

_LOOK_EVERY_S = 5.0
_CONNECT_S = 30.0
"""How long a cluster's head may take to answer."""
_RETRIES = 3
"""How many killed workers an order survives, as with Dask."""

_ALWAYS = {
    # Ray tells its makers how it is used unless it is asked not to.
    "RAY_USAGE_STATS_ENABLED": "0",
    # It sends the driver's packages along else.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
}

_OWN = "local"
"""A new Ray, whatever else of Ray runs on this machine or has left its traces."""

_HERE = {
    "include_dashboard": False,
    "_node_ip_address": "127.0.0.1",
    "log_to_driver": False,
    # For nothing: what is sent are a few hundred bytes. Ray takes a third of the machine's memory else.
    "object_store_memory": 100_000_000,
}
"""How Ray is started on this machine."""


@contextmanager
def ray_cluster(params: StudyParams) -> Iterator[Cluster]:
    """Start or join Ray, until the block ends.

    Args:
        params: the block `study`.

    Raises:
        PainLakeError: it does not answer, or has no processor in time.
    """
    wanted = params.ray
    _look_for(wanted)
    count = wanted.n_workers or params.workers or len(os.sched_getaffinity(0))
    # Each person of this machine can reach Ray's ports: a token of this process keeps others out.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": _token()} if wanted.is_here else {}
    with _environment(_ALWAYS | token):
        # Ray reads its environment when it is imported.
        import ray  # noqa: PLC0415 - see above
        from prefect_ray import RayTaskRunner  # noqa: PLC0415 - the same

        kwargs = {"configure_logging": False} | (_HERE | {"num_cpus": count} if wanted.is_here else {})
        try:
            runner = RayTaskRunner(wanted.address or _OWN, kwargs | wanted.init_kwargs).__enter__()
        except (OSError, RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())[:300]
            raise PainLakeError(f"Ray {wanted.address or 'on this machine'} does not answer: {said}") from error
        try:
            _wait_for_processors(ray, wanted.wait_s)
            check_builds([_build(ray, wanted.wait_s)])
            carry = ray.remote(carry_out).options(num_cpus=1, max_retries=_RETRIES)

            def send(order: Order) -> Outcome:
                return _sent(ray, carry, order, wanted.wait_s)

            yield Cluster(send, wanted.n_workers or _processors(ray))
        finally:
            runner.__exit__(None, None, None)


def _look_for(wanted: RayParams) -> None:
    """See whether anybody listens at the address: Ray itself looks for minutes."""
    host, _, port = (wanted.address or "").removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=min(wanted.wait_s, _CONNECT_S)).close()
    except OSError as error:
        raise PainLakeError(f"Ray {wanted.address} does not answer: {error.strerror or error}") from error


@cache
def _token() -> str:
    # Once a process: Ray remembers the first one that it has read, whatever the environment says later.
    return secrets.token_hex(32)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _processors(ray: Any) -> int:
    return int(ray.cluster_resources().get("CPU", 0))


def _wait_for_processors(ray: Any, wait_s: float) -> None:
    until = time.monotonic() + wait_s
    while not _processors(ray):
        if time.monotonic() > until:
            raise PainLakeError(f"the Ray cluster had no processor within {wait_s:g} s")
        time.sleep(1.0)


def _build(ray: Any, wait_s: float) -> str:
    """What a worker measures with; all of a cluster of Ray are taken to be alike."""
    try:
        return str(ray.get(ray.remote(build_here).options(num_cpus=1).remote(), timeout=wait_s))
    except ray.exceptions.GetTimeoutError as error:
        raise PainLakeError(f"the Ray cluster had no free processor within {wait_s:g} s") from error
    except Exception as error:  # whatever becomes of a function where its module is not installed
        raise PainLakeError(
            f"a worker of the Ray cluster takes no orders ({in_short(error)}): install the same PainLake there"
        ) from error


def _sent(ray: Any, carry: Any, order: Order, wait_s: float) -> Outcome:
    """Send an order and wait; Ray gives it to another worker when its own is killed."""
    reference = carry.remote(order)
    last_seen = time.monotonic()
    while True:
        try:
            outcome: Outcome = ray.get(reference, timeout=_LOOK_EVERY_S)
        except ray.exceptions.GetTimeoutError as error:
            if _processors(ray):
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > wait_s:
                raise PainLakeError(f"the Ray cluster has had no processor for {wait_s:g} s") from error
        except ray.exceptions.WorkerCrashedError as error:
            raise PainLakeError(f"{order.recording}: each worker that took it was killed") from error
        except ray.exceptions.RayTaskError as error:
            raise PainLakeError(f"{order.recording}: a worker took no order: {type(error).__name__}") from error
        except ray.exceptions.RayError as error:
            raise PainLakeError(f"{order.recording}: the Ray cluster is gone: {type(error).__name__}") from error
        else:
            return outcome
