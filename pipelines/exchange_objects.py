"""The objects of an exchange in a bucket, as the run and its workers know them."""

from functools import lru_cache
from pathlib import Path

from pipelines.handover import held
from pipelines.s3_client import bucket_and_prefix
from pipelines.storage import S3Objects

DETAIL = "detail"
"""What a worker found in a recording that cannot be measured, in what it sends back."""


def is_bucket(place: str) -> bool:
    """Whether an order's place is a bucket's address, and no folder."""
    return place.startswith("s3://")


@lru_cache(maxsize=2)
def bucket_of(place: str) -> S3Objects:
    """The objects of an exchange; endpoint and credentials come from boto3's standard chain.

    One for all orders of a run: making a client takes longer than most requests.

    Args:
        place: s3://bucket/prefix.
    """
    return S3Objects(*bucket_and_prefix(place), {}, called=f"the exchange {place}")


def unit_name(stage: str, recording: str, key: str) -> str:
    """What the names of a unit's objects begin with.

    >>> unit_name("face", "P3K8XATSV4-0001", "0123456789abcdef")
    'face.P3K8XATSV4-0001.0123456789ab.'
    """
    return f"{stage}.{recording}.{key[:12]}."


def table_name(path: Path) -> str:
    """What a stage's file is called in an order or a result.

    >>> table_name(Path("lake/P3K8XATSV4/face/P3K8XATSV4-0001.parquet"))
    'face/P3K8XATSV4-0001.parquet'
    """
    return f"{path.parent.name}/{path.name}"


def put(objects: S3Objects, name: str, content: bytes) -> None:
    """Write an object and read it back."""
    with held() as memory:
        memory.path.write_bytes(content)
        objects.write(name, memory.path)
