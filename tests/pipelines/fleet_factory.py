"""A study whose recordings are in the lake and not yet measured, and a way to measure them by any workers."""

import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import pyrage

from pipelines.landing_zone import FolderLanding
from pipelines.pool import Workers
from pipelines.pseudonymise import Source, pseudonymise
from pipelines.recording import Recording
from pipelines.stages import MEDIA_STAGES
from pipelines.study import Study, template
from pipelines.work import Unit, do_unit, finished, key_of
from tests.pipelines.video_factory import RECORDING


class Runs(Protocol):
    """Worker processes, or what takes their place."""

    def run(self, function: Any, *arguments: Any) -> Any: ...


class Inline:
    """No workers: this process."""

    def run(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)


@dataclass(frozen=True)
class Unmeasured:
    """Recordings in a lake, each of a person of its own."""

    study: Study
    recordings: tuple[Recording, ...]
    identities: dict[str, str]

    def copy(self, root: Path) -> "Unmeasured":
        """The same recordings in another study."""
        shutil.copytree(self.study.root, root)
        return replace(self, study=Study(root))

    def unit(self, recording: Recording, stage: str = "quality", **changes: Any) -> Unit:
        """A unit of work as a run orders it."""
        lake, params = self.study.lake, self.study.params()
        chosen = next(each for each in MEDIA_STAGES if each.name == stage)
        outputs = {}
        for need in chosen.needs:
            before = finished(next(each for each in MEDIA_STAGES if each.name == need), lake, recording)
            assert before is not None
            outputs[need] = before.sha256
        key = key_of(chosen, recording, params, outputs)
        identity = self.identities[recording.participant] if chosen.decrypts else ""
        return replace(Unit(stage, recording, lake, params, key, identity), **changes)

    def measure(self, workers: Runs, at_once: int = 2) -> dict[str, str]:
        """Bring all recordings through all stages; the SHA-256 of each file that came of it."""

        def bring(recording: Recording) -> None:
            for stage in MEDIA_STAGES:
                workers.run(do_unit, self.unit(recording, stage.name))

        with ThreadPoolExecutor(at_once) as threads:
            list(threads.map(bring, self.recordings))
        return self.digests()

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each feature file."""
        files = sorted(self.study.lake.rglob("*.parquet"))
        return {str(path.relative_to(self.study.lake)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def unmeasured(root: Path, films: list[bytes], workers: Workers | Inline | None = None) -> Unmeasured:
    """Put films into a new lake."""
    study = Study(root)
    for folder in (study.lake, study.root / "landing"):
        folder.mkdir(parents=True)
    study.state.mkdir(mode=0o700)
    shutil.copyfile(template("params.yaml"), study.params_file)
    recordings, identities = [], {}
    for number, film in enumerate(films):
        person, name = f"P{number:09d}", f"film{number}.mp4"
        identities[person] = str(pyrage.x25519.Identity.generate())
        (study.root / "landing" / name).write_bytes(film)
        source = Source(FolderLanding(study.root / "landing"), name, ".mp4", hashlib.sha256(film).hexdigest())
        recipient = str(pyrage.x25519.Identity.from_str(identities[person]).to_public())
        facts = replace(RECORDING, participant=person, recording=f"{person}-00000000")
        recordings.append((workers or Inline()).run(pseudonymise, source, facts, recipient, study.lake))
    shutil.rmtree(study.root / "landing")
    return Unmeasured(study, tuple(recordings), identities)
