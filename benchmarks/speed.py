"""`python -m benchmarks.speed`: every measure of speed and memory that PainLake is held to, side by side, in one run.

Prints a table (what is measured, what is to be reached, what was found, whether it was reached) and JSON with the
machine's description. Films and simulated studies are made once and kept with `--folder`. `--quick` measures small
ones, to see that everything works: then nothing is held against what is to be reached.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import scale
from benchmarks.deliveries import Batch, Camera, films
from benchmarks.machine import describe
from benchmarks.nights import Loop, Night, bare_loop, ingest
from benchmarks.report import Table

_WORKERS = 2
_HD, _FULL_HD = Camera(720, 30), Camera(1080, 30, crf=10)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Args:
        measure: what is measured.
        found: the figure.
        limit: what is to be reached; None where it is told for comparison alone.
        unit: of both.
        at_least: whether more is better.
        told: more of what was found, in words.
    """

    measure: str
    found: float
    limit: float | None
    unit: str
    at_least: bool = False
    told: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether it is; None where nothing is to be reached.

        >>> Figure("query", 90, 100, "ms").reached, Figure("ratio", 1.5, 1.6, "times", at_least=True).reached
        (True, False)
        """
        if self.limit is None:
            return None
        return self.found >= self.limit if self.at_least else self.found <= self.limit

    @property
    def row(self) -> list[str]:
        """For the table.

        >>> Figure("query", 90.123, 100, "ms", told="median of 5").row
        ['query', 'at most 100 ms', '90.1 ms (median of 5)', 'yes']
        """
        bound = "" if self.limit is None else f"at {'least' if self.at_least else 'most'} {self.limit:g} {self.unit}"
        found = f"{_digits(self.found)} {self.unit}" + (f" ({self.told})" if self.told else "")
        return [self.measure, bound, found, {True: "yes", False: "no", None: ""}[self.reached]]

    @property
    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "measure": self.measure,
            "found": self.found,
            "reach": self.limit,
            "unit": self.unit,
            "at_least": self.at_least,
            "reached": self.reached,
        }


def _digits(value: float) -> str:
    """Three digits that tell.

    >>> _digits(1234.5), _digits(12.34), _digits(1.234)
    ('1234', '12.3', '1.23')
    """
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Setting:
    """How large everything is.

    Args:
        folder: where films and studies are kept.
        repeats: how often what is measured side by side is measured, in turns.
        quick: everything small.
    """

    folder: Path
    repeats: int
    quick: bool

    def batch(self, number: int, seconds: float, camera: Camera) -> Batch:
        """Films: as asked for, or two of 4 s."""
        if not self.quick:
            return Batch(number, seconds, camera)
        return Batch(2, 4.0, Camera(360, 15), clip_s=2.0)

    def study(self, recordings: int, seconds: float = 2.0) -> Path:
        """A simulated study: as large as asked for, or of a tenth of it and 20 recordings at most."""
        number = min(recordings // 10, 20) if self.quick else recordings
        root = self.folder / f"simulated-{number}x{seconds:g}s"
        if not root.exists():
            from benchmarks.simulated_study import Size, simulate  # noqa: PLC0415 - heavy, and only where it is missing

            _say(f"simulating {number} recordings of {seconds:g} s")
            partial = root.with_suffix(".partial")
            simulate(partial, Size(number, seconds, copies=seconds == 2.0))
            partial.rename(root)
        return root


Found = tuple[list[Figure], dict[str, Any]]


def _against_bare_loop(setting: Setting) -> Found:
    """Whole nights and bare loops over the same films, in turns."""
    batch = setting.batch(24, 20.0, _HD)
    made = _films(setting, batch)
    loops: list[Loop] = []
    nights: list[Night] = []
    for _ in range(setting.repeats):
        nights.append(_night(made))
        _say("the bare loop over the same films")
        loops.append(bare_loop(made))
    night_s, loop_s = median(night.wall_s for night in nights), median(loop.wall_s for loop in loops)
    night_cpu_s, loop_cpu_s = median(night.cpu_s for night in nights), median(loop.cpu_s for loop in loops)
    return [
        Figure(f"whole ingest of {batch.name}, {_WORKERS} workers, against a bare loop", loop_s / night_s, 1.6, "times", at_least=True, told=f"{night_s:.0f} s against {loop_s:.0f} s"),
        Figure(f"the same by computing, as {_WORKERS} idle cores could do at best", loop_cpu_s * _WORKERS / night_cpu_s, None, "times", told=f"{night_cpu_s:.0f} s against {loop_cpu_s:.0f} s"),
    ], {"loops": [{"wall_s": loop.wall_s, "cpu_s": loop.cpu_s} for loop in loops], "nights": [_told(night) for night in nights]}  # fmt: skip


def _face(setting: Setting) -> Found:
    """The face stage beside its kernels."""
    (film, *_) = _films(setting, setting.batch(24, 20.0, _HD))
    _say("the face stage beside its kernels")
    try:
        found = _child("benchmarks.kernels", film, 20 if setting.quick else 300, max(setting.repeats, 3))
    except subprocess.CalledProcessError as error:
        if b"ai_edge_litert" not in error.stderr:
            raise
        _say("the kernels cannot be run: ai-edge-litert is not installed")
        return [], {"missing": "ai-edge-litert"}
    told = f"{found['stage_ms']:.1f} ms against {found['three_ms']:.1f} ms a frame"
    calls = f"against {found['kernels_ms']:.1f} ms"
    along = f"{found['along_ms']:.1f} ms"
    return [
        Figure("face stage, CPU a frame, against the sum of its three TFLite kernels on the same frames", found["stage_ms"] / found["three_ms"], 1.35, "times", told=told),
        Figure("the same, against each kernel as often as the stage runs it", found["stage_ms"] / found["kernels_ms"], None, "times", told=calls),
        Figure("the same, without decoding, which a night does once for quality and face", found["along_ms"] / found["kernels_ms"], None, "times", told=along),
    ], found  # fmt: skip


def _rest(setting: Setting) -> Found:
    """What a night spends on everything but face and voice."""
    batch = setting.batch(12, 60.0, _HD)
    made = _films(setting, batch)
    nights = [_night(made) for _ in range(setting.repeats)]
    share = median(night.rest_share for night in nights)
    of_clock = median(night.rest_share_of_clock(_WORKERS) for night in nights)
    cpu_s = median(night.cpu_s for night in nights)
    wall_s = median(night.wall_s for night in nights)
    return [
        Figure(f"everything but face and voice, share of the computing, {batch.name}", 100 * share, 15, "%", told=f"of {cpu_s:.0f} s of computing"),
        Figure(f"the same, share of {_WORKERS} cores by the clock, idle time too", 100 * of_clock, None, "%", told=f"{wall_s:.0f} s by the clock"),
    ], {"nights": [_told(night) for night in nights]}  # fmt: skip


def _nothing_new(setting: Setting) -> Found:
    """Nights in which nothing landed, and `painlake status`."""
    found, data = [], {}
    for number, limit_s in ((100, 6.0), (10_000, 20.0)):
        if setting.quick and number > 100:
            continue
        root = setting.study(number)
        for step, limit, name in (
            ("ingest, nothing new", limit_s, "ingest with nothing new"),
            ("status", 1.0, "`painlake status`"),
        ):
            _say(f"{name}, {root.name}")
            runs = [scale.measure(step, root) for _ in range(setting.repeats)]
            data[f"{step}, {number}"] = runs
            seconds = median(run["seconds"] for run in runs)
            told = f"{median(run['cpu_s'] for run in runs):.1f} s of computing"
            found.append(Figure(f"{name}, {number:,} recordings", seconds, limit, "s", told=told))
    return found, data


def _publish(setting: Setting) -> Found:
    """Publication of 600 recordings, and the view of them."""
    root = setting.study(600, 60.0)
    _say(f"publishing {root.name}")
    anew = [scale.measure("publish, all new", root) for _ in range(setting.repeats)]
    asked = [scale.measure("query recording_features", root) for _ in range(setting.repeats)]
    scale.measure("add a recording", root)
    upon = [scale.measure("publish, one new", root) for _ in range(setting.repeats)]
    found = []
    for runs, name in ((anew, "publish 600 recordings of 60 s, all of them new"), (upon, "the same, one of them new")):
        seconds = median(run["seconds"] for run in runs)
        told = f"{median(run['cpu_s'] for run in runs):.1f} s of computing"
        found.append(Figure(name, seconds, 10, "s", told=told))
        found.append(Figure("its peak memory", max(run["memory_mb"] for run in runs), 2000, "MB"))
    view_ms = 1000 * median(run["seconds"] for run in asked)
    found.append(Figure("`recording_features` of them, median query", view_ms, 100, "ms"))
    return found, {"publish, all new": anew, "publish, one new": upon, "query": asked}


def _memory(setting: Setting) -> Found:
    """A worker's peak memory."""
    found, data = [], {}
    batches = (setting.batch(1, 60.0, _FULL_HD), Batch(1, 1200.0, _HD))
    for batch in batches[: 1 if setting.quick else 2]:
        (film, *_) = _films(setting, batch)
        _say(f"a worker's memory, {batch.name}")
        peaks = _child("benchmarks.memory", film)
        size_mb = film.stat().st_size / 1e6
        data[batch.name] = {"film_mb": size_mb, "peaks_mb": peaks}
        told = f"a film of {size_mb:.0f} MB"
        found.append(Figure(f"peak memory of a worker, {batch.name}", max(peaks.values()), 700, "MB", told=told))
    return found, data


PARTS: Mapping[str, Callable[[Setting], Found]] = {
    "nothing-new": _nothing_new,
    "publish": _publish,
    "face": _face,
    "memory": _memory,
    "rest": _rest,
    "bare-loop": _against_bare_loop,
}
"""In the order in which they run: the short ones first."""


def _films(setting: Setting, batch: Batch) -> list[Path]:
    _say(f"films: {batch.name}")
    return films(setting.folder / "films", batch)


def _night(made: list[Path]) -> Night:
    _say(f"a night of {len(made)} films")
    return ingest(made, _WORKERS)


def _told(night: Night) -> dict[str, Any]:
    return {
        "wall_s": round(night.wall_s, 1),
        "cpu_s": round(night.cpu_s, 1),
        "stages_cpu_s": night.stages_cpu_s,
        "phases_s": night.phases_s,
        "load_before": night.load,
    }


def _child(module: str, *arguments: object) -> dict[str, Any]:
    """What a benchmark finds in a process of its own: its last line, as JSON."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


_BEGUN = time.monotonic()


def _say(what: str) -> None:
    print(f"[{time.monotonic() - _BEGUN:5.0f} s] {what}", file=sys.stderr, flush=True)


def measure(setting: Setting, names: Sequence[str]) -> Iterator[tuple[str, Found]]:
    """Some parts, one after the other; in a quick run nothing is held against what is to be reached.

    Args:
        setting: how large everything is.
        names: of `PARTS`.
    """
    for name in names:
        figures, data = PARTS[name](setting)
        if setting.quick:
            figures = [Figure(each.measure, each.found, None, each.unit, told=each.told) for each in figures]
        yield name, (figures, data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code, which is 0 whatever is reached.

    Args:
        arguments: of the command line; by default the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--part", action="append", choices=tuple(PARTS), help="this part alone; can be repeated")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each figure, of which the median counts")
    parser.add_argument("--quick", action="store_true", help="small studies and films: to see that everything works")
    parser.add_argument("--folder", type=Path, help="where films and simulated studies are kept for the next run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    asked = parser.parse_args(arguments)
    if asked.json is not None and not asked.json.resolve().parent.is_dir():
        parser.error(f"{asked.json} cannot be written: there is no folder {asked.json.resolve().parent}")
    names = [name for name in PARTS if asked.part is None or name in asked.part]
    before, begun = describe(), time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        setting = Setting((asked.folder or Path(temporary)).absolute(), max(asked.repeats, 1), asked.quick)
        found = dict(measure(setting, names))
    figures = [figure for of_part, _ in found.values() for figure in of_part]
    seconds = time.monotonic() - begun
    print(
        Table(
            "Speed", _note(before, seconds), ("measure", "reach", "found", "reached"), [f.row for f in figures]
        ).text()
    )
    data = {
        "machine": before,
        "load_1min_at_the_end": describe()["load_1min"],
        "seconds": round(seconds),
        "quick": asked.quick,
        "figures": [figure.data for figure in figures],
        "details": {name: detail for name, (_, detail) in found.items()},
    }
    text = json.dumps(data, indent=1)
    print(text)
    if asked.json is not None:
        asked.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _note(machine: Mapping[str, Any], seconds: float) -> str:
    return (
        f"{machine['cores']} cores of {machine['cpu']}, {machine['memory_gb']} GB, Python {machine['python']}, "
        f"load {machine['load_1min']:g} before; {seconds:.0f} s in all"
    )


if __name__ == "__main__":
    sys.exit(main())
