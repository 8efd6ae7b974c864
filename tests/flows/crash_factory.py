"""A process that runs a small study's night again and again, killed wherever it is told, and looks at what is left.

It imports everything once and forks a child for each run, since the imports take longer than the night. The night is
flows/ingest.py as it stands, without Prefect's engine: no fault is in who schedules it. Each child has a session of its
own, so that all of it dies at once, DVC too.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self, TypeVar

T = TypeVar("T")

ROOT = Path(__file__).parents[2]
_MODULES = "PAINLAKE_TEST_MODULES"
_TASKS = (
    "land", "measure_recordings", "measure_recording", "pseudonymise", "measure", "erase_withdrawn", "check",
    "publish", "push",
)  # fmt: skip


class Here:
    """In place of the worker processes: the work is done where it is asked for."""

    does_two_at_once = True

    def __init__(self, *_: object) -> None:
        self.count = 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing has to end."""

    def warm(self, function: Callable[..., object], *arguments: Any) -> None:
        """All is imported."""

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        return function(*arguments)


@dataclass(frozen=True)
class Plain:
    """In place of a task or flow of Prefect: its function, called at once; and in place of a future, its result."""

    function: Callable[..., Any]

    def with_options(self, **_: object) -> Self:
        return self

    def __call__(self, *arguments: Any) -> Any:
        return self.function(*arguments)

    def submit(self, *arguments: Any) -> "Plain":
        done: Any = None
        try:
            done = self.function(*arguments)
        except Exception as error:  # noqa: BLE001 - a future keeps whatever it is
            done = error
        return Plain(lambda: done)

    def result(self, *, raise_on_failure: bool) -> Any:
        del raise_on_failure
        return self.function()


def _prepare() -> None:
    """Import all that a night needs, and take out what costs time and leaves nothing on the disk."""
    from expectations import relations, suites  # noqa: PLC0415 - in the helper's process alone
    from flows import cluster, crew, ingest  # noqa: PLC0415 - the same
    from pipelines import face, publish, quality, repository, voice  # noqa: F401, PLC0415 - the same

    stands = vars(ingest)
    stands |= {name: Plain(stands[name].fn) for name in _TASKS}
    # Who measures, and who checks.
    vars(cluster)["Workers"] = vars(crew)["Workers"] = Here
    # They speak to a server, and decide nothing.
    stands["close_leftover_runs"] = stands["leave_summary"] = lambda *_: None
    for module in (relations, suites):
        # Great Expectations takes five seconds a night, and only reads.
        vars(module)["run_rules"] = lambda _, rules, **__: [rule.result(success=True) for rule in rules]
    vars(repository)["subprocess"] = SimpleNamespace(run=_run)


def _run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    """`subprocess.run`, but for DVC a fork of this process, which has it imported by then."""
    if command[1:3] != ["-m", "dvc"]:
        return subprocess.run(command, **options)  # noqa: PLW1510 - the caller says
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.dup2(writing, 1)
        os.dup2(writing, 2)
        os.chdir(options["cwd"])
        os.environ.update(options["env"])
        code = 255
        with _told():
            from dvc.cli import main  # noqa: PLC0415 - slow the first time

            code = main(command[3:])
        _exit(code)
    os.close(writing)
    with os.fdopen(reading) as handle:
        said = handle.read()
    _, status = os.waitpid(child, 0)
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), said, said)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except BaseException:  # noqa: BLE001 - a forked child says what it is and ends
        traceback.print_exc()


def _exit(code: int) -> None:
    """End a forked child, leaving word of what it had to import."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _MODULES in os.environ:
        with Path(os.environ[_MODULES]).open("a", encoding="utf-8") as handle:
            handle.write("".join(f"{name}\n" for name in list(sys.modules)))
    os._exit(code)


def _fork(work: Callable[[], object], environment: Mapping[str, str], log: Path, after_s: float | None) -> int:
    """Do something in a child with a session of its own, killed after a while if so asked; returns how it ended."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.environ.update(environment)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        code = 1
        with _told():
            work()
            code = 0
        _exit(code)
    if after_s is not None:
        time.sleep(after_s)
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _serve() -> None:
    _prepare()
    from flows import ingest  # noqa: PLC0415 - prepared just now
    from tests.flows.crash_state import write_end_state  # noqa: PLC0415 - it imports what has to be prepared

    def night(root: Path) -> None:
        print(ingest.ingest.fn(str(root)))  # noqa: T201 - into the child's own log

    work = {"night": night, "look": write_end_state}
    for line in sys.stdin:
        order = json.loads(line)
        root = Path(order["root"])
        began = time.monotonic()
        code = _fork(
            lambda: work[order["do"]](root),  # noqa: B023 - called at once
            order["environment"],
            root.parent / f"{order['do']}.log",
            order["after_s"],
        )
        learnt = order["environment"].get(_MODULES)
        if learnt:
            _learn(Path(learnt))
        print(json.dumps({"code": code, "seconds": time.monotonic() - began}), flush=True)  # noqa: T201 - the answer


def _learn(path: Path) -> None:
    """Import what a child had to, so that its successors find it."""
    for name in dict.fromkeys(path.read_text(encoding="utf-8").split()):
        if name not in sys.modules:
            with suppress(Exception):
                importlib.import_module(name)


class Nights:
    """The process, from the test's side."""

    def __init__(self) -> None:
        quiet = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.flows.crash_factory"],
            cwd=ROOT,
            env={**os.environ, **quiet, "PYTHONPATH": str(ROOT), "GLOG_minloglevel": "3"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """Let it end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def _ask(self, do: str, root: Path, environment: Mapping[str, str], after_s: float | None) -> tuple[int, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"do": do, "root": str(root), "environment": dict(environment), "after_s": after_s}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["code"], answer["seconds"]

    def night(
        self, root: Path, *, point: str | None = None, after_s: float | None = None, log: Path | None = None
    ) -> tuple[int, float]:
        """Run a study's night; returns its exit code (-9 where it was killed) and how long it took.

        Args:
            root: the study.
            point: where to kill it.
            after_s: when to kill it.
            log: where to enumerate the fault points that it passes; it is also learnt from what there is to import.
        """
        environment = {} if point is None else {"PAINLAKE_FAULT_POINT": point, "PAINLAKE_FAULT_POINT_GROUP": "1"}
        if log is not None:
            environment |= {"PAINLAKE_FAULT_POINT_LOG": str(log), _MODULES: f"{log}.modules"}
        return self._ask("night", root, environment, after_s)

    def end_state(self, root: Path) -> dict[str, Any]:
        """All that must not depend on how often the night was killed."""
        code, _ = self._ask("look", root, {}, None)
        assert code == 0, (root.parent / "look.log").read_text(encoding="utf-8")
        state: dict[str, Any] = json.loads((root.parent / "state.json").read_bytes())
        return state


if __name__ == "__main__":
    _serve()
