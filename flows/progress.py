"""Progress of long work on standard error: a bar in a terminal, a line now and then elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

_LINE_EVERY_S = 5.0


class Progress(Protocol):
    """How far a piece of work is."""

    def phase(self, name: str, total: int | None = None) -> None:
        """A new phase begins, of so many steps if that is known."""

    def advance(self, steps: int = 1) -> None:
        """Steps of the phase are done."""


class Silent:
    """No progress at all."""

    def phase(self, name: str, total: int | None = None) -> None:
        """Nothing."""

    def advance(self, steps: int = 1) -> None:
        """Nothing."""


class Lines:
    """A line at each phase and every few seconds: for logs."""

    def __init__(self) -> None:
        self._name, self._done, self._total = "", 0, 0
        self._begun = self._said = time.monotonic()
        self._lock = Lock()

    def phase(self, name: str, total: int | None = None) -> None:
        """Say which phase begins."""
        with self._lock:
            self._name, self._done, self._total = name, 0, total or 0
            self._say()

    def advance(self, steps: int = 1) -> None:
        """Say how far it is, if the last word was a while ago."""
        with self._lock:
            self._done += steps
            if time.monotonic() - self._said >= _LINE_EVERY_S or self._done == self._total:
                self._say()

    def _say(self) -> None:
        self._said = time.monotonic()
        count = f" {self._done}/{self._total}" if self._total else ""
        sys.stderr.write(f"[{self._said - self._begun:5.0f} s] {self._name}{count}\n")
        sys.stderr.flush()


class _Bar:
    """A bar of rich's, one for all phases."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - the same

        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<34}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self.bar.add_task("", total=None)

    def phase(self, name: str, total: int | None = None) -> None:
        """Begin a phase."""
        self.bar.update(self._task, description=name, total=total, completed=0)

    def advance(self, steps: int = 1) -> None:
        """Move on."""
        self.bar.advance(self._task, steps)


@contextmanager
def shown_progress(*, quiet: bool = False) -> Iterator[Progress]:
    """Progress as it fits standard error.

    Args:
        quiet: show none.
    """
    if quiet:
        yield Silent()
    elif sys.stderr.isatty():
        bar = _Bar()
        with bar.bar:
            yield bar
    else:
        yield Lines()
