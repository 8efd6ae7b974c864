"""Looking at clusters from outside: what their workers begin, and which processes they are."""

import time
from collections.abc import Callable
from pathlib import Path

import psutil


def begun(passages: Path, what: str) -> int:
    """How often a unit of work was begun, by the log of the fault points."""
    if not passages.exists():
        return 0
    return sum(line.startswith(f"{what}#") for line in passages.read_text().splitlines())


def confined() -> list[psutil.Process]:
    """The processes that decode, each a child of a worker of the cluster."""
    me = psutil.Process()
    spawned = [each for each in me.children(recursive=True) if "spawn_main" in " ".join(_command(each))]
    # Dask's workers are spawned, too; and this process may have decoders of its own.
    parents = {each.ppid() for each in spawned}
    return [each for each in spawned if each.pid not in parents and each.ppid() != me.pid]


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_for(condition: Callable[[], bool], limit_s: float = 120.0) -> None:
    until = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < until, "it did not come about"
        time.sleep(0.005)
