"""Units of work by way of a bucket, to a worker that sees nothing of the study; moto takes the bucket's place.

A real S3 server and workers in processes of their own stand in `tests/flows/test_cluster_s3.py`.
"""

import pickle
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.carry_out import carry_out
from pipelines.confine import Limits
from pipelines.errors import PainLakeError, Rejection, UserError
from pipelines.exchange_bucket import Bucket, drop_exchanges
from pipelines.faultpoints import VARIABLE as FAULT
from pipelines.fleet import Fleet
from pipelines.order import Order, Outcome
from pipelines.storage import S3Objects
from pipelines.vault_key import new_key
from pipelines.work import do_unit
from pipelines.worker_key import VARIABLE, key_of_own_workers, worker_key
from tests.pipelines.fleet_factory import Inline, Unmeasured, unmeasured
from tests.pipelines.video_factory import plain, video

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client

PLACE = "s3://exchange/cluster"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", [video([plain(90)] * 8)])


@pytest.fixture
def lake(pristine: Unmeasured, tmp_path: Path) -> Unmeasured:
    return pristine.copy(tmp_path / "study")


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> "Iterator[S3Client]":
    import boto3  # noqa: PLC0415 - half a second that other tests need not pay
    from moto import mock_aws  # noqa: PLC0415 - the same

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with mock_aws():
        client = boto3.client("s3")
        client.create_bucket(Bucket="exchange")
        client.put_bucket_versioning(Bucket="exchange", VersioningConfiguration={"Status": "Enabled"})
        client.put_object(Bucket="exchange", Key="cluster/somebody's", Body=b"not ours")
        yield client


def objects(s3: "S3Client") -> dict[str, bytes]:
    """All that can be read, but for what was there before."""
    found = s3.list_objects_v2(Bucket="exchange").get("Contents", [])
    names = [each["Key"] for each in found if not each["Key"].endswith("somebody's")]
    return {name: s3.get_object(Bucket="exchange", Key=name)["Body"].read() for name in names}


def versions(s3: "S3Client") -> int:
    """How many versions and delete markers there are of all objects."""
    listed = s3.list_object_versions(Bucket="exchange")
    return len(listed.get("Versions", [])) + len(listed.get("DeleteMarkers", []))


@dataclass
class FarWorker:
    """A worker in this process that does not see the study; keeps what passed, and what lay in the bucket."""

    s3: "S3Client"
    root: Path
    passed: list[Order | Outcome] = field(default_factory=list)
    lay: dict[str, bytes] = field(default_factory=dict)

    def send(self, order: Order) -> Outcome:
        hidden = self.root.rename(self.root.with_name("hidden"))
        try:
            self.lay |= objects(self.s3)
            self.passed += [order, carry_out(pickle.loads(pickle.dumps(order)))]  # noqa: S301 - our own
            self.lay |= objects(self.s3)
        finally:
            hidden.rename(self.root)
        outcome = self.passed[-1]
        assert isinstance(outcome, Outcome)
        return outcome


@pytest.fixture
def worker(s3: "S3Client", lake: Unmeasured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FarWorker:
    monkeypatch.setattr("pipelines.carry_out._try_engines", lambda *_: None)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return FarWorker(s3, lake.study.root)


@pytest.fixture
def bucket(worker: FarWorker, lake: Unmeasured) -> Iterator[Bucket]:
    with key_of_own_workers(), Bucket(lake.study.state, PLACE, worker_key()) as made:
        yield made


@pytest.fixture
def fleet(worker: FarWorker, bucket: Bucket) -> Iterator[Fleet]:
    with Fleet(1, Limits(wall_s=120.0), bucket, worker.send, 1) as made:
        yield made


def bring(fleet: Fleet | Inline, lake: Unmeasured, *stages: str) -> None:
    for stage in stages:
        fleet.run(do_unit, lake.unit(lake.recordings[0], stage))


def test_all_stages_are_done_to_the_same_bits_without_a_sight_of_the_study(
    fleet: Fleet, lake: Unmeasured, pristine: Unmeasured, tmp_path: Path
) -> None:
    here = pristine.copy(tmp_path / "here")
    stages = ("quality", "face", "voice", "align")
    bring(fleet, lake, *stages)
    bring(Inline(), here, *stages)
    assert lake.digests() == here.digests() != {}


def test_pseudonyms_addresses_and_digests_travel_and_what_lies_in_the_bucket_is_encrypted(
    fleet: Fleet, worker: FarWorker, lake: Unmeasured
) -> None:
    (recording,) = lake.recordings
    bring(fleet, lake, "quality")
    order, outcome = worker.passed
    assert isinstance(order, Order)
    assert isinstance(outcome, Outcome)
    assert order.place.startswith(f"{PLACE}/painlake-exchange/")
    unit = lake.unit(recording)
    assert replace(order, sha256="") == Order(
        order.place, "quality", recording.participant, recording.recording, unit.key
    )
    assert replace(outcome, sha256="", left="") == Outcome()
    ends = sorted(name.rpartition("/")[2].split(".", 3)[-1].partition(".")[0] for name in worker.lay)
    assert ends == ["begun", "order", "recording", "result"]
    for name, content in worker.lay.items():
        assert content.startswith(b"age-encryption.org/v1") or name.endswith("begun")


def test_nothing_stays_in_the_bucket(fleet: Fleet, lake: Unmeasured, s3: "S3Client") -> None:
    bring(fleet, lake, "quality")
    assert [name.rpartition("/")[2] for name in objects(s3)] == ["begun"]
    fleet._exchange.__exit__(None, None, None)  # type: ignore[attr-defined]  # of the bucket
    assert versions(s3) == 1, "no version of any object but somebody's own"
    assert drop_exchanges(lake.study.state) == []


def test_nothing_stays_with_the_worker(fleet: Fleet, lake: Unmeasured, tmp_path: Path) -> None:
    killed = tmp_path / "temporary" / "painlake-workplace-killed"
    (killed / "P000000000").mkdir(parents=True)
    bring(fleet, lake, "quality")
    assert list((tmp_path / "temporary").iterdir()) == []


def test_what_was_found_in_a_recording_comes_back_by_the_bucket(
    fleet: Fleet, worker: FarWorker, lake: Unmeasured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.carry_out._idle", {})
    monkeypatch.setenv(FAULT, f"unit.quality.{lake.recordings[0].recording}:crash")
    with pytest.raises(Rejection) as refused:
        bring(fleet, lake, "quality")
    assert refused.value.code == "DECODER_CRASH"
    assert "ended with" in refused.value.detail
    assert refused.value.detail not in repr(worker.passed)


def test_a_killed_runs_objects_are_removed_by_the_next_one_and_its_workers_write_nothing(
    bucket: Bucket, worker: FarWorker, lake: Unmeasured, s3: "S3Client"
) -> None:
    killed = bucket.handed_over(lake.unit(lake.recordings[0]))
    order = killed.__enter__()
    assert len(objects(s3)) == 3
    assert drop_exchanges(lake.study.state) == []
    assert versions(s3) == 1
    assert worker.send(order).error == "the run that ordered this is over"
    assert versions(s3) == 1


def test_a_worker_that_is_through_when_the_run_is_over_leaves_nothing(
    bucket: Bucket, worker: FarWorker, lake: Unmeasured, s3: "S3Client", monkeypatch: pytest.MonkeyPatch
) -> None:
    with bucket.handed_over(lake.unit(lake.recordings[0])) as order:
        still = S3Objects.current

        def gone(self: S3Objects, below: str = "") -> set[str]:
            drop_exchanges(lake.study.root.with_name("hidden") / "state")
            return still(self, below)

        monkeypatch.setattr(S3Objects, "current", gone)
        assert worker.send(order).error == "the run that ordered this is over"
    assert versions(s3) == 1


def test_a_worker_with_another_key_does_nothing(
    fleet: Fleet, lake: Unmeasured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(new_key())
    (tmp_path / "key").chmod(0o600)
    with monkeypatch.context() as there:
        there.setenv(VARIABLE, str(tmp_path / "key"))
        with pytest.raises(PainLakeError, match=f"this worker's {VARIABLE} is not that of the run"):
            bring(fleet, lake, "quality")


@pytest.mark.parametrize("what", ["order", "recording"])
def test_a_changed_object_is_not_taken(
    bucket: Bucket, worker: FarWorker, lake: Unmeasured, s3: "S3Client", what: str
) -> None:
    with bucket.handed_over(lake.unit(lake.recordings[0])) as order:
        (name,) = (each for each in objects(s3) if each.endswith(what))
        s3.put_object(Bucket="exchange", Key=name, Body=b"age-encryption.org/v1 of somebody else")
        assert "is not what the run left there" in worker.send(order).error


def test_a_changed_result_is_not_taken(bucket: Bucket, worker: FarWorker, lake: Unmeasured, s3: "S3Client") -> None:
    unit = lake.unit(lake.recordings[0])
    with bucket.handed_over(unit) as order:
        outcome = worker.send(order)
        with pytest.raises(PainLakeError, match="is not what it made"):
            bucket.result(unit, replace(outcome, sha256="0" * 64))
        with pytest.raises(PainLakeError, match="is not there"):
            bucket.result(unit, replace(outcome, left="../elsewhere"))
        s3.put_object(Bucket="exchange", Key=f"{order.place.removeprefix('s3://exchange/')}/{outcome.left}", Body=b"x")
        with pytest.raises(PainLakeError, match="for the holder of another key, or damaged"):
            bucket.result(unit, outcome)
    assert lake.digests() == {}


def test_a_bucket_that_is_not_there_is_named_and_leaves_nothing_to_remove(worker: FarWorker, lake: Unmeasured) -> None:
    with pytest.raises(UserError, match=r"the exchange s3://nowhere/x/.* answers NoSuchBucket"):
        Bucket(lake.study.state, "s3://nowhere/x", new_key()).__enter__()
    assert drop_exchanges(lake.study.state) == []


def test_what_cannot_be_removed_is_told_and_not_forgotten(
    bucket: Bucket, lake: Unmeasured, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as refused:
        refused.setattr("pipelines.exchange_bucket._remove", _away)
        (said,) = drop_exchanges(lake.study.state)
    assert "is still to be removed: the bucket is away" in said
    assert drop_exchanges(lake.study.state) == []


def _away(*_: object) -> None:
    raise PainLakeError("the bucket is away")
