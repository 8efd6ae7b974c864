"""What S3 answers instead of what was asked for, in one line that says whose trouble it is."""

from collections.abc import Mapping

import pytest
from botocore import exceptions as boto

from pipelines.errors import AccessRefusedError, PainLakeError, TemporaryError, UserError
from pipelines.s3_client import asking, bucket_and_prefix, make_client

WHERE = "the landing zone s3://hospital/inbox/"


def answer(code: str, status: int) -> boto.ClientError:
    return boto.ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")  # type: ignore[typeddict-item]  # the parts that are looked at


def told(error: Exception) -> PainLakeError:
    with pytest.raises(PainLakeError) as refused, asking(WHERE):
        raise error
    assert "\n" not in str(refused.value)
    assert str(refused.value).startswith(WHERE)
    return refused.value


@pytest.mark.parametrize(
    "error",
    [
        answer("InternalError", 500),
        answer("SlowDown", 503),
        answer("TooManyRequests", 429),
        answer("RequestTimeout", 400),
        answer("ConditionalRequestConflict", 409),
        boto.EndpointConnectionError(endpoint_url="http://127.0.0.1:9"),
        boto.ReadTimeoutError(endpoint_url="http://127.0.0.1:9"),
        boto.IncompleteReadError(actual_bytes=1, expected_bytes=2),
    ],
    ids=str,
)
def test_the_servers_and_the_nets_trouble_can_pass(error: Exception) -> None:
    assert type(told(error)) is TemporaryError


@pytest.mark.parametrize(
    "error",
    [
        answer("SignatureDoesNotMatch", 403),
        answer("InvalidAccessKeyId", 403),
        answer("ExpiredToken", 400),
        answer("AccessDenied", 403),
        answer("403", 403),
        boto.NoCredentialsError(),
        boto.PartialCredentialsError(provider="env", cred_var="AWS_SECRET_ACCESS_KEY"),
        boto.ProfileNotFound(profile="study"),
    ],
    ids=str,
)
def test_a_refused_key_waits_for_a_person(error: Exception) -> None:
    refused = told(error)
    assert type(refused) is AccessRefusedError
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    "error", [answer("NoSuchBucket", 404), answer("NotImplemented", 501), boto.ParamValidationError(report="Bucket")]
)
def test_a_wrong_question_is_the_users(error: Exception) -> None:
    assert type(told(error)) is UserError


@pytest.mark.parametrize(
    ("place", "parts"),
    [("s3://b", ("b", "")), ("s3://b/", ("b", "")), ("s3://b/a/c", ("b", "a/c/")), ("s3://b//a/", ("b", "a/"))],
)
def test_an_address_is_a_bucket_and_a_prefix(place: str, parts: tuple[str, str]) -> None:
    assert bucket_and_prefix(place) == parts


@pytest.mark.parametrize("place", ["s3://key:hunter2@b/a", "s3://key@b", "s3:///a"])
def test_an_address_with_a_credential_or_without_a_bucket_is_refused(place: str) -> None:
    with pytest.raises(UserError) as refused:
        bucket_and_prefix(place)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize(
    "settings", [{"region": "eu-west-1"}, {"region": "eu-west-1", "endpointurl": "http://127.0.0.1:9"}]
)
def test_region_and_endpoint_may_be_set_and_a_key_is_never_taken(
    monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "from the environment")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    client = make_client({**settings, "access_key_id": "from DVC", "secret_access_key": "other"})
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.endpoint_url == settings.get("endpointurl", "https://s3.eu-west-1.amazonaws.com")
    assert vars(client)["_request_signer"]._credentials.access_key == "from the environment"
