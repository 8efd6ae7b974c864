"""A client of S3, and what its failures mean. Endpoint and credentials come from boto3's standard chain alone."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.errors import AccessRefusedError, PainLakeError, TemporaryError, UserError

if TYPE_CHECKING:
    from botocore.exceptions import ClientError
    from types_boto3_s3.client import S3Client

CONNECTIONS = 16
"""How many requests may be under way at once."""

_TRIES = 5
"""Of each request, with a wait that grows at random up to 20 s: botocore's mode `standard`."""
_CONNECT_TIMEOUT_S = 10
_READ_TIMEOUT_S = 60

_CREDENTIALS = {
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken",
    "InvalidClientTokenId", "UnrecognizedClientException", "TokenRefreshRequired", "RequestTimeTooSkewed",
    "AuthorizationHeaderMalformed", "NotSignedUp", "AccountProblem",
}  # fmt: skip
"""Answers to who asks, whatever is asked for."""
_DENIED = {"AccessDenied", "AllAccessDisabled", "403"}
"""Answers to who asks for this object or bucket; 403 where the answer has no text, as that to HEAD."""
_GONE = {"NoSuchKey", "404"}
_OVERLOADED = {"SlowDown", "RequestTimeout", "Throttling", "ConditionalRequestConflict", "OperationAborted"}


def make_client(settings: Mapping[str, str] | None = None) -> "S3Client":
    """A client with its tries and time limits set; threads may share it.

    Args:
        settings: region, profile and endpoint as DVC's settings of a remote may have them; what they do not set, and
            every credential, comes from boto3's standard chain.
    """
    import boto3  # noqa: PLC0415 - half a second that a study in a folder need not pay
    from botocore.config import Config  # noqa: PLC0415 - the same

    given = settings or {}
    config = Config(
        retries={"mode": "standard", "total_max_attempts": _TRIES},
        connect_timeout=_CONNECT_TIMEOUT_S,
        read_timeout=_READ_TIMEOUT_S,
        max_pool_connections=CONNECTIONS,
    )
    session = boto3.Session(region_name=given.get("region"), profile_name=given.get("profile"))
    return session.client("s3", endpoint_url=given.get("endpointurl"), config=config)


@contextmanager
def asking(where: str) -> Iterator[None]:
    """Have what S3 answers instead of what was asked for be one line.

    Args:
        where: what is asked, such as `the remote s3://bucket/prefix`.

    Raises:
        TemporaryError: S3 cannot be reached or is overloaded, also after boto3's own tries.
        AccessRefusedError: the credentials are missing, wrong, or not enough.
        UserError: there is no such bucket, or the endpoint does not know what is asked of it.
    """
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - as above

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise meaning(where, error) from error


def meaning(where: str, error: Exception) -> PainLakeError:
    """What a failure of boto3 means to whoever asked.

    Args:
        where: what was asked.
        error: what boto3 raised.
    """
    from botocore import exceptions as boto  # noqa: PLC0415 - as above

    if isinstance(error, boto.ClientError):
        code = code_of(error)
        if passes(error):
            return TemporaryError(f"{where} fails for now: {code}")
        kind = AccessRefusedError if code in _CREDENTIALS | _DENIED else UserError
        return kind(f"{where} answers {code}: check bucket and credentials")
    asker = (
        boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound, boto.ConfigParseError,
        boto.UnauthorizedSSOTokenError, boto.SSOTokenLoadError, boto.TokenRetrievalError,
    )  # fmt: skip
    if isinstance(error, asker):
        return AccessRefusedError(f"{where} cannot be asked: {' '.join(str(error).split())}")
    if isinstance(error, (boto.ParamValidationError, boto.NoRegionError, boto.InvalidRegionError)):
        return UserError(f"{where} cannot be asked: {' '.join(str(error).split())}")
    return TemporaryError(f"{where} cannot be reached: {type(error).__name__}")


def code_of(error: "ClientError") -> str:
    """The answer's code, such as NoSuchKey; its HTTP status where it has no text."""
    return str(error.response.get("Error", {}).get("Code", "?"))


def passes(error: "ClientError") -> bool:
    """Whether a refusal is the server's trouble, not the question's."""
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return (status >= 500 and status != 501) or status == 429 or code_of(error) in _OVERLOADED


def is_gone(error: "ClientError") -> bool:
    """Whether a refusal says that there is no such object."""
    return code_of(error) in _GONE


def refuses_asker(error: "ClientError") -> bool:
    """Whether a refusal is of the credentials, and so would be the same for every other object."""
    return code_of(error) in _CREDENTIALS


def bucket_and_prefix(place: str) -> tuple[str, str]:
    """What an address means; the prefix ends in a slash, or is empty.

    Args:
        place: s3://bucket/prefix.

    Raises:
        UserError: it names no bucket, or holds a credential.

    >>> bucket_and_prefix("s3://backup/trial/one")
    ('backup', 'trial/one/')
    """
    bucket, _, rest = place.removeprefix("s3://").partition("/")
    if "@" in bucket or ":" in bucket:
        raise UserError("an S3 address is s3://bucket/prefix; credentials come from the environment or ~/.aws alone")
    if not bucket:
        raise UserError(f"{place} names no bucket: s3://bucket/prefix")
    prefix = rest.strip("/")
    return bucket, f"{prefix}/" if prefix else ""
