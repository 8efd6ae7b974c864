"""Places where a test may have the process die, hang or run wild, to see what becomes of the rest."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

VARIABLE = "PAINLAKE_FAULT_POINT"

LOG_VARIABLE = "PAINLAKE_FAULT_POINT_LOG"
"""A file to which `NAME#n` is added, one a line, for each place that is passed, so that a test can enumerate them."""

GROUP_VARIABLE = "PAINLAKE_FAULT_POINT_GROUP"
"""Set where the run has a process group of its own: all of it then dies, as in a power cut, and not one worker alone."""

_passed: Counter[str] = Counter()


def fault_point(name: str) -> None:
    """Do nothing, unless the environment's PAINLAKE_FAULT_POINT is this name, or NAME:ACTION with this name.

    `NAME#3` is the third time that this process comes to a place.

    Actions: `kill` (the default) dies as suddenly as in a power cut (SIGKILL), `crash` as a decoder does (SIGSEGV),
    `hang` sleeps for ever, `memory` takes memory until it is refused, `cpu` computes for ever.

    Args:
        name: of the place, such as `erase.vault.did`, or of the place and what it works on, such as
            `unit.face.<recording>`.

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
    wanted, _, action = (asked or "").partition(":")
    if wanted in {name, numbered}:
        _ACTIONS[action or "kill"]()


def _kill() -> None:
    if os.environ.get(GROUP_VARIABLE):
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)


def _crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def _hang() -> NoReturn:
    while True:
        time.sleep(3600)


def _memory() -> NoReturn:
    held = []
    while True:
        held.append(bytearray(1 << 24))


def _cpu() -> NoReturn:
    while True:
        pass


_ACTIONS: Mapping[str, Callable[[], None]] = {
    "kill": _kill,
    "crash": _crash,
    "hang": _hang,
    "memory": _memory,
    "cpu": _cpu,
}
