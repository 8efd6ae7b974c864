"""Writing a file to S3: in parts where it is large, never over another object if so asked, and read back before it counts."""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import PainLakeError, UserError
from pipelines.in_parallel import in_parallel
from pipelines.s3_client import code_of
from pipelines.s3_read import ObjectChangedError, stream

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PART_BYTES = 16 << 20
"""Larger files go in parts of this size; S3 wants at least 5 MiB."""
_MOST_PARTS = 10_000
_THREADS = 4
"""Parts under way at once, each in memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """A bucket to write to.

    Args:
        client: to ask.
        bucket: its name.
        options: of each object, such as ServerSideEncryption and SSEKMSKeyId.
        part_bytes: larger files go in parts of this size.
    """

    client: "S3Client"
    bucket: str
    options: Mapping[str, str] = field(default_factory=dict)
    part_bytes: int = PART_BYTES


def encryption(sse: str | None, key_id: str | None) -> dict[str, str]:
    """The options that have S3 encrypt an object at rest.

    Args:
        sse: AES256 or aws:kms; None leaves it to the bucket.
        key_id: of the key of KMS; None takes the bucket's.

    >>> encryption("AES256", None)
    {'ServerSideEncryption': 'AES256'}
    """
    given = {"ServerSideEncryption": sse, "SSEKMSKeyId": key_id}
    return {name: value for name, value in given.items() if value is not None}


def write_file(target: Target, key: str, source: Path, *, new: bool) -> str:
    """Write a file and read it back; returns its SHA-256.

    Threads may call this at once. S3 gets the SHA-256 of each request besides, and refuses what came otherwise; but
    not every endpoint does, so what counts are the bytes that come back.

    Args:
        target: where.
        key: of the object.
        source: the file.
        new: whether an object that is there must stay as it is.

    Raises:
        UserError: another object is there already.
        PainLakeError: what came back differs; it is taken away again.
        ClientError: S3 refuses.
        BotoCoreError: S3 cannot be reached.
    """
    from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second that a study in a folder need not pay

    with source.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    size, ours = source.stat().st_size, True
    condition: dict[str, Any] = {"IfNoneMatch": "*"} if new else {}
    try:
        if size <= target.part_bytes:
            content = source.read_bytes()
            target.client.put_object(
                Bucket=target.bucket, Key=key, Body=content, ChecksumSHA256=_sum(content), **condition, **_any(target)
            )
        else:
            _write_parts(target, key, source, size, condition)
    except ClientError as error:
        if code_of(error) not in {"PreconditionFailed", "412", "NoSuchUpload"}:
            raise
        # A try whose answer was lost may have written it: then it has our bytes.
        ours = False
    if _sha256_of(target, key) == sha256:
        return sha256
    if not ours:
        raise UserError(f"s3://{target.bucket}/{key} is there already, and nothing is written over it")
    target.client.delete_object(Bucket=target.bucket, Key=key)
    raise PainLakeError(f"s3://{target.bucket}/{key} came back with other bytes than were sent: try again")


def write_text(target: Target, key: str, text: str) -> bool:
    """Write a small text where nothing is yet; returns False where something is."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    content = text.encode()
    try:
        target.client.put_object(
            Bucket=target.bucket, Key=key, Body=content, IfNoneMatch="*", ChecksumSHA256=_sum(content), **_any(target)
        )
    except ClientError as error:
        if code_of(error) not in {"PreconditionFailed", "412"}:
            raise
    return _sha256_of(target, key) == hashlib.sha256(content).hexdigest()


def _write_parts(target: Target, key: str, source: Path, size: int, condition: Mapping[str, Any]) -> None:
    client, bucket = target.client, target.bucket
    part = max(target.part_bytes, -(-size // _MOST_PARTS))
    upload = client.create_multipart_upload(Bucket=bucket, Key=key, ChecksumAlgorithm="SHA256", **_any(target))
    number_of: Any = {"Bucket": bucket, "Key": key, "UploadId": upload["UploadId"]}

    def send(number: int) -> dict[str, Any]:
        with source.open("rb") as file:
            file.seek((number - 1) * part)
            content = file.read(part)
        sum_of = _sum(content)
        answer: Any = client.upload_part(**number_of, PartNumber=number, Body=content, ChecksumSHA256=sum_of)
        # Named again where the endpoint knows checksums: it refuses to join parts otherwise.
        known = {"ChecksumSHA256": sum_of} if "ChecksumSHA256" in answer else {}
        return {"PartNumber": number, "ETag": answer["ETag"], **known}

    try:
        numbers = range(1, -(-size // part) + 1)
        parts: Any = [sent for _, sent in in_parallel(send, numbers, _THREADS)]
        client.complete_multipart_upload(**number_of, MultipartUpload={"Parts": parts}, **condition)
    except BaseException:
        # Parts that nobody joins are paid for and seen by no listing of objects.
        with suppress(Exception):
            client.abort_multipart_upload(**number_of)
        raise


def unfinished_uploads(client: "S3Client", bucket: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Key and number of every upload in parts below a prefix that was never finished."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    try:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
            for upload in page.get("Uploads", []):
                yield upload["Key"], upload["UploadId"]
    except ClientError as error:
        # An endpoint that cannot list them has none, or none that anyone could find.
        if code_of(error) not in {"NotImplemented", "501"}:
            raise


def _sha256_of(target: Target, key: str) -> str | None:
    """Of an object as it comes back; None where another took its place meanwhile, or none is there."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

    digest = hashlib.sha256()
    try:
        stream(target.client, target.bucket, key, digest.update)
    except ObjectChangedError:
        return None
    except ClientError as error:
        if code_of(error) in {"NoSuchKey", "404"}:
            return None
        raise
    return digest.hexdigest()


def _sum(content: bytes) -> str:
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


def _any(target: Target) -> Any:
    """The options, of which boto3's types know each by name alone."""
    return dict(target.options)
