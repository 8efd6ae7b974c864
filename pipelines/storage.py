"""What lies in S3: a landing zone, the objects of a remote, a secret; how is in `pipelines.s3_client`, `s3_read` and `s3_write`."""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from pipelines.errors import Rejection, TemporaryError, UserError
from pipelines.landing_zone import LandedFile
from pipelines.s3_client import asking, code_of, is_gone, make_client, passes, refuses_asker
from pipelines.s3_read import ObjectChangedError, ObjectDamagedError, read_whole, stream
from pipelines.s3_write import Target, encryption, unfinished_uploads, write_file

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


class S3Landing:
    """A landing zone in a bucket; endpoint and credentials come from boto3's standard chain.

    Args:
        bucket: its name.
        prefix: what all keys begin with.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._where = f"the landing zone s3://{bucket}/{self._prefix}"
        self._client = _Shared(self._where, {})

    def files(self) -> list[LandedFile]:
        """All objects below the prefix, page by page.

        Raises:
            TemporaryError: S3 cannot be reached or is overloaded, also after boto3's own tries.
            UserError: there is no such bucket, or the credentials are missing or wrong.
        """
        found = []
        with asking(self._where):
            pages = self._client().get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=self._prefix)
            for page in pages:
                for entry in page.get("Contents", []):
                    key = entry["Key"].removeprefix(self._prefix)
                    if key and not key.endswith("/"):
                        found.append(
                            LandedFile(key, entry["Size"], f"{entry['Size']}:{entry['ETag']}", entry["LastModified"])
                        )
        return sorted(found, key=lambda file: file.path)

    def read(self, path: str) -> bytes:
        """An object's bytes, of one object from the first to the last and with the checksum that S3 states for it.

        Raises:
            Rejection: `NOT_STABLE`, where it changed meanwhile; `UNREADABLE`, where S3 refuses this object, or its
                bytes are not those that it was stored with.
            TemporaryError: S3 cannot be reached or is overloaded, also after boto3's own tries.
            AccessRefusedError: the credentials are missing or wrong.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second that a study in a folder need not pay

        with asking(self._where):
            try:
                return read_whole(self._client(), self._bucket, self._prefix + path)
            except ObjectChangedError as error:
                raise Rejection("NOT_STABLE", str(error)) from error
            except ObjectDamagedError as error:
                raise Rejection("UNREADABLE", str(error)) from error
            except ClientError as error:
                if passes(error) or refuses_asker(error):
                    raise
                raise Rejection("UNREADABLE", f"S3: {code_of(error)}") from error
            except OSError as error:
                raise TemporaryError(f"{self._where} cannot be reached: {type(error).__name__}") from error

    def stamp(self, path: str) -> str | None:
        """Size and etag as of now."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        with asking(self._where):
            named: Any = {"Bucket": self._bucket, "Key": self._prefix + path}
            try:
                head = self._client().head_object(**named)
            except ClientError as error:
                if passes(error):
                    raise
                if not is_gone(error):
                    # HEAD's answers have no text: whether all is refused, or this object, an answer with one tells.
                    self._ask_why(named)
                return None
        return f"{head['ContentLength']}:{head['ETag']}"

    def _ask_why(self, named: Any) -> None:
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        try:
            self._client().get_object(**named)["Body"].close()
        except ClientError as error:
            if passes(error) or refuses_asker(error):
                raise


class _Shared:
    """One client for all threads, which a client allows: making one takes longer than most requests."""

    def __init__(self, where: str, settings: Mapping[str, str]) -> None:
        self._where, self._settings = where, settings
        self._made: S3Client | None = None
        self._making = Lock()

    def __call__(self) -> "S3Client":
        with self._making:
            if self._made is None:
                try:
                    self._made = make_client(self._settings)
                except ValueError as error:
                    raise UserError(f"{self._where} cannot be asked: {error}") from error
            return self._made


class S3Objects:
    """The objects below a prefix of a bucket, with all their versions: what a DVC remote is.

    Args:
        bucket: its name.
        prefix: what all keys begin with.
        settings: DVC's settings of the remote; what it does not set comes from boto3's standard chain.
        called: what people call it.
    """

    def __init__(self, bucket: str, prefix: str, settings: Mapping[str, str], called: str | None = None) -> None:
        self._bucket = bucket
        self._prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
        self._sse = encryption(settings.get("sse"), settings.get("sse_kms_key_id"))
        self._where = called or f"the remote s3://{bucket}/{self._prefix}"
        self.client = _Shared(self._where, settings)
        """What talks to the bucket."""

    @contextmanager
    def _asked(self) -> "Iterator[S3Client]":
        """A client whose failures are one line."""
        with asking(self._where):
            yield self.client()

    def check(self) -> None:
        """See whether the bucket answers.

        Raises:
            TemporaryError: it cannot be reached.
            UserError: there is none, or the credentials are missing or wrong.
        """
        with self._asked() as client:
            client.list_objects_v2(Bucket=self._bucket, Prefix=self._prefix, MaxKeys=1)

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

    def holds(self, name: str, md5: str, size: int | None) -> bool:
        """Whether an object has the bytes that it should have: by an ETag that is their MD5, else read back.

        Threads may call this at once.

        Args:
            name: of the object.
            md5: of its bytes.
            size: in bytes, where it is known.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - half a second that a study in a folder need not pay

        with self._asked() as client:
            try:
                head = client.head_object(Bucket=self._bucket, Key=self._prefix + name)
            except ClientError as error:
                if is_gone(error):
                    return False
                raise
        if size is not None and head["ContentLength"] != size:
            return False
        return head["ETag"].strip('"') == md5 or self.md5(name) == md5

    def write(self, name: str, source: Path) -> None:
        """Copy a file to the bucket, in parts where it is large, and read it back. Threads may call this at once.

        Raises:
            PainLakeError: what came back differs.
        """
        with self._asked() as client:
            write_file(Target(client, self._bucket, self._sse), self._prefix + name, source, new=False)

    def md5(self, name: str) -> str | None:
        """The MD5 of an object's newest bytes, read piece by piece; None where it is gone, or does not come whole.

        Threads may call this at once.

        Raises:
            PainLakeError: the bucket cannot be reached, or refuses.
        """
        from botocore.exceptions import ClientError, IncompleteReadError  # noqa: PLC0415 - as above

        digest = hashlib.md5(usedforsecurity=False)
        with self._asked() as client:
            try:
                whole = stream(client, self._bucket, self._prefix + name, digest.update)
            except (IncompleteReadError, ObjectChangedError):
                return None
            except ClientError as error:
                if is_gone(error):
                    return None
                raise
            except OSError as error:
                raise TemporaryError(f"{self._where} cannot be reached: {type(error).__name__}") from error
        return digest.hexdigest() if whole else None

    def names(self, below: str = "") -> set[str]:
        """The names below the prefix of which any version, delete marker or part of an unfinished upload is there.

        Args:
            below: what the names begin with.
        """
        with self._asked() as client:
            keys = {key for key, _ in _versions(client, self._bucket, self._prefix + below)}
        return {key.removeprefix(self._prefix) for key in keys} | self.unfinished(below)

    def unfinished(self, below: str = "") -> set[str]:
        """The names below the prefix of which an upload in parts was never finished: no other listing shows them.

        Args:
            below: what the names begin with.
        """
        with self._asked() as client:
            keys = {key for key, _ in unfinished_uploads(client, self._bucket, self._prefix + below)}
        return {key.removeprefix(self._prefix) for key in keys}

    def read(self, name: str) -> bytes | None:
        """The newest version of an object, or None where there is none."""
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        with self._asked() as client:
            try:
                return client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
            except ClientError as error:
                if is_gone(error):
                    return None
                raise

    def fetch(self, name: str, path: Path) -> str | None:
        """Read an object into a new file, piece by piece; returns the SHA-256 of what came, None where there is none.

        Raises:
            PainLakeError: the bucket cannot be reached, or refuses.
        """
        from botocore.exceptions import ClientError  # noqa: PLC0415 - as above

        digest = hashlib.sha256()
        with self._asked() as client, path.open("wb") as file:

            def take(piece: bytes) -> None:
                digest.update(piece)
                file.write(piece)

            try:
                stream(client, self._bucket, self._prefix + name, take)
            except ClientError as error:
                if is_gone(error):
                    return None
                raise
        return digest.hexdigest()

    def remove(self, name: str) -> int:
        """Delete every version, delete marker and unfinished upload of an object; returns how many there were.

        Raises:
            PainLakeError: a version could not be deleted, as under an object lock.
        """
        key = self._prefix + name
        with self._asked() as client:
            found = [pair for pair in _versions(client, self._bucket, key) if pair[0] == key]
            for _, version in found:
                client.delete_object(Bucket=self._bucket, Key=key, VersionId=version)
            uploads = [pair for pair in unfinished_uploads(client, self._bucket, key) if pair[0] == key]
            for _, upload in uploads:
                client.abort_multipart_upload(Bucket=self._bucket, Key=key, UploadId=upload)
        return len(found) + len(uploads)


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
