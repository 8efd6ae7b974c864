import errno
import os
import threading
from pathlib import Path

import pytest

from pipelines.durable import remove_partials, sync, write_durably, written_durably, written_meanwhile


def test_a_file_is_whole_with_its_mode_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.bin"
    for mode in (0o600, 0o644, 0o444):
        write_durably(path, b"content", mode=mode)
        assert path.stat().st_mode & 0o777 == mode
    assert path.read_bytes() == b"content"
    assert os.listdir(path.parent) == ["a.bin"]  # noqa: PTH208 - hidden files count


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_durably(path, b"old")

    def killed() -> None:
        with written_durably(path) as temporary:
            temporary.write_bytes(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("has_links", [True, False])
def test_what_is_there_first_stays_where_that_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_links: bool
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    if not has_links:
        monkeypatch.setattr(Path, "hardlink_to", refused)
    path = tmp_path / "a.bin"
    for content in (b"first", b"second"):
        write_durably(path, content, first=True)
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]


def test_the_file_has_its_name_only_once_it_is_written_and_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    flushed: list[tuple[str, bool]] = []

    def spy(what: Path) -> None:
        flushed.append((what.name, path.exists()))
        sync(what)

    monkeypatch.setattr("pipelines.durable.sync", spy)
    with written_durably(path) as temporary:
        temporary.write_bytes(b"content")
        assert not path.exists()
    assert flushed == [(temporary.name, False), (tmp_path.name, True)]


def test_a_reader_of_the_replaced_file_keeps_what_it_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    write_durably(path, b"old")
    with path.open("rb") as reader:
        write_durably(path, b"new")
        assert reader.read() == b"old"
    assert path.read_bytes() == b"new"


def test_what_a_killed_run_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / ".a.bin.x1.partial").write_bytes(b"half")
    for kept in ("a.bin", ".hidden", "b.partial"):
        (tmp_path / kept).write_bytes(b"whole")
    assert remove_partials(tmp_path) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".hidden", "a.bin", "b.partial", "deep"]
    assert remove_partials(tmp_path / "missing") == 0


def test_what_is_half_written_below_a_folder_stays_where_that_alone_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    here, below = tmp_path / ".a.partial", tmp_path / "below" / ".b.partial"
    for path in (here, below):
        path.write_bytes(b"half")
    assert remove_partials(tmp_path, below=False) == 1
    assert (here.exists(), below.exists()) == (False, True)


def test_a_file_that_grows_is_written_to_the_disk_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = threading.Event()
    monkeypatch.setattr("pipelines.durable._EACH_S", 0.001)
    monkeypatch.setattr("pipelines.durable.sync", lambda _: synced.set())
    with written_meanwhile(tmp_path / "a.bin"):
        assert synced.wait(60)


def test_a_disk_that_fails_meanwhile_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def failing(_: Path) -> None:
        tried.set()
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("pipelines.durable._EACH_S", 0.001)
    monkeypatch.setattr("pipelines.durable.sync", failing)
    with pytest.raises(OSError, match="Input/output"), written_meanwhile(tmp_path / "a.bin"):
        assert tried.wait(60)


def test_what_fails_while_a_file_grows_is_told_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(KeyError), written_meanwhile(tmp_path / "a.bin"):
        raise KeyError
