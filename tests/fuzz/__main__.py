"""`make fuzz`: N damaged deliveries, night by night; exits 1 where one of them broke a rule."""

import argparse
import logging
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from expectations.engine import warm_up
from pipelines.confine import Limits
from pipelines.params import ValidateParams
from pipelines.pool import Workers
from pipelines.study import Study, make_study
from pipelines.validate import ValidationOutcome, validate
from tests.fuzz.mutations import Mutant, mutate
from tests.fuzz.nights import LIMITS, Bench, Report, run_night, settle_params
from tests.fuzz.originals import MUTATORS, originals, tables

_BATCH = 50
_VALIDATION_TIMEOUT_S = 600.0


def main() -> int:
    """Run, show progress and the table; returns the exit code."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--number", type=int, default=1000, help="how many damaged files")
    parser.add_argument("--seed", type=int, default=1, help="another seed gives other damage")
    parser.add_argument("--only", type=int, nargs="+", help="these numbers alone, to repeat what was found")
    parser.add_argument("--keep", type=Path, help="a folder for the studies; those where a rule was broken stay there")
    arguments = parser.parse_args()
    # Its warnings are what is expected here.
    logging.getLogger("painlake").addHandler(logging.NullHandler())
    numbers = arguments.only or range(arguments.number)
    mutants = [mutate(arguments.seed, number, originals(), MUTATORS) for number in numbers]
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="painlake-fuzz-"))
    try:
        report = _run(mutants, folder, _Progress(len(mutants)))
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder)
    _show(report, arguments.seed)
    return 1 if report.violations else 0


def _run(mutants: list[Mutant], folder: Path, tell: Callable[[int, Report], None]) -> Report:
    report = Report()
    in_tables = [mutant for mutant in mutants if mutant.target.endswith(".csv")]
    in_recordings = [mutant for mutant in mutants if not mutant.target.endswith(".csv")]
    with Workers(0, LIMITS) as workers, Workers(1, Limits(_VALIDATION_TIMEOUT_S)) as validator:
        validator.warm(warm_up)

        def check(study: Study) -> bool:
            outcome: ValidationOutcome = validator.run(
                validate, study.lake, study.reports / "validation.json", ValidateParams()
            )
            return outcome.passed

        bench = Bench(folder, _template(folder / "template", workers), workers, check)
        reference = bench.reference()
        for batch in _batches(in_recordings):
            bench.batch(batch, reference, report)
            tell(len(batch), report)
        for batch in _batches(in_tables):
            bench.tables(batch, report)
            tell(len(batch), report)
    return report


def _batches(mutants: list[Mutant]) -> list[list[Mutant]]:
    return [mutants[at : at + _BATCH] for at in range(0, len(mutants), _BATCH)]


def _template(root: Path, workers: Workers) -> Path:
    """A study with git and DVC whose first night took in the tables alone."""
    study = make_study(root, None, None)
    settle_params(study)
    for name, content in tables().items():
        (root / "landing" / name).write_bytes(content)
    run_night(study, workers, None)
    return root


class _Progress:
    """Tells how far it is; on a terminal in one line."""

    def __init__(self, count: int) -> None:
        self._count, self._done, self._told = count, 0, 0
        self._started = time.monotonic()

    def __call__(self, done: int, report: Report) -> None:
        self._done += done
        seconds = time.monotonic() - self._started
        for violation in report.violations[self._told :]:
            print(f"\n{violation}")
        self._told = len(report.violations)
        is_last = self._done == self._count
        start, end = ("\r", "\n" if is_last else "") if sys.stdout.isatty() else ("", "\n")
        line = f"{self._done} of {self._count} damaged files, {self._told} violations, {seconds:.0f} s"
        print(f"{start}{line}", end=end, flush=True)


def _show(report: Report, seed: int) -> None:
    fates: Counter[tuple[str, str, str]] = Counter()
    for outcome in report.outcomes:
        name = outcome.codes[0] if outcome.fate == "quarantined" and outcome.codes else outcome.fate
        fates[outcome.mutant.target.split(" ")[0], outcome.mutant.kind, name] += 1
    print(f"\n{'damaged':18} {'how':18} {'fate or code':24} files")
    for (target, kind, name), count in sorted(fates.items()):
        print(f"{target:18} {kind:18} {name:24} {count:5}")
    for target in sorted({target for target, *_ in fates}):
        of_target = [outcome for outcome in report.outcomes if outcome.mutant.target.split(" ")[0] == target]
        usable = sum(outcome.fate in {"published", "deferred"} for outcome in of_target)
        print(f"{target}: {usable} of {len(of_target)} usable in spite of the damage")
    print(f"{len(report.outcomes)} damaged files, {len(report.violations)} violations")
    for violation in report.violations:
        print(f"seed {seed}, {violation}")


if __name__ == "__main__":
    os.environ.setdefault("DO_NOT_TRACK", "1")
    sys.exit(main())
