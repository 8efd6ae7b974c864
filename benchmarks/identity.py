"""Whether the same recordings give the same bytes: run after run, and with any number of workers."""

import hashlib
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pyrage

from benchmarks.report import Part, Table
from pipelines.confine import Limits
from pipelines.params import Params
from pipelines.pool import Workers
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.stages import MEDIA_STAGES, MediaStage
from pipelines.strip import strip
from pipelines.synthetic.recording import Take, film
from pipelines.synthetic.speech import Voice
from pipelines.work import Unit, do_unit, key_of

RUNS = (("1 worker", 1), ("1 worker, again", 1), ("2 workers", 2), ("4 workers", 4))
SECONDS = 3.0
RECORDINGS = 4

_PARAMS = Params()


def measure(recordings: int = RECORDINGS, seconds: float = SECONDS, runs: Sequence[tuple[str, int]] = RUNS) -> Part:
    """Measure the same recordings in every run, and compare the files byte by byte (by their SHA-256)."""
    identity = pyrage.x25519.Identity.generate()
    with tempfile.TemporaryDirectory() as folder:
        filmed = [_filmed(number, seconds) for number in range(recordings)]
        found = []
        for number, (name, workers) in enumerate(runs):
            print(f"identity: {name}", file=sys.stderr, flush=True)
            lake = Path(folder) / str(number)
            found.append(_run(lake, filmed, identity, workers))
    return summarise([name for name, _ in runs], found)


def summarise(names: Sequence[str], found: Sequence[dict[str, str]]) -> Part:
    """What differs between runs.

    Args:
        names: of the runs.
        found: of each run the SHA-256 of every file, by its path in the lake.
    """
    first = found[0]
    different = {
        path: [name for name, files in zip(names, found, strict=True) if files.get(path) != first.get(path)]
        for path in sorted(set().union(*found))
    }
    rows = []
    for stage in MEDIA_STAGES:
        paths = [path for path in different if path.split("/")[1] == stage.folder]
        unlike = [path for path in paths if different[path]]
        told = (
            "identical"
            if not unlike
            else f"{len(unlike)} differ: " + "; ".join(f"{p} ({', '.join(different[p])})" for p in unlike)
        )
        rows.append([stage.name, f"{len(paths)}", told])
    passed = bool(first) and not any(different.values())
    return Part(
        (
            Table(
                "Identity of all outputs",
                f"The Parquet files of every media stage, compared by SHA-256 between {len(names)} runs through the real worker pool: "
                f"{', '.join(names)}. It must be exact.",
                ("stage", "files", "between runs"),
                rows,
            ),
        ),
        {"runs": list(names), "files": first, "differences": {path: where for path, where in different.items() if where}},
        passed,
    )  # fmt: skip


def _filmed(number: int, seconds: float) -> tuple[Recording, bytes]:
    voice = Voice("female" if number % 2 else "male", 1 + number % 5)
    filmed = film(Take(number, number, voice, "nl" if number % 2 else "en", seconds, pain=0.8))
    media = strip(filmed.media, ".mp4").media
    person = f"P{number:010d}"
    recording = Recording(
        f"{person}-00000000", person, "V1", 0, 600, 600, None, None, filmed.tasks, hashlib.sha256(media).hexdigest()
    )
    return replace(recording, declared_duration_s=seconds), media


def _run(
    lake: Path, filmed: Sequence[tuple[Recording, bytes]], identity: pyrage.x25519.Identity, workers: int
) -> dict[str, str]:
    """All stages of all recordings, as a night does them: one thread for each worker waits for it."""
    for recording, media in filmed:
        folder = recordings_folder(lake, recording.participant)
        folder.mkdir(parents=True)
        (folder / f"{recording.recording}.age").write_bytes(pyrage.encrypt(media, [identity.to_public()]))
    with Workers(workers, Limits.of(_PARAMS.study)) as pool, ThreadPoolExecutor(workers) as threads:
        list(threads.map(lambda each: _measured(pool, lake, each[0], str(identity)), filmed))
    return {
        path.relative_to(lake).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(lake.rglob("*.parquet"))
    }  # fmt: skip


def _measured(pool: Workers, lake: Path, recording: Recording, identity: str) -> None:
    outputs: dict[str, str] = {}
    for stage in MEDIA_STAGES:
        key = key_of(stage, recording, _PARAMS, outputs)
        unit = Unit(stage.name, recording, lake, _PARAMS, key, _key_for(stage, identity))
        outputs[stage.name] = pool.run(do_unit, unit).sha256


def _key_for(stage: MediaStage, identity: str) -> str:
    return identity if stage.decrypts else ""
