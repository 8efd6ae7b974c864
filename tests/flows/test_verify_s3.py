"""Verify reads a remote in a bucket, on a real S3 server: a changed object there is named."""

from pathlib import Path
from typing import Any

import pytest

from pipelines.stores import S3Store, stores_of
from pipelines.verify import verify
from tests.pipelines.erase_factory import make

pytestmark = pytest.mark.slow


def test_a_changed_a_cut_and_a_missing_object_in_the_bucket_are_named(s3_here: Any, tmp_path: Path) -> None:
    made = make(tmp_path, "s3://backup/verified")
    made.ledger.close()
    found = verify(made.study)
    assert found.wrong == ()
    assert found.checked["objects at remote store"] > 40
    (remote,) = stores_of(made.study).remotes
    assert isinstance(remote, S3Store)
    changed, cut, missing = sorted(oid for oid in remote.present() if not oid.endswith(".dir"))[:3]

    def key(oid: str) -> str:
        return f"verified/files/md5/{oid[:2]}/{oid[2:]}"

    whole = {oid: remote.read(oid) or b"" for oid in (changed, cut)}
    flipped = bytes([whole[changed][0] ^ 1]) + whole[changed][1:]
    s3_here.put_object(Bucket="backup", Key=key(changed), Body=flipped)
    s3_here.put_object(Bucket="backup", Key=key(cut), Body=whole[cut][:-1])
    s3_here.delete_object(Bucket="backup", Key=key(missing))
    problems = {each.name.split()[0]: each.problem for each in verify(made.study).findings}
    assert problems == {
        changed: "is damaged in the remote store",
        cut: "is damaged in the remote store",
        missing: "is missing from the remote store",
    }
    assert [each.name.split()[0] for each in verify(made.study, quick=True).findings] == [missing]
    assert f"s3://backup/{key(changed)}" in " ".join(verify(made.study).wrong)
