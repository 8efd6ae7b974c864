"""Erasure from a remote in a bucket that keeps versions, on a real S3 server."""

from pathlib import Path

import pytest

from pipelines.erase_objects import objects_of
from pipelines.repository import Repository
from pipelines.stores import S3Store, stores_of
from pipelines.verify import verify
from tests.flows.test_s3 import client, s3  # noqa: F401 - a fixture is asked for by its name
from tests.pipelines.erase_factory import PERSON, erase, make

pytestmark = pytest.mark.slow


def test_every_version_and_delete_marker_of_the_persons_objects_goes(
    s3: dict[str, str],  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    bucket = client(s3)
    bucket.put_bucket_versioning(Bucket="backup", VersioningConfiguration={"Status": "Enabled"})
    made = make(tmp_path, "s3://backup/dvc")
    made.ledger.close()
    (remote,) = stores_of(made.study).remotes
    assert isinstance(remote, S3Store)
    before = remote.objects()
    # Of the person: a version beneath the newest, and an object that was deleted already; both are there for who asks.
    theirs = objects_of(made.study, Repository(made.study.root), stores_of(made.study), PERSON, set()).own
    twice, deleted = [oid for oid in theirs if not oid.endswith(".dir")][:2]
    for oid in before:
        key = f"dvc/files/md5/{oid[:2]}/{oid[2:]}"
        if oid == twice:
            bucket.put_object(Bucket="backup", Key=key, Body=remote.read(oid) or b"")
        if oid == deleted:
            bucket.delete_object(Bucket="backup", Key=key)
    receipt = erase(made.study.root)
    own = set(receipt["deleted"]["objects_md5"])  # type: ignore[index] # a document of JSON
    assert own <= before
    assert remote.objects() & own == set()
    assert before - own <= remote.objects()
    listed = bucket.list_object_versions(Bucket="backup", Prefix="dvc/")
    names = {entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in listed.get(kind, [])}
    assert not {name for name in names if name.removeprefix("dvc/files/md5/").replace("/", "") in own}
    assert verify(made.study).wrong == ()
