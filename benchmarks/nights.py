"""Whole nights: what `painlake ingest` takes for films, by the clock and of computing, and a bare loop beside it."""

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.deliveries import study_of

FACE_AND_VOICE = ("face", "voice")


@dataclass(frozen=True, slots=True)
class Night:
    """One run of `painlake ingest`.

    Args:
        wall_s: by the clock, from the command's start to its end.
        cpu_s: computing of all its processes.
        stages_cpu_s: computing of the workers, by stage, as the run's log states it.
        phases_s: when each phase began, after the start.
        load: of the machine before it began.
    """

    wall_s: float
    cpu_s: float
    stages_cpu_s: dict[str, float]
    phases_s: dict[str, float]
    load: float

    @property
    def own_cpu_s(self) -> float:
        """Computing of the face and voice stages."""
        return sum(self.stages_cpu_s.get(stage, 0.0) for stage in FACE_AND_VOICE)

    @property
    def rest_share(self) -> float:
        """Everything else's share of all computing.

        >>> Night(60, 100, {"face": 60, "voice": 30, "quality": 5}, {}, 0).rest_share
        0.1
        """
        return round(1 - self.own_cpu_s / self.cpu_s, 4)

    def rest_share_of_clock(self, workers: int) -> float:
        """As `rest_share`, of the time that the workers' cores were there for, idle or not.

        >>> Night(60, 100, {"face": 60, "voice": 30}, {}, 0).rest_share_of_clock(2)
        0.25
        """
        return round(1 - self.own_cpu_s / (self.wall_s * workers), 4)


def ingest(films: list[Path], workers: int) -> Night:
    """Deliver films to a new study, and run its first night.

    Args:
        films: as `benchmarks.deliveries.films` makes them.
        workers: how many.

    Raises:
        RuntimeError: the night failed, or did not publish every film.
    """
    # Beside the films, so that they can be linked; it holds gigabytes at most for a few minutes.
    folder = Path(tempfile.mkdtemp(prefix="study-", dir=films[0].parent.parent))
    try:
        study = study_of(folder / "study", films, workers)
        command = [sys.executable, "-m", "flows.cli", "ingest", "--study", str(study.root)]
        load, before, begun = os.getloadavg()[0], _children_cpu_s(), time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        wall_s, cpu_s = time.perf_counter() - begun, _children_cpu_s() - before
        published = len(list(study.lake.glob("*/aligned/*[0-9A-Z].parquet")))
        if done.returncode or published < len(films):
            raise RuntimeError(f"{published} of {len(films)} films were published: {done.stdout}{done.stderr}")
        log = study.log.read_text(encoding="utf-8")
        return Night(wall_s, cpu_s, stages_of(log), phases_of(done.stderr), load)
    finally:
        shutil.rmtree(folder)


@dataclass(frozen=True, slots=True)
class Loop:
    """One run of the bare loop: seconds by the clock, with Python's start, and of computing."""

    wall_s: float
    cpu_s: float


def bare_loop(films: list[Path]) -> Loop:
    """Run the bare loop over films."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "benchmarks.bare_loop", out, *map(str, films)]
        before, begun = _children_cpu_s(), time.perf_counter()
        # MediaPipe reports its use at each start; with a proxy of no known scheme it gives up.
        subprocess.run(command, check=True, capture_output=True, env=os.environ | {"https_proxy": "none://off"})
        return Loop(time.perf_counter() - begun, _children_cpu_s() - before)


_COMPUTED = re.compile(r"computed: (.*)")


def stages_of(log: str) -> dict[str, float]:
    """Seconds of computing by stage, from a run's log.

    >>> stages_of("2026-03-14 INFO computed: quality 1.5 s, face 20.0 s")
    {'quality': 1.5, 'face': 20.0}
    """
    found = _COMPUTED.findall(log)
    parts = [part.split() for part in found[-1].split(", ")] if found else []
    return {stage: float(seconds) for stage, seconds, _ in parts}


_PHASE = re.compile(r"^\[ *(\d+) s\] ([a-zA-Z' ]+?)(?: \d.*)?$", re.MULTILINE)


def phases_of(said: str) -> dict[str, float]:
    r"""When each phase began, in seconds, from what a run says of its progress.

    >>> phases_of("[    2 s] starting Prefect\n[   20 s] measuring 3/120\n[   25 s] measuring 9/120")
    {'starting Prefect': 2.0, 'measuring': 20.0}
    """
    phases: dict[str, float] = {}
    for seconds, name in _PHASE.findall(said):
        phases.setdefault(name, float(seconds))
    return phases


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
