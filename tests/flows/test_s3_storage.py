"""Reading from and writing to a bucket, on a real S3 server: what moto would let pass."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.backup import complete
from pipelines.errors import AccessRefusedError, PainLakeError, Rejection, UserError
from pipelines.in_parallel import in_parallel
from pipelines.repository import Repository
from pipelines.s3_client import make_client
from pipelines.s3_write import Target, encryption, unfinished_uploads, write_file
from pipelines.storage import S3Landing, S3Objects
from pipelines.study import make_study

MANY = 1_100
"""More than the thousand that S3 lists at once."""
PART = 5 << 20


@pytest.fixture
def target(s3_here: Any) -> Target:
    return Target(make_client(), "backup", part_bytes=PART)


def file_of(folder: Path, size: int) -> Path:
    """A file whose every part has other bytes."""
    content = b"".join(hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(-(-size // 32)))
    path = folder / "file"
    path.write_bytes(content[:size])
    return path


def stored(client: Any, key: str) -> bytes:
    content: bytes = client.get_object(Bucket="backup", Key=key)["Body"].read()
    return content


# --- writing ---


@pytest.mark.parametrize("size", [0, 1000, PART, PART + 1, 2 * PART + 12_345])
def test_a_file_comes_back_as_it_was_whatever_its_size(s3_here: Any, target: Target, tmp_path: Path, size: int) -> None:
    source = file_of(tmp_path, size)
    key = f"sizes/{size}"
    assert write_file(target, key, source, new=True) == hashlib.sha256(source.read_bytes()).hexdigest()
    assert stored(s3_here, key) == source.read_bytes()
    assert ("-" in s3_here.head_object(Bucket="backup", Key=key)["ETag"]) == (size > PART)


@pytest.mark.parametrize("size", [1000, PART + 1])
def test_nothing_is_written_over_an_object_that_is_there(
    s3_here: Any, target: Target, tmp_path: Path, size: int
) -> None:
    key = f"taken/{size}"
    s3_here.put_object(Bucket="backup", Key=key, Body=b"somebody's")
    with pytest.raises(UserError, match="is there already"):
        write_file(target, key, file_of(tmp_path, size), new=True)
    assert stored(s3_here, key) == b"somebody's"
    assert list(unfinished_uploads(s3_here, "backup", "taken/")) == []


def test_a_try_whose_answer_was_lost_is_no_other_object(s3_here: Any, target: Target, tmp_path: Path) -> None:
    source = file_of(tmp_path, 1000)
    assert write_file(target, "twice", source, new=True) == write_file(target, "twice", source, new=True)


def test_what_comes_back_otherwise_is_taken_away(
    s3_here: Any, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = file_of(tmp_path, 1000)
    put = type(target.client).put_object

    def flip(client: Any, **named: Any) -> Any:
        named.pop("ChecksumSHA256")
        return put(client, **{**named, "Body": b"?" + named["Body"][1:]})

    monkeypatch.setattr(type(target.client), "put_object", flip)
    with pytest.raises(PainLakeError, match="came back with other bytes"):
        write_file(target, "flipped", source, new=True)
    assert S3Objects("backup", "flipped", {}).current() == set()


def test_an_upload_that_breaks_off_leaves_no_parts(
    s3_here: Any, target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(target.client), "complete_multipart_upload", fail)
    with pytest.raises(KeyboardInterrupt):
        write_file(target, "broken/off", file_of(tmp_path, PART + 1), new=True)
    assert list(unfinished_uploads(s3_here, "backup", "broken/")) == []


@pytest.mark.parametrize(("sse", "key_id"), [("AES256", None), ("aws:kms", "painlake")])
@pytest.mark.parametrize("size", [1000, PART + 1])
def test_encryption_at_rest_is_asked_for_and_had(
    s3_here: Any, tmp_path: Path, sse: str, key_id: str | None, size: int
) -> None:
    target = Target(make_client(), "backup", encryption(sse, key_id), PART)
    key = f"sealed/{sse}/{size}"
    source = file_of(tmp_path, size)
    write_file(target, key, source, new=True)
    assert s3_here.head_object(Bucket="backup", Key=key)["ServerSideEncryption"] == sse
    assert stored(s3_here, key) == source.read_bytes()


def test_a_backup_is_encrypted_as_dvcs_settings_say_and_known_for_whole(s3_here: Any, tmp_path: Path) -> None:
    source = file_of(tmp_path, 1000)
    md5 = hashlib.md5(source.read_bytes(), usedforsecurity=False).hexdigest()
    objects = S3Objects("backup", "store", {"sse": "aws:kms", "sse_kms_key_id": "painlake"})
    objects.write("object", source)
    assert s3_here.head_object(Bucket="backup", Key="store/object")["ServerSideEncryption"] == "aws:kms"
    assert objects.holds("object", md5, 1000)
    s3_here.put_object(Bucket="backup", Key="store/object", Body=b"x" * 1000)
    assert not objects.holds("object", md5, 1000)


@pytest.mark.slow
@pytest.mark.parametrize(("sse", "key_id"), [("AES256", None), ("aws:kms", "painlake")])
def test_what_dvc_pushes_is_encrypted_as_its_settings_say_and_known_for_whole(
    s3_here: Any, tmp_path: Path, sse: str, key_id: str | None
) -> None:
    prefix = f"pushed-{sse.replace(':', '-')}"
    study = make_study(tmp_path / "study", None, f"s3://backup/{prefix}")
    repository, person = Repository(study.root), study.lake / "P000000001" / "recordings"
    for option, value in (("sse", sse), ("sse_kms_key_id", key_id)):
        if value is not None:
            repository.dvc("remote", "modify", "store", option, value)
    # Of the objects alone: there are no features to push.
    (study.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    person.mkdir(parents=True)
    (person / "film.age").write_bytes(b"sealed" * 100)
    repository.add([person])
    repository.commit("Objects")
    repository.tag(1, "one")
    repository.push()
    listed = s3_here.list_objects_v2(Bucket="backup", Prefix=f"{prefix}/")["Contents"]
    assert len(listed) == 2
    for entry in listed:
        assert s3_here.head_object(Bucket="backup", Key=entry["Key"])["ServerSideEncryption"] == sse
    assert complete(study, repository, [1], None) == 0
    # Another's bytes of the same size do not pass for it, and are put right.
    largest = max(listed, key=lambda entry: int(entry["Size"]))["Key"]
    s3_here.put_object(Bucket="backup", Key=largest, Body=b"damage" * 100)
    assert complete(study, repository, [1], None) == 1
    assert stored(s3_here, largest) == b"sealed" * 100
    assert s3_here.head_object(Bucket="backup", Key=largest)["ServerSideEncryption"] == sse


# --- reading ---


@pytest.fixture(scope="module")
def large() -> bytes:
    return b"".join(hashlib.sha256(number.to_bytes(8, "big")).digest() for number in range(100_000))


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Answers that break off after the first piece; what is in the list is called then."""
    from botocore.exceptions import IncompleteReadError  # noqa: PLC0415 - half a second
    from botocore.response import StreamingBody  # noqa: PLC0415 - as above

    meanwhile: list[Any] = []
    iter_chunks = StreamingBody.iter_chunks
    monkeypatch.setattr("pipelines.s3_read._WAIT_S", 0.0)

    def first_alone(body: Any, size: int) -> Iterator[bytes]:
        yield next(iter_chunks(body, size))
        if meanwhile:
            meanwhile.pop()()
        raise IncompleteReadError(actual_bytes=size, expected_bytes=0)

    monkeypatch.setattr(StreamingBody, "iter_chunks", first_alone)
    yield meanwhile
    monkeypatch.undo()


def test_an_answer_that_breaks_off_is_taken_up_where_it_was(s3_here: Any, large: bytes, breaking: list[Any]) -> None:
    s3_here.put_object(Bucket="hospital", Key="reads/whole", Body=large)
    assert S3Landing("hospital", "reads").read("whole") == large


def test_an_object_that_changes_in_the_middle_is_never_mixed(s3_here: Any, large: bytes, breaking: list[Any]) -> None:
    s3_here.put_object(Bucket="hospital", Key="reads/changed", Body=large)
    breaking.append(lambda: s3_here.put_object(Bucket="hospital", Key="reads/changed", Body=large[::-1]))
    with pytest.raises(Rejection) as refused:
        S3Landing("hospital", "reads").read("changed")
    assert (refused.value.code, refused.value.detail) == ("NOT_STABLE", "it changed while it was read")


def test_bytes_that_are_not_those_of_the_checksum_are_unreadable(s3_here: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    s3_here.put_object(Bucket="hospital", Key="reads/damaged", Body=b"film" * 100)
    from botocore.response import StreamingBody  # noqa: PLC0415 - half a second

    iter_chunks, asked = StreamingBody.iter_chunks, []

    def flipped(body: Any, size: int) -> Iterator[bytes]:
        asked.append(1)
        for piece in iter_chunks(body, size):
            yield b"?" + piece[1:]

    monkeypatch.setattr(StreamingBody, "iter_chunks", flipped)
    with pytest.raises(Rejection) as refused:
        S3Landing("hospital", "reads").read("damaged")
    assert refused.value.code == "UNREADABLE"
    assert "checksum" in refused.value.detail
    assert len(asked) == 2


def test_more_objects_than_s3_lists_at_once_are_all_seen(s3_here: Any) -> None:
    client = make_client()
    keys = [f"many/{number:05d}" for number in range(MANY)]

    def put(key: str) -> None:
        client.put_object(Bucket="hospital", Key=key, Body=key.encode())

    list(in_parallel(put, keys, 16))
    names = [key.removeprefix("many/") for key in keys]
    assert [file.path for file in S3Landing("hospital", "many").files()] == names
    objects = S3Objects("hospital", "many", {})
    assert objects.current() == objects.names() == set(names)


# --- who asks ---


@pytest.mark.parametrize(("name", "value"), [("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")])
def test_a_wrong_key_is_refused_at_once_and_blames_no_delivery(
    s3_here: Any, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    s3_here.put_object(Bucket="hospital", Key="keys/a", Body=b"film")
    monkeypatch.setenv(name, value)
    landing = S3Landing("hospital", "keys")
    for ask in (
        landing.files,
        lambda: landing.read("a"),
        lambda: landing.stamp("a"),
        S3Objects("backup", "", {}).check,
    ):
        with pytest.raises(AccessRefusedError, match="check bucket and credentials") as refused:
            ask()
        assert refused.value.exit_code == 2
        assert value not in str(refused.value)


def test_no_key_at_all_is_refused_too(s3_here: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(AccessRefusedError, match="Unable to locate credentials"):
        S3Landing("hospital", "").files()


# --- what goes ---


def test_an_object_goes_with_its_versions_and_what_an_upload_left(s3_here: Any) -> None:
    upload = s3_here.create_multipart_upload(Bucket="backup", Key="gone/left")
    named = {"Bucket": "backup", "Key": "gone/left", "UploadId": upload["UploadId"]}
    s3_here.upload_part(**named, PartNumber=1, Body=b"part of somebody")
    objects = S3Objects("backup", "gone", {})
    assert (objects.current(), objects.names()) == (set(), {"left"})
    assert objects.remove("left") == 1
    assert objects.names() == set()
