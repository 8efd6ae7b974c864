"""`python -m benchmarks.memory FILM`: a worker's peak memory while it takes a film through all stages.

The worker is one of the pool's own, with the study's default limits but those on time; the film is stripped, encrypted and measured as in
a night. After each stage its peak so far is asked for, so that the stage that needs most shows.
"""

import hashlib
import json
import sys
import tempfile
from pathlib import Path

import pyrage

from benchmarks.deliveries import tasks_of
from pipelines.confine import Limits
from pipelines.landing_zone import FolderLanding
from pipelines.params import Params
from pipelines.pool import Workers
from pipelines.pseudonymise import Source, pseudonymise
from pipelines.recording import Recording
from pipelines.selftest import check_engines
from pipelines.stages import MEDIA_STAGES
from pipelines.work import Unit, do_unit

_PATIENCE_S = 7200.0
"""A film of 20 minutes on a busy machine."""


def peak_mb() -> float:
    """The most resident memory that this process has had, in MB of a million bytes."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return kilobytes * 1024 / 1e6


def measure(film: Path) -> dict[str, float]:
    """Peaks in MB after each stage; the last one is the worker's.

    Args:
        film: as it was delivered.
    """
    params = Params()
    patient = params.study.model_copy(update={"unit_timeout_s": _PATIENCE_S, "unit_cpu_s": _PATIENCE_S})
    identity = pyrage.x25519.Identity.generate()
    digest = hashlib.sha256(film.read_bytes()).hexdigest()
    recording = Recording("P00000000A-00000000", "P00000000A", "V1", 0, 600, 600, None, "en", tasks_of(film), digest)
    peaks: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Workers(1, Limits.of(patient)) as workers,
    ):
        lake = Path(folder)
        workers.run(check_engines, params.face)
        peaks["engines loaded"] = workers.run(peak_mb)
        source = Source(FolderLanding(film.parent), film.name, film.suffix, digest)
        done = workers.run(pseudonymise, source, recording, str(identity.to_public()), lake)
        peaks["pseudonymise"] = workers.run(peak_mb)
        for stage in MEDIA_STAGES:
            key = hashlib.sha256(stage.name.encode()).hexdigest()
            workers.run(do_unit, Unit(stage.name, done, lake, params, key, str(identity)))
            peaks[stage.name] = workers.run(peak_mb)
    return peaks


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
