import os
from pathlib import Path

import pytest

from pipelines.confine import Limits
from pipelines.errors import Rejection
from pipelines.handover import Held, held, within_reach
from pipelines.landing_zone import FolderLanding, LandedFile
from pipelines.pool import Workers


class Bucket:
    """A landing zone that only this process can read, as one behind a network."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content

    def files(self) -> list[LandedFile]:
        return []

    def read(self, path: str) -> bytes:
        assert path == "Piet.mp4"
        if self.content is None:
            raise Rejection("UNREADABLE", "S3: NoSuchKey")
        return self.content

    def stamp(self, _: str) -> str | None:
        return None


def test_what_a_worker_cannot_fetch_lies_in_memory_for_it() -> None:
    content = os.urandom(3_000_000)
    with Workers(1, Limits(60.0)) as workers, within_reach(Bucket(content), "Piet.mp4") as reachable:
        assert workers.run(reachable.read, "Piet.mp4") == content


def test_neither_the_name_nor_the_bytes_are_on_a_disk_and_nothing_is_left_of_them() -> None:
    with within_reach(Bucket(b"film"), "Piet.mp4") as reachable:
        assert isinstance(reachable, Held)
        assert str(reachable.path.readlink()).startswith("/memfd:painlake")
        assert "Piet" not in repr(reachable)
        path = reachable.path
        assert path.read_bytes() == b"film"
    assert not path.exists()


def test_a_folder_is_read_by_the_worker_itself(tmp_path: Path) -> None:
    landing = FolderLanding(tmp_path)
    with within_reach(landing, "Piet.mp4") as reachable:
        assert reachable is landing


def test_what_cannot_be_fetched_is_unreadable() -> None:
    with pytest.raises(Rejection) as refused, within_reach(Bucket(None), "Piet.mp4"):
        pass
    assert refused.value.code == "UNREADABLE"


def test_a_held_file_begins_empty() -> None:
    with held() as memory:
        assert memory.read("") == b""
