import os
import stat
from pathlib import Path

import pytest

from pipelines.errors import PainLakeError, UserError
from pipelines.vault_key import new_key
from pipelines.worker_key import (
    VARIABLE,
    drop_leases,
    handed_over,
    key_of_own_workers,
    lease_of,
    make_worker_key,
    still_wanted,
    taken_over,
    worker_key,
)

IDENTITY = new_key()


@pytest.fixture(autouse=True)
def _no_key_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.fixture
def lease(tmp_path: Path) -> Path:
    return lease_of(tmp_path, "face", "P000000000-00000000", "0123456789abcdef")


def test_what_is_handed_over_is_there_for_the_workers_alone_and_gone_afterwards(lease: Path) -> None:
    key = new_key()
    with handed_over(lease, IDENTITY, key):
        assert taken_over(lease, key) == IDENTITY
        assert IDENTITY.encode() not in lease.read_bytes()
        assert stat.S_IMODE(lease.stat().st_mode) == 0o600
        assert stat.S_IMODE(lease.parent.stat().st_mode) == 0o700
        with pytest.raises(PainLakeError, match="not that of the run"):
            taken_over(lease, new_key())
    assert list(lease.parent.iterdir()) == []
    with pytest.raises(PainLakeError, match="the run that ordered this is over"):
        taken_over(lease, key)


def test_it_is_gone_too_where_the_work_fails(lease: Path) -> None:
    with pytest.raises(ZeroDivisionError), handed_over(lease, IDENTITY, new_key()):
        _ = 1 // 0
    assert not lease.exists()


def test_what_a_killed_run_left_is_dropped_and_nobody_waits_for_its_work(lease: Path, tmp_path: Path) -> None:
    killed = handed_over(lease, IDENTITY, new_key())
    killed.__enter__()
    still_wanted(lease)
    assert drop_leases(tmp_path) == 1
    with pytest.raises(PainLakeError, match="is over"):
        still_wanted(lease)
    assert drop_leases(tmp_path) == 0


def test_workers_of_this_machine_have_a_key_in_memory_for_one_run() -> None:
    with key_of_own_workers():
        first = worker_key()
        assert os.environ[VARIABLE].startswith("/proc/")
    assert VARIABLE not in os.environ
    with key_of_own_workers():
        assert worker_key() != first


def test_a_key_that_the_environment_names_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_worker_key(tmp_path / "key")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with key_of_own_workers():
        assert worker_key() == (tmp_path / "key").read_text().strip()
    assert os.environ[VARIABLE] == str(tmp_path / "key")
    with pytest.raises(UserError, match="name a new file"):
        make_worker_key(tmp_path / "key")


def test_a_key_that_cannot_be_taken_is_one_line_that_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=f"set {VARIABLE} here and for the workers: `painlake vault worker-key FILE`"):
        worker_key()
    monkeypatch.setenv(VARIABLE, str(tmp_path / "key"))
    with pytest.raises(UserError, match="cannot be read as an age identity"):
        worker_key()
    (tmp_path / "key").write_text("no key")
    with pytest.raises(UserError, match=r"chmod 600"):
        worker_key()
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(UserError, match="cannot be read as an age identity"):
        worker_key()
