"""Verify reads a remote in a bucket, on a real S3 server: a changed object there is named."""

from pathlib import Path

import pytest

from pipelines.stores import S3Store, stores_of
from pipelines.verify import verify
from tests.flows.test_s3 import client, s3  # noqa: F401 - a fixture is asked for by its name
from tests.pipelines.erase_factory import make

pytestmark = pytest.mark.slow


def test_a_changed_a_cut_and_a_missing_object_in_the_bucket_are_named(
    s3: dict[str, str],  # noqa: F811 - the fixture
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    bucket = client(s3)
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
    bucket.put_object(Bucket="backup", Key=key(changed), Body=flipped)
    bucket.put_object(Bucket="backup", Key=key(cut), Body=whole[cut][:-1])
    bucket.delete_object(Bucket="backup", Key=key(missing))
    problems = {each.name.split()[0]: each.problem for each in verify(made.study).findings}
    assert problems == {
        changed: "is damaged in the remote store",
        cut: "is damaged in the remote store",
        missing: "is missing from the remote store",
    }
    assert [each.name.split()[0] for each in verify(made.study, quick=True).findings] == [missing]
    assert f"s3://backup/{key(changed)}" in " ".join(verify(made.study).wrong)
