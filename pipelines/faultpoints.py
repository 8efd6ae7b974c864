"""Places where a test may have the process die, hang or run wild, to see what becomes of the rest."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import NoReturn

VARIABLE = "PAINLAKE_FAULT_POINT"


def fault_point(name: str) -> None:
    """Do nothing, unless the environment's PAINLAKE_FAULT_POINT is this name, or NAME:ACTION with this name.

    Actions: `kill` (the default) dies as suddenly as in a power cut (SIGKILL), `crash` as a decoder does (SIGSEGV),
    `hang` sleeps for ever, `memory` takes memory until it is refused, `cpu` computes for ever.

    Args:
        name: of the place, such as `erase.vault.did`, or of the place and what it works on, such as
            `unit.face.<recording>`.

    >>> fault_point("erase.vault.did")
    """
    wanted, _, action = os.environ.get(VARIABLE, "").partition(":")
    if wanted == name:
        _ACTIONS[action or "kill"]()


def _kill() -> None:
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
