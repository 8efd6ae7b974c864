import errno
import hashlib
import os
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import Rejection, TemporaryError, UserError
from pipelines.landing_zone import FolderLanding, open_landing
from pipelines.storage import S3Landing, S3Objects

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client


def write(path: Path, content: bytes = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# --- a folder ---


@pytest.fixture
def folder(tmp_path: Path) -> FolderLanding:
    (tmp_path / "landing").mkdir()
    return FolderLanding(tmp_path / "landing")


def test_a_folder_lists_all_files_below_it_by_path(folder: FolderLanding) -> None:
    for path in ("b/c.mp4", "a.csv", "b/.hidden", "b.mp4"):
        write(folder.root / path, b"four")
    (folder.root / "empty").mkdir()
    assert [(file.path, file.size) for file in folder.files()] == [
        ("a.csv", 4), ("b.mp4", 4), ("b/.hidden", 4), ("b/c.mp4", 4),
    ]  # fmt: skip


def test_links_and_pipes_are_listed_and_neither_followed_nor_read(folder: FolderLanding, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret")
    (folder.root / "to-file").symlink_to(tmp_path / "outside" / "secret")
    (folder.root / "to-folder").symlink_to(tmp_path / "outside")
    os.mkfifo(folder.root / "pipe")
    assert {file.path: file.regular for file in folder.files()} == {
        "pipe": False, "to-file": False, "to-folder": False,
    }  # fmt: skip
    with pytest.raises(Rejection) as refused:
        folder.read("to-file")
    assert refused.value.code == "UNREADABLE"


def test_a_stamp_changes_with_size_and_time_and_ends_with_the_file(folder: FolderLanding) -> None:
    write(folder.root / "a", b"one")
    (listed,) = folder.files()
    assert folder.stamp("a") == listed.stamp
    os.utime(folder.root / "a", ns=(1, 1))
    moved = folder.stamp("a")
    write(folder.root / "a", b"three")
    os.utime(folder.root / "a", ns=(1, 1))
    assert len({listed.stamp, moved, folder.stamp("a")}) == 3
    (folder.root / "a").unlink()
    assert folder.stamp("a") is None
    with pytest.raises(Rejection, match="No such file"):
        folder.read("a")


def test_files_moved_away_during_the_walk_have_not_landed(
    folder: FolderLanding, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b.part", "c/d", "e"):
        write(folder.root / name)
    true_is_dir = Path.is_dir

    class Entries:
        def __init__(self, where: Path) -> None:
            self._entries = sorted(true_scandir(where), key=lambda entry: entry.name)

        def __enter__(self) -> "Iterator[os.DirEntry[str]]":
            for gone in ("b.part", "c/d"):
                (folder.root / gone).unlink(missing_ok=True)
            if true_is_dir(folder.root / "c"):
                (folder.root / "c").rmdir()
            return iter(self._entries)

        def __exit__(self, *_: object) -> None:
            pass

    true_scandir = os.scandir
    monkeypatch.setattr(os, "scandir", Entries)
    assert [file.path for file in folder.files()] == ["a", "e"]


def test_a_missing_folder_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none is not there: mount it, or set study\.landing"):
        FolderLanding(tmp_path / "none").files()


def test_a_landing_zone_is_a_folder_of_the_study_or_elsewhere_or_a_bucket(tmp_path: Path) -> None:
    assert open_landing("landing", tmp_path) == FolderLanding(tmp_path / "landing")
    assert open_landing("/mnt/landing", tmp_path) == FolderLanding(Path("/mnt/landing"))
    assert isinstance(open_landing("s3://bucket/a/b", tmp_path), S3Landing)


# --- a bucket ---


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> "Iterator[S3Client]":
    import boto3  # noqa: PLC0415 - half a second that the tests of folders need not pay
    from moto import mock_aws  # noqa: PLC0415 - the same

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="hospital")
        yield client


def put(s3: "S3Client", *keys: str, body: bytes = b"x") -> None:
    for key in keys:
        s3.put_object(Bucket="hospital", Key=key, Body=body)


@pytest.mark.parametrize("prefix", ["zone", "zone/", "/zone/"])
def test_a_bucket_lists_what_is_below_its_prefix(s3: "S3Client", prefix: str) -> None:
    put(s3, "zone/b.mp4", "zone/a/c.mp4", "zone/", "zone/folder/", "zones/x", "y", body=b"four")
    found = S3Landing("hospital", prefix).files()
    assert [(file.path, file.size, file.regular) for file in found] == [("a/c.mp4", 4, True), ("b.mp4", 4, True)]
    assert all(file.modified_at.tzinfo is not None for file in found)


def test_a_file_is_copied_to_a_bucket_and_can_be_read_there(s3: "S3Client", tmp_path: Path) -> None:
    (tmp_path / "object").write_bytes(b"film")
    objects = S3Objects("hospital", "store", {})
    md5 = hashlib.md5(b"film", usedforsecurity=False).hexdigest()
    assert not objects.holds("files/md5/ab/c", md5, 4)
    objects.write("files/md5/ab/c", tmp_path / "object")
    assert objects.holds("files/md5/ab/c", md5, 4)
    assert objects.holds("files/md5/ab/c", md5, None)
    assert not objects.holds("files/md5/ab/c", md5, 5)
    assert not objects.holds("files/md5/ab/c", "0" * 32, 4)
    assert s3.get_object(Bucket="hospital", Key="store/files/md5/ab/c")["Body"].read() == b"film"


def test_more_than_a_page_of_objects_is_listed(s3: "S3Client") -> None:
    from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415 - as above
    from moto.s3.models import s3_backends  # noqa: PLC0415 - as above

    for number in range(1003):
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object("hospital", f"{number:04d}", b"x")
    assert [file.path for file in S3Landing("hospital", "").files()] == [f"{number:04d}" for number in range(1003)]


def test_objects_are_read_and_stamped(s3: "S3Client") -> None:
    put(s3, "zone/a.mp4", body=b"film")
    landing = S3Landing("hospital", "zone")
    (listed,) = landing.files()
    assert landing.read("a.mp4") == b"film"
    assert landing.stamp("a.mp4") == listed.stamp
    put(s3, "zone/a.mp4", body=b"else")
    assert landing.stamp("a.mp4") not in {listed.stamp, None}
    assert landing.stamp("gone.mp4") is None
    with pytest.raises(Rejection) as refused:
        landing.read("gone.mp4")
    assert (refused.value.code, refused.value.detail) == ("UNREADABLE", "S3: NoSuchKey")


def test_a_missing_bucket_is_a_users_error(s3: "S3Client") -> None:
    with pytest.raises(UserError, match=r"s3://nowhere/ answers NoSuchBucket: check bucket and credentials"):
        S3Landing("nowhere", "").files()


def test_a_server_that_cannot_be_reached_can_come_back_and_no_delivery_is_blamed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    # The discard port of this machine, where nobody listens.
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    landing = S3Landing("hospital", "")
    for ask in (landing.files, partial(landing.stamp, "a.mp4"), partial(landing.read, "a.mp4")):
        with pytest.raises(TemporaryError, match="cannot be reached"):
            ask()


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT])
def test_a_share_that_does_not_answer_can_come_back(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pipelines.landing_zone.os.open", fail)
    with pytest.raises(TemporaryError, match="does not answer"):
        FolderLanding(tmp_path).read("a.mp4")


def test_errors_of_the_server_are_tried_again(s3: "S3Client") -> None:
    settings = vars(S3Landing("hospital", "")._client().meta.config)["_user_provided_options"]
    assert settings["retries"] == {"mode": "standard", "total_max_attempts": 5}
    assert settings["connect_timeout"] <= 10
    assert settings["read_timeout"] <= 60
