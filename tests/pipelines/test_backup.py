"""A version is at the remote once its objects are, whatever `dvc push` says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.erase_objects import new_outputs, outputs_at, owners
from pipelines.errors import AccessRefusedError, TemporaryError, UserError
from pipelines.repository import Repository, tag_name
from pipelines.stores import FolderStore, stores_of
from tests.pipelines.erase_factory import MadeStudy, make

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MadeStudy]:
    """Two versions."""
    made = make(tmp_path_factory.mktemp("backup"))
    yield made
    made.ledger.close()


@pytest.fixture
def waiting(study: MadeStudy) -> MadeStudy:
    """The remote has been away all the time, and is back, empty."""
    shutil.rmtree(study.study.root.parent / "remote", ignore_errors=True)
    study.ledger._db.execute("UPDATE versions SET pushed_at = NULL")
    return study


def objects(made: MadeStudy, number: int) -> set[str]:
    repository = Repository(made.study.root)
    return set(owners(outputs_at(repository, tag_name(number)), stores_of(made.study))[0])


def remote(made: MadeStudy) -> FolderStore:
    (store,) = stores_of(made.study).remotes
    assert isinstance(store, FolderStore)
    return store


def pushed(made: MadeStudy) -> list[bool]:
    return [version["pushed_at"] is not None for version in made.ledger.versions()]


def test_every_version_that_waited_is_copied_and_not_the_last_alone(waiting: MadeStudy) -> None:
    assert objects(waiting, 1) - objects(waiting, 2)
    waiting.versioning.push()
    assert objects(waiting, 1) | objects(waiting, 2) <= remote(waiting).objects()
    assert pushed(waiting) == [True, True]


def test_what_dvc_passes_over_is_copied_all_the_same(waiting: MadeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repository, "push", lambda _: None)
    waiting.versioning.push()
    store = remote(waiting)
    assert objects(waiting, 1) | objects(waiting, 2) <= store.objects()
    assert all(store.md5(oid) == oid.removesuffix(".dir") for oid in store.objects())


def test_what_is_nowhere_keeps_its_version_waiting(
    waiting: MadeStudy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(Repository, "push", lambda _: None)
    lost = stores_of(waiting.study).cache.path(min(oid for oid in objects(waiting, 2) if not oid.endswith(".dir")))
    shutil.move(lost, tmp_path / "kept")
    try:
        with pytest.raises(TemporaryError, match="1 objects are neither at the remote store nor whole in the cache"):
            waiting.versioning.push()
        assert pushed(waiting) == [False, False]
    finally:
        shutil.move(tmp_path / "kept", lost)
    waiting.versioning.push()
    assert pushed(waiting) == [True, True]


def test_a_remote_that_refuses_who_asks_is_not_asked_again(waiting: MadeStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: FolderStore) -> None:
        raise AccessRefusedError("the remote s3://backup/dvc/ answers SignatureDoesNotMatch")

    monkeypatch.setattr(FolderStore, "check", refuse)
    monkeypatch.setattr(Repository, "push", lambda _: pytest.fail("DVC was started"))
    with pytest.raises(UserError, match=r"^NOT_BACKED_UP: .*SignatureDoesNotMatch"):
        waiting.versioning.push()
    assert pushed(waiting) == [False, False]


def test_an_object_that_arrived_cut_is_copied_again(waiting: MadeStudy) -> None:
    waiting.versioning.push()
    store = remote(waiting)
    oid = max(store.objects(), key=lambda each: store.path(each).stat().st_size)
    store.path(oid).chmod(0o600)
    store.path(oid).write_bytes(b"cut")
    waiting.ledger._db.execute("UPDATE versions SET pushed_at = NULL")
    waiting.versioning.push()
    assert store.md5(oid) == oid.removesuffix(".dir")


def test_a_later_version_is_copied_without_dvc_and_to_an_empty_remote_by_it(
    waiting: MadeStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    push = Repository.push

    def spy(self: Repository) -> None:
        asked.append("push")
        push(self)

    monkeypatch.setattr(Repository, "push", spy)
    waiting.versioning.push()
    assert asked == ["push"]
    waiting.ledger._db.execute("UPDATE versions SET pushed_at = NULL WHERE number = 2")
    store = remote(waiting)
    for oid in objects(waiting, 2) - objects(waiting, 1):
        store.remove(oid)
    waiting.versioning.push()
    assert asked == ["push"]
    assert objects(waiting, 2) <= store.objects()
    shutil.rmtree(store.root)
    waiting.ledger._db.execute("UPDATE versions SET pushed_at = NULL WHERE number = 2")
    waiting.versioning.push()
    assert asked == ["push", "push"]
    assert objects(waiting, 2) <= store.objects()


def test_what_differs_between_two_versions_is_all_that_is_looked_for(waiting: MadeStudy) -> None:
    repository = Repository(waiting.study.root)
    before, now = (outputs_at(repository, tag_name(number)) for number in (1, 2))
    new, old = new_outputs(repository, tag_name(2), tag_name(1))
    assert new - old == now - before
    assert old - new == before - now
    assert new_outputs(repository, tag_name(2), None) == (now, set())
