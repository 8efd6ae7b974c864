"""Which workers a run has: processes of this machine, or those of a Dask or Ray cluster.

prefect-dask's and prefect-ray's task runners make or join the cluster, and end it. Prefect's tasks stay in this process,
and units of work alone are sent, as plain functions: a task that a task runner sends takes Prefect's settings with it,
with its API key in plain; it reports to Prefect's server from the worker, where ours, on loopback, is not to be reached;
and it holds neither ledger nor vault. A task runner sends no task anew whose worker was killed; Dask and Ray do that.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import NamedTuple

from pipelines.carry_out import build_here
from pipelines.confine import Limits
from pipelines.errors import UserError
from pipelines.exchange import Exchange, SharedFolder
from pipelines.exchange_bucket import Bucket
from pipelines.fleet import Fleet
from pipelines.order import Order, Outcome
from pipelines.params import Params, StudyParams
from pipelines.pool import Workers
from pipelines.study import Study
from pipelines.worker_key import key_of_own_workers, worker_key

_NEEDS = {"dask": ("prefect_dask", "distributed"), "ray": ("prefect_ray", "ray")}


class Cluster(NamedTuple):
    """A cluster that was joined.

    Args:
        send: takes an order to a worker and waits for what comes of it; from any thread.
        out: how many orders it does at once.
    """

    send: Callable[[Order], Outcome]
    out: int


def check_builds(builds: Iterable[str]) -> None:
    """See that workers measure with what this machine has, before each recording would be left for that reason.

    Args:
        builds: what `build_here` gives on each.

    Raises:
        UserError: one has another Python, PainLake or library.
    """
    here = build_here()
    other = next((each for each in builds if each != here), None)
    if other is not None:
        raise UserError(f"a worker has {other}, this machine {here}: install the same on both (docs/cluster.md)")


def check_runner(params: Params) -> None:
    """See that what a study's runner needs is there.

    Raises:
        UserError: an extra is not installed, or workers would not see what they are to measure.
    """
    study = params.study
    if any(find_spec(name) is None for name in _NEEDS.get(study.runner, ())):
        raise UserError(
            f"study.runner: {study.runner} needs what is not installed: `pip install 'painlake[{study.runner}]'`"
        )
    by_bucket = study.runner != "process" and study.exchange is not None
    if by_bucket and params.face.engine == "openface" and params.face.openface.csv_folder is not None:
        raise UserError(
            "face.openface.csv_folder is not seen by workers that study.exchange serves: set study.runner to process"
        )


@contextmanager
def workers_of(study: Study, params: StudyParams) -> Iterator[Workers]:
    """The workers of a run, until it is over.

    Args:
        study: the study; a cluster's machines see it under the same path, unless there is a bucket between them.
        params: its block `study`.

    Raises:
        UserError: what the runner needs is missing: an extra, the workers' key, TLS.
        PainLakeError: the cluster does not answer, or has no worker.
    """
    limits = Limits.of(params)
    if params.runner == "process":
        with Workers(params.workers, limits) as workers:
            yield workers
        return
    is_here = params.dask.is_here if params.runner == "dask" else params.ray.is_here
    with key_of_own_workers() if is_here else nullcontext():
        key = worker_key()
        with (
            _exchange(study, params, key) as exchange,
            _joined(params) as cluster,
            Fleet(params.workers, limits, exchange, cluster.send, cluster.out) as fleet,
        ):
            yield fleet


def _exchange(study: Study, params: StudyParams, key: str) -> AbstractContextManager[Exchange]:
    if params.exchange is None:
        return nullcontext(SharedFolder(study, key))
    return Bucket(study.state, params.exchange, key)


def _joined(params: StudyParams) -> AbstractContextManager[Cluster]:
    # Each is imported where it is asked for: the other may not be installed.
    if params.runner == "dask":
        from flows.cluster_dask import dask_cluster  # noqa: PLC0415 - see above

        return dask_cluster(params)
    from flows.cluster_ray import ray_cluster  # noqa: PLC0415 - see above

    return ray_cluster(params)
