import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from pipelines.errors import Rejection
from pipelines.landing_zone import FolderLanding
from pipelines.pseudonymise import Source, mark_superseded, open_recording, pseudonymise, recordings_folder
from pipelines.recording import Recording
from pipelines.strip import strip
from tests.pipelines.landing_factory import small_mp4
from tests.pipelines.video_factory import RECORDING

MP4 = small_mp4()
IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())


@pytest.fixture
def source(tmp_path: Path) -> Source:
    (tmp_path / "landing").mkdir()
    (tmp_path / "landing" / "Piet.mp4").write_bytes(MP4)
    return Source(FolderLanding(tmp_path / "landing"), "Piet.mp4", ".mp4", hashlib.sha256(MP4).hexdigest())


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return tmp_path / "lake"


def files(lake: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in lake.rglob("*") if path.is_file()}


def test_the_lake_gets_the_stripped_film_sealed_and_its_sidecar(source: Source, lake: Path) -> None:
    done = pseudonymise(source, RECORDING, RECIPIENT, lake)
    stripped = strip(MP4, ".mp4").media
    assert done.declared_duration_s == pytest.approx(8 / 25, abs=0.01)
    sha256 = hashlib.sha256(stripped).hexdigest()
    assert done == replace(RECORDING, media_sha256=sha256, declared_duration_s=done.declared_duration_s)
    assert sorted(files(lake)) == [f"{RECORDING.recording}.age", f"{RECORDING.recording}.json"]
    assert Recording.read(recordings_folder(lake, RECORDING.participant) / f"{RECORDING.recording}.json") == done
    assert open_recording(lake, done, str(IDENTITY)) == stripped


def test_plaintext_touches_no_disk(source: Source, lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    true_write = Path.write_bytes

    def spy(path: Path, content: bytes) -> int:
        written.append(content)
        return true_write(path, content)

    monkeypatch.setattr(Path, "write_bytes", spy)
    pseudonymise(source, RECORDING, RECIPIENT, lake)
    assert len(written) == 2
    assert not any(b"ftyp" in content or b"mdat" in content for content in written)


def test_nobody_else_can_open_it_and_damage_is_noticed(source: Source, lake: Path) -> None:
    done = pseudonymise(source, RECORDING, RECIPIENT, lake)
    with pytest.raises(pyrage.DecryptError):
        open_recording(lake, done, str(pyrage.x25519.Identity.generate()))
    sealed = recordings_folder(lake, RECORDING.participant) / f"{RECORDING.recording}.age"
    content = bytearray(sealed.read_bytes())
    content[-1] ^= 1
    sealed.write_bytes(bytes(content))
    with pytest.raises(pyrage.DecryptError):
        open_recording(lake, done, str(IDENTITY))


def test_what_is_there_already_is_not_written_again(source: Source, lake: Path) -> None:
    first = pseudonymise(source, RECORDING, RECIPIENT, lake)
    before = files(lake)
    assert pseudonymise(source, RECORDING, RECIPIENT, lake) == first
    assert files(lake) == before


@pytest.mark.parametrize("ending", [".age", ".json"])
def test_half_of_a_killed_run_is_made_whole(source: Source, lake: Path, ending: str) -> None:
    done = pseudonymise(source, RECORDING, RECIPIENT, lake)
    os.unlink(recordings_folder(lake, RECORDING.participant) / f"{RECORDING.recording}{ending}")  # noqa: PTH108 - as short
    assert pseudonymise(source, RECORDING, RECIPIENT, lake) == done
    assert open_recording(lake, done, str(IDENTITY)) == strip(MP4, ".mp4").media


def test_a_delivery_that_changed_since_it_was_judged_is_not_stable(source: Source, lake: Path) -> None:
    with pytest.raises(Rejection) as refused:
        pseudonymise(replace(source, sha256="0" * 64), RECORDING, RECIPIENT, lake)
    assert refused.value.code == "NOT_STABLE"
    assert files(lake) == {}


def test_a_refused_delivery_leaves_nothing_in_the_lake(tmp_path: Path, lake: Path, source: Source) -> None:
    half = MP4[: MP4.index(b"moov") - 4]
    (tmp_path / "landing" / "Piet.mp4").write_bytes(half)
    with pytest.raises(Rejection) as refused:
        pseudonymise(replace(source, sha256=hashlib.sha256(half).hexdigest()), RECORDING, RECIPIENT, lake)
    assert refused.value.code == "NO_INDEX"
    assert files(lake) == {}


def test_a_superseded_recording_says_so_and_a_missing_one_is_nobodys_fault(source: Source, lake: Path) -> None:
    done = pseudonymise(source, RECORDING, RECIPIENT, lake)
    mark_superseded(lake, done.participant, done.recording)
    mark_superseded(lake, done.participant, "gone")
    sidecar = recordings_folder(lake, done.participant) / f"{done.recording}.json"
    assert Recording.read(sidecar) == replace(done, superseded=True)
