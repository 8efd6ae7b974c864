"""`python -m benchmarks.scale --recordings 100,1000,10000`: what each step of a night costs in studies of these sizes.

Each step runs in a process of its own, so that its peak of memory is its own. Nothing is new in the study, but where
the step's name says so; recordings are 2 s long, but for `--full`, which makes 600 of 60 s for publication, validation
and the view. Prints a table, and the same as JSON with the machine's description.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.machine import describe
from flows.report import table

FULL = "600 of 60 s"
_REPEATS = 5


def _night(root: Path) -> None:
    _cli(root, "ingest")


def _status(root: Path) -> None:
    _cli(root, "status")


def _cli(root: Path, command: str) -> None:
    subprocess.run([sys.executable, "-m", "flows.cli", command, "--study", str(root)], check=True, capture_output=True)


def _stale(root: Path) -> None:
    from pipelines.night import Night  # noqa: PLC0415 - each step's memory is its own
    from pipelines.study import open_study  # noqa: PLC0415 - as above

    night = Night.open(open_study(root))
    night.measuring.stale(but=())
    night.close()


def _tables(root: Path) -> None:
    """All tables read again, as in a night in which one of them has changed."""
    from pipelines.discover import table_files  # noqa: PLC0415 - as above
    from pipelines.night import Night  # noqa: PLC0415 - as above
    from pipelines.study import open_study  # noqa: PLC0415 - as above
    from pipelines.tables import take_tables  # noqa: PLC0415 - as above

    night = Night.open(open_study(root))
    take_tables(night.desk, table_files(night.desk.landing.files()))
    night.close()


def _validate(root: Path) -> None:
    from pipelines.params import ValidateParams  # noqa: PLC0415 - as above
    from pipelines.validate import validate  # noqa: PLC0415 - as above

    state = root / "state"
    try:
        from pipelines.known import store_of  # noqa: PLC0415 - as above
    except ImportError:
        # An older PainLake, beside which this one is measured, knows of no store.
        validate(root / "lake", state / "report.json", ValidateParams())
    else:
        validate(root / "lake", state / "report.json", ValidateParams(), store_of(state))


def _summary(root: Path) -> None:
    from pipelines.version import write_index, write_summary  # noqa: PLC0415 - as above

    write_index(root / "lake", root / "lake" / "index.yaml")
    write_summary(root / "lake", root / "state" / "dataset.json")


def _publish(root: Path) -> None:
    from pipelines.params_publish import PublishParams  # noqa: PLC0415 - as above
    from pipelines.publish import VersionRecord, publish  # noqa: PLC0415 - as above

    publish(root / "lake", root / "warehouse", VersionRecord(1, "bench"), [], PublishParams())


def _query(root: Path) -> float:
    """The median time of the view, of `_REPEATS` queries; it is what this step is measured by."""
    from pipelines.warehouse import current_link, open_warehouse  # noqa: PLC0415 - as above

    spent = []
    with open_warehouse(current_link(root / "warehouse")) as connection:
        for _ in range(_REPEATS):
            begun = time.perf_counter()
            connection.execute("FROM recording_features").pl()
            spent.append(time.perf_counter() - begun)
    return median(spent)


STEPS: dict[str, Callable[[Path], float | None]] = {
    "ingest, nothing new": _night,
    "status": _status,
    "look for stale results": _stale,
    "read all tables again": _tables,
    "index and summary": _summary,
    "validate, all new": _validate,
    "validate, nothing new": _validate,
    "publish": _publish,
    "query recording_features": _query,
}


def measure(step: str, root: Path) -> dict[str, float]:
    """Seconds by the clock and of computing, and the peak of memory, of one step in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.scale", "--step", step, "--study", str(root)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _one(step: str, root: Path) -> None:
    begun, own, children = time.perf_counter(), resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    before = [_cpu_s(who) for who in (own, children)]
    told = STEPS[step](root)
    spent = time.perf_counter() - begun
    cpu_s = sum(_cpu_s(who) for who in (own, children)) - sum(before)
    peak = max(resource.getrusage(who).ru_maxrss for who in (own, children)) / 1024
    print(json.dumps({"seconds": spent if told is None else told, "cpu_s": cpu_s, "memory_mb": round(peak)}))


def _cpu_s(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", default="100,1000", help="sizes, with commas between")
    parser.add_argument("--full", action="store_true", help="600 recordings of 60 s too")
    parser.add_argument("--folder", type=Path, help="where studies are made and kept; else they are removed")
    parser.add_argument("--steps", help="some steps alone, with semicolons between")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--study", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.step:
        _one(asked.step, asked.study)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = asked.folder or Path(temporary)
        names = [*asked.recordings.split(","), *([FULL] if asked.full else [])]
        steps = asked.steps.split(";") if asked.steps else list(STEPS)
        figures = {name: _measured(folder / name.replace(" ", "-"), name, steps) for name in names if name}
    rows = [
        [step, *(f"{each[step]['seconds']:.2f} s, {each[step]['memory_mb']:.0f} MB" for each in figures.values())]
        for step in steps
    ]
    print(table(["step", *(f"{name} recordings" for name in figures)], rows))
    json.dump({"machine": describe(), "figures": figures}, sys.stdout, indent=1)
    print()


def _measured(root: Path, name: str, steps: list[str]) -> dict[str, dict[str, float]]:
    if not root.exists():
        from benchmarks.simulated_study import Size, simulate  # noqa: PLC0415 - only where one is missing

        simulate(root, Size(600, 60.0, copies=False) if name == FULL else Size(int(name)))
    (root / "state" / "checked.sqlite").unlink(missing_ok=True)
    found = {}
    for step in steps:
        found[step] = measure(step, root)
        told = "{seconds:.2f} s, {cpu_s:.2f} s of computing, {memory_mb} MB".format_map(found[step])
        print(f"{name}: {step}: {told}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
