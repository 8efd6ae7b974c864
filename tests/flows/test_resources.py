"""A disk that is full, or read-only: one plain line, the last version stays, and with room the next run gets there."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import PAINLAKE, ask, painlake
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow

FEATURES = "SELECT * FROM recording_features ORDER BY ALL"
BLOCK = 4096
FULL = "it is full: free some space, then run again; the last version stays"
READ_ONLY = "it is read-only or not ours to write: mend that, then run again; the last version stays"
can_mount = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The errors that the command named; nothing else may be on the terminal but its progress."""
    assert "Traceback" not in done.stderr, done.stderr
    return [line.removeprefix("painlake: ") for line in done.stderr.splitlines() if line.startswith("painlake: ")]


def taken_bytes(folder: Path) -> int:
    """What a folder takes on a disk of small blocks."""
    return sum(-(-path.lstat().st_size // BLOCK) * BLOCK + BLOCK for path in folder.rglob("*"))


@dataclass(frozen=True)
class Template:
    """A study with a published version and a delivery that waits; what its next night takes, and what comes of it."""

    study: Path
    before_bytes: int
    growth_bytes: int
    then: list[dict[str, Any]]
    afterwards: list[dict[str, Any]]
    prefect: dict[str, str]

    def ingest(self, study: Path, under: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        command = [*under, str(PAINLAKE), "ingest", "--study", str(study)]
        environment = os.environ | self.prefect
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=600)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory, prefect_server: dict[str, str]) -> Template:
    folder = tmp_path_factory.mktemp("resources")
    landing, study, undisturbed = folder / "landing", folder / "study", folder / "undisturbed"
    painlake("init", study, "--landing", landing)
    register(landing, "PT-1", "PT-2")
    deliver(landing, Delivery("PT-1", "V1", "first.mp4", film_face(seed=1)))
    painlake("ingest", "--study", study, env=prefect_server)
    deliver(landing, Delivery("PT-2", "V1", "second.mp4", film_face(seed=2)))
    shutil.copytree(study, undisturbed, symlinks=True)
    painlake("ingest", "--study", undisturbed, env=prefect_server)
    before = taken_bytes(study)
    return Template(
        study,
        before,
        taken_bytes(undisturbed) - before,
        ask(study, FEATURES),
        ask(undisturbed, FEATURES),
        prefect_server,
    )


@contextmanager
def small_disk(where: Path, size: int) -> Iterator[Callable[[str], None]]:
    """A disk in memory; gives what mounts it anew with other options."""
    where.mkdir()
    as_root("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(where))
    try:
        yield lambda options: as_root("mount", "-o", f"remount,{options}", str(where))
    finally:
        as_root("umount", "--lazy", str(where))


def as_root(*command: str) -> None:
    subprocess.run(command, check=True)


@can_mount
@pytest.mark.parametrize("share", [0.02, 0.2, 0.5, 0.7])
def test_a_full_disk_stops_the_run_and_nothing_else(template: Template, tmp_path: Path, share: float) -> None:
    size = template.before_bytes + int(share * template.growth_bytes)
    with small_disk(tmp_path / "disk", size) as mount_anew:
        study = tmp_path / "disk" / "study"
        shutil.copytree(template.study, study, symlinks=True)
        done = template.ingest(study)
        assert (done.returncode, said(done)) == (1, [f"the disk of {study} cannot be written: {FULL}"])
        assert ask(study, FEATURES) == template.then
        mount_anew("size=1g")
        done = template.ingest(study)
        assert done.returncode == 0, done.stderr
        assert ask(study, FEATURES) == template.afterwards
        assert painlake("verify", "--study", study).returncode == 0


@can_mount
def test_a_disk_that_may_not_be_written_is_named_and_the_last_version_stays(template: Template, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1 << 30) as mount_anew:
        study = tmp_path / "disk" / "study"
        shutil.copytree(template.study, study, symlinks=True)
        mount_anew("ro")
        done = template.ingest(study)
        assert (done.returncode, said(done)) == (1, [f"the disk of {study} cannot be written: {READ_ONLY}"])
        assert ask(study, FEATURES) == template.then


@can_mount
def test_a_lake_alone_that_may_not_be_written_is_named(template: Template, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(template.study, study, symlinks=True)
    (study / "lake").rename(study / "copy")
    with small_disk(study / "lake", 1 << 30) as mount_anew:
        shutil.copytree(study / "copy", study / "lake", symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(study / "copy")
        mount_anew("ro")
        done = template.ingest(study)
        assert (done.returncode, said(done)) == (1, [f"the disk of {study} cannot be written: {READ_ONLY}"])
        assert ask(study, FEATURES) == template.then
        mount_anew("rw")
        assert template.ingest(study).returncode == 0
        assert ask(study, FEATURES) == template.afterwards


def test_a_limit_on_the_size_of_files_is_a_full_disk_too(template: Template, tmp_path: Path) -> None:
    study = tmp_path / "study"
    shutil.copytree(template.study, study, symlinks=True)
    done = template.ingest(study, under=["prlimit", "--fsize=200000"])
    assert (done.returncode, said(done)) == (1, [f"the disk of {study} cannot be written: {FULL}"])
    assert ask(study, FEATURES) == template.then
    assert template.ingest(study).returncode == 0
    assert ask(study, FEATURES) == template.afterwards
