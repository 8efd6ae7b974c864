"""A recording that breaks its decoder costs itself alone: its neighbours' files are those of a run without it."""

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyrage
import pytest

from pipelines.audit import open_audit
from pipelines.confine import Limits
from pipelines.errors import Rejection
from pipelines.faultpoints import VARIABLE
from pipelines.landing_zone import FolderLanding
from pipelines.measuring import Measuring
from pipelines.params import Params
from pipelines.pool import Workers
from pipelines.pseudonymise import Source, open_recording, pseudonymise
from pipelines.stages import MEDIA_STAGES
from pipelines.work import Unit, do_unit
from schemas.faults import Fate
from tests.pipelines import bomb_factory as bombs
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4
from tests.pipelines.video_factory import RECORDING, plain, video

IDENTITY = pyrage.x25519.Identity.generate()
LIMITS = Limits(wall_s=120.0, cpu_s=60.0, memory_mb=1500, max_picture_mpx=16.0, require_isolation=True)
SOUND = (0.3 * np.sin(np.arange(16_000) * 0.05)).astype(np.float32)
FILM = video([plain(level) for level in range(60, 185, 5)], sound=SOUND)


class Inline:
    """No workers: an undisturbed run in this process."""

    def run(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)


@dataclass(frozen=True)
class Lake:
    """Brings recordings through the real stages."""

    root: Path
    stages: tuple[str, ...] = ("quality",)

    def bring(self, workers: Any, name: str, media: bytes, suffix: str = ".mp4") -> str | dict[str, str]:
        """The hashes of all that came of a recording, or the code that it was refused with."""
        landing = self.root / "landing"
        landing.mkdir(parents=True, exist_ok=True)
        (landing / f"{name}{suffix}").write_bytes(media)
        source = Source(FolderLanding(landing), f"{name}{suffix}", suffix, hashlib.sha256(media).hexdigest())
        lake, recording = self.root / name, replace(RECORDING, recording=f"P000000000-{name}")
        try:
            recording = workers.run(pseudonymise, source, recording, str(IDENTITY.to_public()), lake)
            for stage in self.stages:
                workers.run(do_unit, Unit(stage, recording, lake, Params(), "key", str(IDENTITY)))
        except Rejection as refused:
            return refused.code
        plaintext = open_recording(lake, recording, str(IDENTITY))
        files = {f"{path.parent.name}/{path.name}": path.read_bytes() for path in lake.rglob("*.parquet")} | {
            "film": plaintext
        }
        return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


BOMBS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "a giant picture": (bombs.giant_mp4, ".mp4", "RESOURCE_LIMIT"),
    "a picture that grows": (bombs.growing_avi, ".avi", "RESOURCE_LIMIT"),
    "ten days of silence in 1.4 kB": (lambda: bombs.sound_with_a_pause(864_000.0), ".mkv", "RESOURCE_LIMIT"),
}


def test_bombs_and_crashes_cost_themselves_and_not_a_bit_of_their_neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = Lake(tmp_path / "undisturbed").bring(Inline(), "good", FILM)
    monkeypatch.setenv(VARIABLE, "unit.quality.P000000000-crash:crash")
    found: dict[str, str | dict[str, str]] = {}
    neighbours: list[str | dict[str, str]] = []
    with Workers(2, LIMITS) as workers:

        def bring_bombs() -> None:
            for number, (what, (make, suffix, _)) in enumerate(BOMBS.items()):
                found[what] = Lake(tmp_path / "bombs").bring(workers, f"bomb{number}", make(), suffix)
            found["a crash"] = Lake(tmp_path / "bombs").bring(workers, "crash", FILM)

        thread = threading.Thread(target=bring_bombs)
        thread.start()
        while thread.is_alive() or not neighbours:
            neighbours.append(Lake(tmp_path / f"round{len(neighbours)}").bring(workers, "good", FILM))
        thread.join()
    assert found == {what: code for what, (_, _, code) in BOMBS.items()} | {"a crash": "DECODER_CRASH"}
    assert all(neighbour == undisturbed for neighbour in neighbours)
    assert isinstance(undisturbed, dict)


def test_a_small_file_that_takes_for_ever_is_given_up(tmp_path: Path) -> None:
    with Workers(1, replace(LIMITS, cpu_s=1.0)) as workers:
        assert Lake(tmp_path).bring(workers, "endless", bombs.endless_sound(100_000), ".mkv") == "DECODER_TIMEOUT"
        assert Lake(tmp_path, stages=()).bring(workers, "good", small_mp4()) != "DECODER_TIMEOUT"


def test_a_night_sets_the_bomb_aside_and_keeps_the_rest(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    bomb, good = hospital.film(bombs.giant_mp4(), "bomb.mp4"), hospital.film(FILM, "good.mp4")
    measuring = Measuring(study.desk, open_audit(study.study, study.vault))
    accepted = {each.path: each for each in study.land()}
    with Workers(1, Limits.of(study.params.study)) as workers:
        assert measuring.pseudonymise(accepted[bomb], workers) is None
        recording = measuring.pseudonymise(accepted[good], workers)
    assert (study.entry(bomb).fate, study.entry(bomb).codes) == (Fate.QUARANTINED, ("RESOURCE_LIMIT",))
    assert recording is not None
    assert study.quarantine.fetch(study.entry(bomb).delivery) is not None


STAGES = ("quality", "face", "voice", "align")


@pytest.fixture(scope="module")
def undisturbed_film(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    found = Lake(tmp_path_factory.mktemp("undisturbed"), STAGES).bring(Inline(), "good", FILM)
    assert isinstance(found, dict)
    assert len(found) == 1 + sum(len(stage.endings) for stage in MEDIA_STAGES), "the tables and the film"
    return found


@pytest.mark.slow
@pytest.mark.parametrize(
    ("action", "code"),
    [
        ("kill", "DECODER_CRASH"),
        ("crash", "DECODER_CRASH"),
        ("hang", "DECODER_TIMEOUT"),
        ("memory", "RESOURCE_LIMIT"),
        ("cpu", "DECODER_TIMEOUT"),
    ],
)
def test_whatever_a_stage_does_its_neighbour_is_measured_to_the_same_bits(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    undisturbed_film: dict[str, str],
    action: str,
    code: str,
) -> None:
    monkeypatch.setenv(VARIABLE, f"unit.face.P000000000-bad:{action}")
    limits = replace(LIMITS, wall_s=60.0 if action == "hang" else 300.0, cpu_s=15.0)
    found = {}
    with Workers(2, limits) as workers:
        lakes = {name: Lake(tmp_path / name, STAGES) for name in ("bad", "good")}

        def bring(name: str) -> None:
            found[name] = lakes[name].bring(workers, name, FILM)

        threads = [threading.Thread(target=bring, args=(name,)) for name in lakes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        again = Lake(tmp_path / "again", STAGES).bring(workers, "good", FILM)
    assert found == {"bad": code, "good": undisturbed_film}
    assert again == undisturbed_film
