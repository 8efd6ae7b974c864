"""Of the block `study` of `params.yaml`: where the media stages run, and how a cluster is reached or made."""

import json
from typing import Annotated, Any

from pydantic import AfterValidator, Field, field_validator, model_validator

from pipelines.params_block import Block

RUNNERS = ("process", "dask", "ray")
"""Worker processes of this machine, or those of a cluster."""


class Keywords(dict[str, Any]):
    """Keyword arguments that nobody changes, so that a block which has them can be the key of a cache.

    >>> hash(Keywords(cores=4)) == hash(Keywords(cores=4))
    True
    """

    def __hash__(self) -> int:  # type: ignore[override]  # a dict has none, since others change theirs
        return hash(json.dumps(self, sort_keys=True, default=str))


KeywordsField = Annotated[dict[str, Any], AfterValidator(Keywords)]


def fit_exchange(place: str) -> None:
    """See that an exchange is a bucket's address without credentials.

    Raises:
        ValueError: it is not.
    """
    bucket = place.removeprefix("s3://").partition("/")[0]
    if not place.startswith("s3://") or not bucket or set("@:") & set(bucket):
        raise ValueError("name a bucket, s3://bucket/prefix; credentials come from the environment or ~/.aws alone")


class DaskParams(Block):
    """Of `study.runner: dask`."""

    address: str | None = None
    """A running scheduler, tls://host:port; null makes a cluster for each run."""
    cluster_class: str | None = None
    """What makes it, such as dask_jobqueue.SLURMCluster; null takes worker processes of this machine."""
    cluster_kwargs: KeywordsField = Keywords()
    """What that is called with."""
    n_workers: int = Field(default=0, ge=0)
    """How many units of work are out at once; 0 takes study.workers on this machine, else what the cluster has."""
    wait_s: float = Field(default=600.0, gt=0)
    """How long the cluster may be without any worker, at the start and later."""
    require_tls: bool = True
    """Refuse a scheduler that speaks without TLS: whoever reaches one has its workers do anything."""

    @field_validator("cluster_class")
    @classmethod
    def _qualified(cls, value: str | None) -> str | None:
        if value is not None and "." not in value:
            raise ValueError("name it with its package, such as dask_jobqueue.SLURMCluster")
        return value

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "DaskParams":
        if self.address is not None and (self.cluster_class is not None or self.cluster_kwargs):
            raise ValueError("state an address or a cluster_class with cluster_kwargs, not both")
        return self

    @property
    def is_here(self) -> bool:
        """Whether the workers are processes of this machine, made for the run."""
        return self.address is None and self.cluster_class is None


class RayParams(Block):
    """Of `study.runner: ray`."""

    address: str | None = None
    """A running cluster, ray://host:10001 or host:6379; null starts Ray on this machine for each run."""
    init_kwargs: KeywordsField = Keywords()
    """What ray.init is called with."""
    n_workers: int = Field(default=0, ge=0)
    """How many units of work are out at once; 0 takes study.workers on this machine, else what the cluster has."""
    wait_s: float = Field(default=600.0, gt=0)
    """How long the cluster may be without any processor, at the start and later."""

    @property
    def is_here(self) -> bool:
        """Whether the workers are processes of this machine, made for the run."""
        return self.address is None
