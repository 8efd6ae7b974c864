"""What lies in S3: a landing zone, the objects of a remote, a secret. The only module that speaks to S3 for us (DVC for itself)."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipelines.errors import PainLakeError, Rejection, TemporaryError, UserError
from pipelines.landing_zone import LandedFile

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from types_boto3_s3.client import S3Client


_PIECE = 1 << 20
_CONNECTIONS = 16


class S3Landing:
    """A landing zone in a bucket; endpoint and credentials come from boto3's standard chain.

    Args:
        bucket: its name.
        prefix: what all keys begin with.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""

    def _client(self) -> "S3Client":
        import boto3  # noqa: PLC0415 - half a second that a study in a folder need not pay
        from botocore.config import Config  # noqa: PLC0415 - the same

        return boto3.client("s3", config=Config(retries={"mode": "standard", "max_attempts": 5}))

    def files(self) -> list[LandedFile]:
        """All objects below the prefix, page by page."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        found = []
        try:
            pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(self._prefix)
                    if key and not key.endswith("/"):
                        found.append(
                            LandedFile(key, entry["Size"], f"{entry['Size']}:{entry['ETag']}", entry["LastModified"])
                        )
        except ClientError as error:
            if _passes(error):
                raise TemporaryError(f"the landing zone s3://{self._bucket} fails for now: {_code(error)}") from error
            code = _code(error)
            raise UserError(
                f"the landing zone s3://{self._bucket}/{self._prefix} answers {code}: check bucket and credentials"
            ) from error
        except BotoCoreError as error:
            raise TemporaryError(f"the landing zone s3://{self._bucket} cannot be reached: {error}") from error
        return sorted(found, key=lambda file: file.path)

    def read(self, path: str) -> bytes:
        """An object's bytes; boto3 checks the checksum that S3 stores with it.

        Raises:
            Rejection: `UNREADABLE`, where S3 refuses this object.
            TemporaryError: S3 cannot be reached or is overloaded, also after boto3's own tries.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            return self._client().get_object(Bucket=self._bucket, Key=self._prefix + path)["Body"].read()
        except ClientError as error:
            if _passes(error):
                raise TemporaryError(f"s3://{self._bucket} fails for now: {_code(error)}") from error
            raise Rejection("UNREADABLE", f"S3: {_code(error)}") from error
        except (BotoCoreError, OSError) as error:
            # An answer that breaks off in the middle is an error of urllib3 and an OSError, or of botocore.
            raise TemporaryError(f"s3://{self._bucket} cannot be reached: {type(error).__name__}") from error

    def stamp(self, path: str) -> str | None:
        """Size and etag as of now."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            head = self._client().head_object(Bucket=self._bucket, Key=self._prefix + path)
        except ClientError as error:
            if _passes(error):
                raise TemporaryError(f"s3://{self._bucket} fails for now: {_code(error)}") from error
            return None
        except BotoCoreError as error:
            raise TemporaryError(f"s3://{self._bucket} cannot be reached: {type(error).__name__}") from error
        return f"{head['ContentLength']}:{head['ETag']}"


def _code(error: "ClientError") -> str:
    return str(error.response.get("Error", {}).get("Code", "?"))


def _passes(error: "ClientError") -> bool:
    """Whether a refusal is the server's trouble, not the question's."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return status >= 500 or status == 429 or _code(error) in {"SlowDown", "RequestTimeout", "Throttling"}


class S3Objects:
    """The objects below a prefix of a bucket, with all their versions: what a DVC remote is.

    Args:
        bucket: its name.
        prefix: what all keys begin with.
        settings: DVC's settings of the remote; what it does not set comes from boto3's standard chain.
    """

    def __init__(self, bucket: str, prefix: str, settings: Mapping[str, str]) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._settings = settings
        self._made: S3Client | None = None
        self._making = Lock()

    def _client(self) -> "S3Client":
        # One for all threads, which a client allows: making one takes longer than most requests.
        with self._making:
            if self._made is None:
                self._made = self._new_client()
            return self._made

    def _new_client(self) -> "S3Client":
        import boto3  # noqa: PLC0415 - as above
        from botocore.config import Config  # noqa: PLC0415 - as above

        given = self._settings
        session = boto3.Session(
            aws_access_key_id=given.get("access_key_id"),
            aws_secret_access_key=given.get("secret_access_key"),
            aws_session_token=given.get("session_token"),
            region_name=given.get("region"),
            profile_name=given.get("profile"),
        )
        config = Config(retries={"mode": "standard", "max_attempts": 5}, max_pool_connections=_CONNECTIONS)
        return session.client("s3", endpoint_url=given.get("endpointurl"), config=config)

    @contextmanager
    def _asked(self) -> "Iterator[S3Client]":
        """A client whose failures are one line.

        Raises:
            PainLakeError: the bucket cannot be reached, or refuses.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

        try:
            yield self._client()
        except (BotoCoreError, ClientError) as error:
            raise PainLakeError(f"the remote s3://{self._bucket}/{self._prefix} fails: {error}") from error

    def address(self, name: str) -> str:
        """An object's address, s3://bucket/key."""
        return f"s3://{self._bucket}/{self._prefix}{name}"

    def current(self, below: str = "") -> set[str]:
        """The names below the prefix that can be read now.

        Args:
            below: what the names begin with.
        """
        with self._asked() as client:
            pages = client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix + below)
            return {entry["Key"].removeprefix(self._prefix) for page in pages for entry in page.get("Contents", [])}

    def has(self, name: str) -> bool:
        """Whether an object can be read now. Threads may call this at once."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        with self._asked() as client:
            try:
                client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            except ClientError as error:
                if _code(error) in {"NoSuchKey", "404"}:
                    return False
                raise
        return True

    def write(self, name: str, source: Path) -> None:
        """Copy a file to the bucket, in parts where it is large, with a checksum that S3 checks.

        Threads may call this at once.
        """
        from boto3.exceptions import S3UploadFailedError  # noqa: PLC0415 - as above

        options = {"ChecksumAlgorithm": "SHA256"}
        for ours, theirs in (("sse", "ServerSideEncryption"), ("sse_kms_key_id", "SSEKMSKeyId")):
            if ours in self._settings:
                options[theirs] = self._settings[ours]
        with self._asked() as client:
            try:
                client.upload_file(str(source), self._bucket, self._prefix + name, ExtraArgs=options)
            except S3UploadFailedError as error:
                raise TemporaryError(f"the remote s3://{self._bucket}/{self._prefix} fails: {error}") from error

    def md5(self, name: str) -> str | None:
        """The MD5 of an object's newest bytes, read piece by piece; None where it is gone, or does not come whole.

        Threads may call this at once.

        Raises:
            PainLakeError: the bucket cannot be reached, or refuses.
        """
        from botocore.exceptions import ClientError, FlexibleChecksumError, IncompleteReadError  # noqa: PLC0415 - as above

        digest = hashlib.md5(usedforsecurity=False)
        with self._asked() as client:
            try:
                body = client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"]
                for piece in body.iter_chunks(_PIECE):
                    digest.update(piece)
            except (FlexibleChecksumError, IncompleteReadError):
                return None
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                    return None
                raise
        return digest.hexdigest()

    def names(self, below: str = "") -> set[str]:
        """The names below the prefix of which any version or delete marker is there.

        Args:
            below: what the names begin with.
        """
        with self._asked() as client:
            return {key.removeprefix(self._prefix) for key, _ in _versions(client, self._bucket, self._prefix + below)}

    def read(self, name: str) -> bytes | None:
        """The newest version of an object, or None where there is none."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        with self._asked() as client:
            try:
                return client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
            except ClientError as error:
                if error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                    return None
                raise

    def remove(self, name: str) -> int:
        """Delete every version and delete marker of an object; returns how many there were.

        Raises:
            PainLakeError: a version could not be deleted, as under an object lock.
        """
        key = self._prefix + name
        with self._asked() as client:
            found = [pair for pair in _versions(client, self._bucket, key) if pair[0] == key]
            for _, version in found:
                client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)
        return len(found)


def _versions(client: "S3Client", bucket: str, prefix: str) -> "Iterator[tuple[str, str]]":
    """Key and version of everything below a prefix, delete markers too; an unversioned object's version is "null"."""
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for entry in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
            yield entry["Key"], entry.get("VersionId", "null")


def read_secret(name: str) -> str:
    """A secret's text from AWS Secrets Manager; endpoint and credentials come from boto3's standard chain.

    Args:
        name: the secret's name or ARN.

    Raises:
        UserError: it cannot be had.
    """
    import boto3  # noqa: PLC0415 - half a second that a study with a key in a file need not pay
    from botocore.config import Config  # noqa: PLC0415 - the same
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - the same

    try:
        client: Any = boto3.client("secretsmanager", config=Config(retries={"mode": "standard", "max_attempts": 5}))
        answer = client.get_secret_value(SecretId=name)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "?")
        raise UserError(f"the secret {name} answers {code}: check its name and your credentials") from error
    except BotoCoreError as error:
        raise UserError(f"the secret {name} cannot be had: {error}") from error
    # A secret that was stored as bytes has no text.
    return str(answer["SecretString"] if "SecretString" in answer else answer["SecretBinary"].decode(errors="replace"))
