"""Reading an object of S3 piece by piece: taken up where an answer broke off, never mixed of two, held against its checksum."""

import base64
import hashlib
import re
import time
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import TYPE_CHECKING, Any

from pipelines.errors import PainLakeError

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

_PIECE = 1 << 20
_TRIES = 5
_WAIT_S = 0.2
"""Before an answer that broke off is taken up again; each later time waits twice as long."""

_MD5 = re.compile(r'"?([0-9a-f]{32})"?')


class ObjectChangedError(PainLakeError):
    """Another object took its place while it was read."""


class ObjectDamagedError(PainLakeError):
    """Its bytes are not those that it was stored with, twice read."""


def read_whole(client: "S3Client", bucket: str, key: str) -> bytes:
    """An object's bytes, held against size and checksum as S3 states them, and read once more where they differ.

    Args:
        client: to ask.
        bucket: its name.
        key: of the object.

    Raises:
        ObjectChangedError: another object took its place.
        ObjectDamagedError: the bytes differ from the stated checksum both times.
        ClientError: S3 refuses.
        BotoCoreError: S3 cannot be reached, or breaks off again and again.
        OSError: the same.
    """
    for last in (False, True):
        held = BytesIO()
        if stream(client, bucket, key, held.write):
            # The buffer itself where it is whole, not a copy.
            return held.getvalue()
        if last:
            break
    raise ObjectDamagedError("its bytes differ from the checksum that S3 states for it")


def stream(client: "S3Client", bucket: str, key: str, take: Callable[[bytes], object]) -> bool:
    """Hand over an object piece by piece; returns whether its bytes are those of the checksum that S3 states.

    Where S3 states none that can be compared (a multipart object, one under a key of KMS), size alone is held against.
    An answer that breaks off is taken up at its byte, of the same ETag alone.

    Args:
        client: to ask.
        bucket: its name.
        key: of the object.
        take: gets each piece in turn.

    Raises:
        ObjectChangedError: another object took its place.
        ClientError: S3 refuses.
        BotoCoreError: S3 cannot be reached, or breaks off again and again.
        OSError: the same.
    """
    from botocore.exceptions import BotoCoreError, FlexibleChecksumError  # noqa: PLC0415 - half a second, as in s3_client

    reading = _Reading(client, bucket, key, take)
    wait_s = _WAIT_S
    for left in reversed(range(_TRIES)):
        try:
            return reading.go_on()
        except FlexibleChecksumError:
            return False
        except (BotoCoreError, OSError):
            # An answer that breaks off is an error of urllib3 and an OSError, or of botocore.
            if reading.first is None or left == 0:
                raise
        time.sleep(wait_s)
        wait_s *= 2
    return False


class _Reading:
    """An object on its way, and how far it has come."""

    def __init__(self, client: "S3Client", bucket: str, key: str, take: Callable[[bytes], object]) -> None:
        self._client, self._take = client, take
        self._named: Any = {"Bucket": bucket, "Key": key, "ChecksumMode": "ENABLED"}
        self._check = _Check({}, bucket)
        self._done = 0
        self.first: Mapping[str, Any] | None = None

    def go_on(self) -> bool:
        """Read from where it broke off to the end; returns whether size and checksum are as stated."""
        if self.first is None:
            answer: Any = self._client.get_object(**self._named)
            self.first = answer
            self._check = _Check(answer, self._named["Bucket"])
        else:
            if self._done == self.first["ContentLength"]:
                return self._check.holds
            answer = self._rest(self.first["ETag"])
            if "ContentRange" not in answer:
                # An endpoint that knows no ranges begins anew: so must whoever takes the pieces.
                return False
        for piece in answer["Body"].iter_chunks(_PIECE):
            self._check.update(piece)
            self._take(piece)
            self._done += len(piece)
        return bool(self._done == self.first["ContentLength"]) and self._check.holds

    def _rest(self, etag: str) -> Any:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        try:
            return self._client.get_object(**self._named, Range=f"bytes={self._done}-", IfMatch=etag)
        except ClientError as error:
            if error.response["Error"]["Code"] in {"PreconditionFailed", "412", "NoSuchKey"}:
                raise ObjectChangedError("it changed while it was read") from error
            raise


class _Check:
    """An object's bytes against what S3 states of them: a checksum of the whole, else an ETag that is an MD5."""

    def __init__(self, stated: Mapping[str, Any], bucket: str) -> None:
        self._digest: Any = None
        self._crc: int | None = None
        self._expected = ""
        etag = _MD5.fullmatch(stated.get("ETag", ""))
        sha256, crc = stated.get("ChecksumSHA256", "-"), stated.get("ChecksumCRC32", "-")
        if "-" not in sha256:
            self._digest, self._expected = hashlib.sha256(), base64.b64decode(sha256).hex()
        elif "-" not in crc:
            self._crc, self._expected = 0, base64.b64decode(crc).hex()
        elif etag and not stated.get("ServerSideEncryption") and not bucket.endswith("--x-s3"):
            # Under a key of the server's, and in directory buckets (--x-s3), an ETag is no MD5.
            self._digest, self._expected = hashlib.md5(usedforsecurity=False), etag[1]

    def update(self, piece: bytes) -> None:
        if self._digest is not None:
            self._digest.update(piece)
        elif self._crc is not None:
            self._crc = zlib.crc32(piece, self._crc)

    @property
    def holds(self) -> bool:
        if self._digest is not None:
            return bool(self._digest.hexdigest() == self._expected)
        return self._crc is None or f"{self._crc:08x}" == self._expected
