from pathlib import Path

import pytest

from pipelines.quarantine import Quarantine
from pipelines.vault import Vault


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path / "quarantine", Vault.create(tmp_path / "vault"))


@pytest.mark.parametrize("sidecar", [None, b"", b'{"visit": "V1"}'])
@pytest.mark.parametrize("name", ["recordings/007/V1/a.mp4", "recordings/007/Zo\udceb.mp4", "bell\x07"])
def test_what_is_set_aside_can_be_had_back_byte_for_byte(
    quarantine: Quarantine, name: str, sidecar: bytes | None
) -> None:
    quarantine.keep("D1", name, b"\x00\xff bytes", sidecar)
    assert quarantine.fetch("D1") == (name, b"\x00\xff bytes", sidecar)


def test_names_and_bytes_are_sealed_and_only_the_owner_may_read_them(quarantine: Quarantine) -> None:
    quarantine.keep("D1", "recordings/MRN-4711007/a.mp4", b"the film itself", b"the sidecar itself")
    sealed = quarantine.path("D1")
    assert sealed.stat().st_mode & 0o777 == 0o600
    for secret in (b"MRN-4711007", b"the film itself", b"the sidecar itself"):
        assert secret not in sealed.read_bytes()


def test_what_is_not_kept_or_was_dropped_is_none(quarantine: Quarantine) -> None:
    assert quarantine.fetch("D1") is None
    quarantine.keep("D1", "a", b"")
    quarantine.drop("D1")
    quarantine.drop("D1")
    assert quarantine.fetch("D1") is None
