"""Durable steps: what leaves something on the disk stands between two fault points, `STEP.before` and `STEP.after`."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from pipelines.faultpoints import LOG_VARIABLE, VARIABLE, fault_point

P = ParamSpec("P")
T = TypeVar("T")

_WRITERS = frozenset({"pipelines.durable", "pipelines.durable_steps", "pipelines.parquet", "contextlib"})
"""Modules that write on behalf of others: a step is named after who asked for it."""


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
