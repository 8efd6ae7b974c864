import hashlib
import json
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.stores import FolderStore, S3Store, stores_of
from pipelines.study import Study


def put(store: FolderStore, content: bytes, ending: str = "") -> str:
    oid = hashlib.md5(content, usedforsecurity=False).hexdigest() + ending
    store.path(oid).parent.mkdir(parents=True, exist_ok=True)
    store.path(oid).write_bytes(content)
    return oid


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore("cache", tmp_path / "cache")


def test_an_object_is_read_listed_and_removed_by_its_hash(store: FolderStore) -> None:
    assert (store.is_there, store.objects(), store.read("00ff")) == (False, set(), None)
    one, folder = put(store, b"one"), put(store, b"[]", ".dir")
    assert store.objects() == {one, folder}
    assert store.read(one) == b"one"
    assert (store.remove(one), store.remove(one)) == (1, 0)
    assert store.objects() == {folder}
    assert not store.path(one).parent.exists()


def test_what_a_folder_lists_comes_from_whichever_place_has_it_whole(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("['remote \"store\"']\n    url = ../far\n")
    stores = stores_of(Study(tmp_path))
    (remote,) = stores.remotes
    assert isinstance(remote, FolderStore)
    oid = put(remote, json.dumps([{"md5": "ab", "relpath": "x/y"}]).encode(), ".dir")
    stores.cache.path(oid).parent.mkdir(parents=True)
    stores.cache.path(oid).write_bytes(b'[{"md5": "cd", "relpath": "x/y"}]')
    assert stores.files_of(oid) == {"x/y": "ab"}
    assert stores.files_of("0" * 32 + ".dir") is None


def test_run_cache_entries_go_by_what_they_name(store: FolderStore) -> None:
    for name, text in (("a", "stage quality P1"), ("b", "stage quality P2")):
        path = store.root / "runs" / name / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert store.remove_runs_naming(b"P1") == 1
    assert [path.name for path in (store.root / "runs").iterdir()] == ["b"]


def test_an_object_whose_bytes_changed_is_damaged(store: FolderStore) -> None:
    good, folder, bad = put(store, b"good"), put(store, b"[]", ".dir"), put(store, b"bad")
    store.path(bad).write_bytes(b"worse")
    assert [oid for oid in (good, folder, bad) if store.md5(oid) != oid.removesuffix(".dir")] == [bad]


def test_remotes_are_folders_buckets_or_beyond_reach(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text(
        "[core]\n    remote = near\n[cache]\n    dir = ../elsewhere\n"
        "['remote \"near\"']\n    url = /mnt/100%\n['remote \"far\"']\n    url = s3://bucket/a/b\n"
    )
    (tmp_path / ".dvc" / "config.local").write_text("['remote \"other\"']\n    url = ssh://host/path\n")
    stores = stores_of(Study(tmp_path))
    assert stores.cache.root.resolve() == tmp_path / "elsewhere"
    near, far = stores.remotes
    assert isinstance(near, FolderStore)
    assert isinstance(far, S3Store)
    assert (near.name, near.root, far.name) == ("remote near", Path("/mnt/100%"), "remote far")
    assert stores.unreachable == ("remote other (ssh://host/path)",)


@pytest.mark.parametrize("file", ["config", "config.local"])
@pytest.mark.parametrize("option", ["access_key_id", "secret_access_key", "session_token"])
def test_a_credential_in_dvcs_settings_is_refused_and_not_shown(tmp_path: Path, file: str, option: str) -> None:
    (tmp_path / ".dvc").mkdir()
    text = f"['remote \"store\"']\n    url = s3://bucket/a\n    {option} = hunter2\n"
    (tmp_path / ".dvc" / file).write_text(text)
    with pytest.raises(UserError, match=f"`dvc remote modify store --unset {option}`") as refused:
        stores_of(Study(tmp_path))
    assert "hunter2" not in str(refused.value)


def test_an_object_of_another_size_is_not_held(store: FolderStore) -> None:
    oid = put(store, b"object")
    assert store.holds(oid, 6)
    assert store.holds(oid, None)
    assert not store.holds(oid, 5)
    assert not store.holds("0" * 32, None)
