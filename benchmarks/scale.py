"""`python -m benchmarks.scale --recordings 100,1000,10000`: what each step of a night costs in studies of these sizes.

Each step runs in a process of its own, so that its peak of memory is its own. Nothing is new in the study, but where
the step's name says so; recordings are 2 s long, but for `--full`, which makes 600 of 60 s for publication, validation
and the view. Prints a table, and the same as JSON with the machine's description.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from benchmarks.machine import describe
from flows.environment import settings_for
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
    from pipelines.known import store_of  # noqa: PLC0415 - as above
    from pipelines.params import ValidateParams  # noqa: PLC0415 - as above
    from pipelines.validate import validate  # noqa: PLC0415 - as above

    validate(root / "lake", root / "state" / "report.json", ValidateParams(), store_of(root / "state"))


def _summary(root: Path) -> None:
    from pipelines.known import store_of  # noqa: PLC0415 - as above
    from pipelines.version import write_index, write_summary  # noqa: PLC0415 - as above

    write_index(root / "lake", root / "lake" / "index.yaml")
    write_summary(root / "lake", root / "reports" / "dataset.json", store_of(root / "state"))


_OBJECTS_UP_TO = 20_000
"""Recordings: of larger studies the objects, as large again as the lake, are not put into DVC's cache."""


def _first_records(root: Path) -> None:
    """Enter the whole lake into DVC and git, as the first version does."""
    _enter(root, everybody=True)


def _records(root: Path) -> None:
    """Enter what is new since into DVC and git."""
    _enter(root, everybody=False)


def _enter(root: Path, *, everybody: bool) -> None:
    from contextlib import nullcontext  # noqa: PLC0415 - as above
    from unittest.mock import patch  # noqa: PLC0415 - as above

    from benchmarks.simulated_study import unsynced  # noqa: PLC0415 - as above
    from pipelines.dvc_records import enter  # noqa: PLC0415 - as above
    from pipelines.ledger import Ledger  # noqa: PLC0415 - as above
    from pipelines.repository import Repository  # noqa: PLC0415 - as above
    from pipelines.study import open_study  # noqa: PLC0415 - as above
    from pipelines.version import write_index  # noqa: PLC0415 - as above

    study = open_study(root)
    (study.lake / ".gitignore").unlink(missing_ok=True)
    indexed = write_index(study.lake, study.index)
    ledger = Ledger(study.ledger)
    changed = indexed if everybody else ledger.dirty()
    ledger.close()
    large = everybody and sum(1 for _ in study.lake.glob("*/recordings/*.json")) > _OBJECTS_UP_TO
    with unsynced() if everybody else nullcontext(), patch("pipelines.dvc_objects._put") if large else nullcontext():
        enter(study, Repository(study.root), changed, indexed)
        Repository(study.root).commit("Simulated")


def _add(root: Path) -> None:
    from benchmarks.simulated_study import add_recording  # noqa: PLC0415 - as above
    from pipelines.study import open_study  # noqa: PLC0415 - as above

    # One more each time: written again by other code, the last one would be a row that changed.
    there = sum(1 for _ in root.glob("lake/*/recordings/*.json"))
    add_recording(open_study(root), 10_000_000 + there)


def _one_table(root: Path) -> None:
    """One row more in one of the delivered tables."""
    rows = root / "landing" / "clinical.csv"
    lines = rows.read_text(encoding="utf-8").splitlines()
    rows.write_text("\n".join([*lines, lines[1].replace(",6,8,5,", ",5,8,5,").replace("T10:", "T11:")]) + "\n")
    _tables(root)


def _publish(root: Path) -> None:
    from pipelines.known import store_of  # noqa: PLC0415 - as above
    from pipelines.params_publish import PublishParams  # noqa: PLC0415 - as above
    from pipelines.publish import VersionRecord, publish  # noqa: PLC0415 - as above

    store = store_of(root / "state")
    publish(root / "lake", root / "warehouse", VersionRecord(1, "bench"), [], PublishParams(), store=store)


def _publish_upon(root: Path) -> None:
    """As the night after: upon the file that `_publish` built."""
    from pipelines.grow import Base  # noqa: PLC0415 - as above
    from pipelines.known import store_of  # noqa: PLC0415 - as above
    from pipelines.params_publish import PublishParams  # noqa: PLC0415 - as above
    from pipelines.publish import VersionRecord, publish  # noqa: PLC0415 - as above
    from pipelines.warehouse import warehouse_file  # noqa: PLC0415 - as above

    warehouse, record, store = root / "warehouse", VersionRecord(2, "bench"), store_of(root / "state")
    publish(root / "lake", warehouse, record, [], PublishParams(), Base(warehouse_file(warehouse, 1)), store)


def _before_publishing(root: Path, number: int) -> None:
    """What the process of a night has done by then: it wrote the dataset's index and summary. No such version is there."""
    from pipelines.warehouse import warehouse_file  # noqa: PLC0415 - as above

    _summary(root)
    warehouse_file(root / "warehouse", number).unlink(missing_ok=True)


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
    "index and summary, all new": _summary,
    "index and summary, nothing new": _summary,
    "validate, all new": _validate,
    "validate, nothing new": _validate,
    "publish, all new": _publish,
    "query recording_features": _query,
    "DVC and git, first version": _first_records,
    "add a recording": _add,
    "validate, one new": _validate,
    "index and summary, one new": _summary,
    "DVC and git, one new": _records,
    "one row in one table": _one_table,
    "publish, one new": _publish_upon,
}

_BEFORE: dict[str, Callable[[Path], None]] = {
    "publish, all new": partial(_before_publishing, number=1),
    "publish, one new": partial(_before_publishing, number=2),
}
"""What is done in the same process before a step, and not measured."""


def measure(step: str, root: Path, longest_s: float = 3600.0) -> dict[str, float]:
    """Seconds by the clock and of computing, and the peak of memory, of one step in a process of its own.

    A step that takes longer than `longest_s` is ended, and has no memory.
    """
    command = [sys.executable, "-m", "benchmarks.scale", "--step", step, "--study", str(root)]
    # As a night has it.
    given = os.environ | settings_for(root / "state")
    try:
        done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=longest_s, env=given)
    except subprocess.TimeoutExpired:
        return {"seconds": longest_s, "cpu_s": longest_s, "memory_mb": 0}
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _one(step: str, root: Path) -> None:
    if step in _BEFORE:
        _BEFORE[step](root)
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
    parser.add_argument("--longest", type=float, default=3600, help="seconds after which a step is ended")
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
        figures = {
            name: _measured(folder / name.replace(" ", "-"), name, steps, asked.longest) for name in names if name
        }
    rows = [
        [step, *(f"{each[step]['seconds']:.2f} s, {each[step]['memory_mb']:.0f} MB" for each in figures.values())]
        for step in steps
    ]
    print(table(["step", *(f"{name} recordings" for name in figures)], rows))
    json.dump({"machine": describe(), "figures": figures}, sys.stdout, indent=1)
    print()


def _measured(root: Path, name: str, steps: list[str], longest_s: float) -> dict[str, dict[str, float]]:
    if not root.exists():
        from benchmarks.simulated_study import Size, simulate  # noqa: PLC0415 - only where one is missing

        simulate(root, Size(600, 60.0, copies=False) if name == FULL else Size(int(name)))
    if "validate, all new" in steps:
        (root / "state" / "checked.sqlite").unlink(missing_ok=True)
    found = {}
    for step in steps:
        found[step] = measure(step, root, longest_s)
        told = "{seconds:.2f} s, {cpu_s:.2f} s of computing, {memory_mb} MB".format_map(found[step])
        print(f"{name}: {step}: {told}", file=sys.stderr, flush=True)
    return found


if __name__ == "__main__":
    main()
