"""What a killed git or DVC leaves behind, made by hand; the repository is git's alone, since DVC takes seconds."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.interrupted import remove_locks, restore_records
from pipelines.repository import Repository

RECORD = "lake/P000000001/recordings.dvc"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """DVC's records of one person, committed."""
    made = Repository(tmp_path)
    made.git("init", "--quiet", "--initial-branch", "main")
    (tmp_path / RECORD).parent.mkdir(parents=True)
    (tmp_path / RECORD).write_text("outs:\n- md5: abc.dir\n", encoding="utf-8")
    (tmp_path / "dvc.lock").write_text("stages:\n  quality:\n    outs: abc\n", encoding="utf-8")
    made.commit("Two records")
    return made


def test_locks_that_nobody_holds_are_removed_and_git_works_again(repository: Repository) -> None:
    git = repository.root / ".git"
    for name in ("index.lock", "HEAD.lock", "refs/heads/main.lock"):
        (git / name).touch()
    with pytest.raises(Exception, match="failed"):
        repository.commit("cannot")
    assert remove_locks(repository.root) == [".git/HEAD.lock", ".git/index.lock", ".git/refs/heads/main.lock"]
    (repository.root / "new").touch()
    assert repository.commit("can") is not None


def test_dvcs_list_of_readers_and_writers_goes_too_since_its_numbers_may_be_anybodys(repository: Repository) -> None:
    busy = repository.root / ".dvc" / "tmp" / "rwlock"
    busy.parent.mkdir(parents=True)
    busy.write_text(f'{{"write": {{"lake": {{"pid": {os.getppid()}, "cmd": "dvc commit"}}}}', encoding="utf-8")
    assert remove_locks(repository.root) == [".dvc/tmp/rwlock"]


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="the system does not say who works where")
def test_the_locks_of_a_git_that_is_at_work_stay(repository: Repository, tmp_path: Path) -> None:
    lock = repository.root / ".git" / "index.lock"
    lock.touch()
    named = shutil.copy(shutil.which("sleep") or sys.executable, tmp_path / "git")
    with subprocess.Popen([named, "60"], cwd=repository.root) as working:
        try:
            while not Path(f"/proc/{working.pid}/cmdline").read_bytes():
                # Started, but the kernel has not yet set down with what.
                time.sleep(0.01)
            assert remove_locks(repository.root, wait_s=0.3) == []
            assert lock.exists()
        finally:
            working.kill()
    assert remove_locks(repository.root) == [".git/index.lock"]


def test_records_cut_off_in_the_middle_are_put_back_and_new_ones_removed(repository: Repository) -> None:
    root = repository.root
    # Half of a record can be read as if it were whole.
    (root / "dvc.lock").write_text("stages:\n  quality:\n    outs: ab", encoding="utf-8")
    new = root / "lake" / "P000000002"
    new.mkdir()
    (new / "clinical.dvc").touch()
    (new / ".gitignore").write_text("/clin", encoding="utf-8")
    repository.git("add", "--all")
    (root / "params.yaml").write_text("somebody's own change\n", encoding="utf-8")
    assert restore_records(repository) == ["dvc.lock", "lake/P000000002/.gitignore", "lake/P000000002/clinical.dvc"]
    assert (root / "dvc.lock").read_text(encoding="utf-8") == "stages:\n  quality:\n    outs: abc\n"
    assert list(new.iterdir()) == []
    assert repository.git("status", "--porcelain").split() == ["??", "params.yaml"]


def test_records_that_are_as_committed_are_left_alone(repository: Repository) -> None:
    before = (repository.root / "dvc.lock").stat().st_mtime_ns
    assert restore_records(repository) == []
    assert (repository.root / "dvc.lock").stat().st_mtime_ns == before
