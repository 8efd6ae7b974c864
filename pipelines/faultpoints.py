"""Places where a test may kill the process, to see that the next run gets to the same end.

Each durable step of a run stands between two of them, `STEP.before` and `STEP.after`. With `PAINLAKE_FAULT_POINT_LOG` a
run writes down each one that it passes, so that a test need not know them to enumerate them all.
"""

import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

VARIABLE = "PAINLAKE_FAULT_POINT"
"""At which place to die: its name, or `NAME#3` for the third time that this process comes there."""

LOG_VARIABLE = "PAINLAKE_FAULT_POINT_LOG"
"""A file to which `NAME#n` is added, one a line, for each place that is passed."""

GROUP_VARIABLE = "PAINLAKE_FAULT_POINT_GROUP"
"""Set where the run has a process group of its own: all of it then dies, as in a power cut, and not one worker alone."""

_passed: Counter[str] = Counter()

_WRITERS = frozenset({"pipelines.durable", "pipelines.faultpoints", "pipelines.parquet", "contextlib"})
"""Modules that write on behalf of others: a step is named after who asked for it."""


def fault_point(name: str) -> None:
    """Do nothing, unless the environment asks for a death as sudden as a power cut at this very place.

    Args:
        name: of the place, such as `erase.vault.did`.

    >>> fault_point("erase.vault.did")
    """
    asked, log = os.environ.get(VARIABLE), os.environ.get(LOG_VARIABLE)
    if asked is None and log is None:
        return
    _passed[name] += 1
    numbered = f"{name}#{_passed[name]}"
    if log is not None:
        with Path(log).open("a", encoding="utf-8") as handle:
            handle.write(f"{numbered}\n")
    if asked in {name, numbered}:
        if os.environ.get(GROUP_VARIABLE):
            os.killpg(os.getpgrp(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def durable_step(name: str) -> Iterator[None]:
    """Put a fault point before and one after a step that leaves something on the disk.

    Args:
        name: of the step, such as `repository.tag`.

    >>> with durable_step("repository.tag"):
    ...     pass
    """
    fault_point(f"{name}.before")
    yield
    fault_point(f"{name}.after")


def durable(area: str) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make each call of a function a durable step, `AREA.<the function's name>`.

    >>> @durable("ledger")
    ... def enter() -> int:
    ...     return 1
    >>> enter()
    1
    """

    def wrap(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def step(*args: P.args, **kwargs: P.kwargs) -> T:
            with durable_step(f"{area}.{function.__name__}"):
                return function(*args, **kwargs)

        return step

    return wrap


def name_of_caller() -> str:
    """What a step is called that was asked for without a name: module and function, such as `quarantine.keep`."""
    if VARIABLE not in os.environ and LOG_VARIABLE not in os.environ:
        return ""
    frame = sys._getframe(1)  # noqa: SLF001 - the documented way is inspect's, which reads source files at each call
    while frame.f_back is not None:
        module, function = frame.f_globals.get("__name__", ""), frame.f_code.co_name
        if module not in _WRITERS and not function.startswith("<"):
            return f"{module.rpartition('.')[2]}.{function.strip('_')}"
        frame = frame.f_back
    return "unknown"
