"""Erasure from a remote in a bucket that keeps versions, on a real S3 server."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.erase_objects import objects_of
from pipelines.repository import Repository
from pipelines.stores import S3Store, stores_of
from pipelines.verify import verify
from tests.pipelines.erase_factory import PERSON, erase, make

pytestmark = pytest.mark.slow


def test_every_version_and_delete_marker_of_the_persons_objects_goes(s3_here: Any, tmp_path: Path) -> None:
    s3_here.put_bucket_versioning(Bucket="backup", VersioningConfiguration={"Status": "Enabled"})
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
            s3_here.put_object(Bucket="backup", Key=key, Body=remote.read(oid) or b"")
        if oid == deleted:
            s3_here.delete_object(Bucket="backup", Key=key)
    receipt = erase(made.study.root)
    own = set(receipt["deleted"]["objects_md5"])  # type: ignore[index] # a document of JSON
    assert own <= before
    assert remote.objects() & own == set()
    assert before - own <= remote.objects()
    listed = s3_here.list_object_versions(Bucket="backup", Prefix="dvc/")
    names = {entry["Key"] for kind in ("Versions", "DeleteMarkers") for entry in listed.get(kind, [])}
    assert not {name for name in names if name.removeprefix("dvc/files/md5/").replace("/", "") in own}
    assert verify(made.study).wrong == ()
