"""`make bench`: what each media stage costs, then `benchmarks.speed`, `benchmarks.s3` and `benchmarks.accuracy`.

The first is the CPU time of each media stage on one synthetic recording, beside a bare decode of the same frames, as a
table and as JSON with the machine's description.
"""

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import polars as pl

from benchmarks import accuracy, s3, speed
from benchmarks.clock import cpu_s
from benchmarks.machine import describe
from flows.report import table
from pipelines.media import video_frames
from pipelines.params import Params
from pipelines.recording import Recording, Task
from pipelines.stages import MEDIA_STAGES, Inputs, MediaStage
from pipelines.strip import strip
from pipelines.synthetic.zone import make_landing_zone

_REPEATS = 3


def _median_cpu_s(work: Callable[[], object]) -> float:
    return median(cpu_s(work, _REPEATS))


def stages() -> None:
    """Measure the stages and print."""
    params = Params()
    with tempfile.TemporaryDirectory() as folder:
        make_landing_zone(Path(folder), participants=2, seed=1, seconds=(8.0, 8.0), faults=False)
        media = min(Path(folder).rglob("*.mp4")).read_bytes()
    recording = Recording(
        "P00000000A-00000000", "P00000000A", "V1", 0, 600, 600, None, "en",
        (Task("reading", 0.0, 3.0), Task("free_speech", 3.0, 7.5)), "0" * 64,
    )  # fmt: skip
    frames = sum(1 for _ in video_frames(media, pixels="luma"))
    made: dict[str, pl.DataFrame] = {}
    figures = {
        "decode alone": _median_cpu_s(lambda: sum(1 for _ in video_frames(media, pixels="rgb"))),
        "strip": _median_cpu_s(lambda: strip(media, ".mp4")),
    }
    for stage in MEDIA_STAGES:
        inputs = Inputs(lambda: media, made.__getitem__)

        def work(stage: MediaStage = stage, inputs: Inputs = inputs) -> None:
            made[stage.name] = stage.measure(inputs, recording, params).tables[""]

        figures[stage.name] = _median_cpu_s(work)
    rows = [[name, f"{spent:.2f}", f"{1000 * spent / frames:.2f}"] for name, spent in figures.items()]
    print(f"one recording of {frames} frames, 640x360, median of {_REPEATS} runs")
    print(table(["stage", "CPU s", "CPU ms a frame"], rows))
    json.dump({"machine": describe(), "frames": frames, "cpu_s": figures}, sys.stdout, indent=1)
    print()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all benchmarks, or those asked for; returns the exit code.

    Args:
        arguments: of the command line; by default the process's own.
    """
    names = ("stages", "speed", "s3", "accuracy")
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run PainLake's benchmarks.")
    parser.add_argument("--only", action="append", choices=names, help="this one alone; can be repeated")
    parser.add_argument("--quick", action="store_true", help="small films and studies in the benchmark of speed")
    parser.add_argument("--folder", help="where the benchmark of speed keeps its films and studies for the next run")
    asked = parser.parse_args(arguments)
    chosen = asked.only or names
    if "stages" in chosen:
        stages()
    if "speed" in chosen:
        speed.main([*(["--quick"] if asked.quick else []), *(["--folder", asked.folder] if asked.folder else [])])
    if "s3" in chosen:
        s3.main([])
    return accuracy.main([]) if "accuracy" in chosen else 0


if __name__ == "__main__":
    sys.exit(main())
