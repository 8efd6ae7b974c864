"""Killing a night and comparing what the next one makes of it with an undisturbed night."""

import json
import re
import shutil
import signal
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.flows.crash_factory import Nights
from tests.flows.crash_study import copy_of

_OWN_NAME = re.compile(r"\.P[0-9A-Z]{9}(-[0-9A-Z]+)?")


@dataclass(slots=True)
class Undisturbed:
    """A study before its night, and what an undisturbed night makes of it.

    Args:
        nights: the process that runs nights.
        before: the study.
    """

    nights: Nights
    before: Path
    points: list[str] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    _copies: int = 0

    def __post_init__(self) -> None:
        folder = self.before.parent.with_name(f"{self.before.parent.name}-undisturbed")
        root = copy_of(self.before, folder)
        code, _ = self.nights.night(root, log=folder / "points")
        assert code == 0, (folder / "night.log").read_text(encoding="utf-8")
        self.points = (folder / "points").read_text(encoding="utf-8").split()
        self.state = self.nights.end_state(root)
        again = self.copy()
        # Timed once more, since by now the process has imported all that the first one had to.
        _, self.seconds = self.nights.night(again)
        assert self.differences(again) == []
        shutil.rmtree(again.parent)

    def copy(self) -> Path:
        """The study as it was before the night."""
        self._copies += 1
        return copy_of(self.before, self.before.parent.with_name(f"{self.before.parent.name}-{self._copies}"))

    def differences(self, root: Path) -> list[str]:
        """What differs from the undisturbed night, by part, shortly."""
        state = self.nights.end_state(root)
        return [
            f"{part}: {_shortly(self.state[part], state[part])}" for part in state if state[part] != self.state[part]
        ]

    def killed_at(self, *points: str) -> tuple[list[str], list[str]]:
        """Kill a night at the first point, the next one at the second, and so on; then let one come to its end.

        Returns:
            What differs from the undisturbed night, and the points that no night came to.
        """
        root, missed = self.copy(), []
        for point in points:
            code, _ = self.nights.night(root, point=point)
            if code != -signal.SIGKILL:
                missed.append(point)
        found = self._finished(root)
        return [f"{' '.join(points)}: {each}" for each in found], missed

    def killed_after(self, seconds: float) -> list[str]:
        """Kill a night after a while, then let one come to its end; returns what differs."""
        root = self.copy()
        self.nights.night(root, after_s=seconds)
        return [f"after {seconds:.2f} s: {each}" for each in self._finished(root)]

    def _finished(self, root: Path) -> list[str]:
        code, _ = self.nights.night(root)
        found = (
            self.differences(root) if code == 0 else [(root.parent / "night.log").read_text(encoding="utf-8")[-2000:]]
        )
        if not found:
            shutil.rmtree(root.parent)
        return found


def name_of(point: str) -> str:
    """A point's name, without how often it was passed and without whose it is."""
    return _OWN_NAME.sub("", point.partition("#")[0])


def first_of_each(points: Iterable[str]) -> dict[str, str]:
    """The first passing of each name, in the order of the night."""
    found: dict[str, str] = {}
    for point in points:
        found.setdefault(name_of(point), point)
    return found


def first_and_last(points: Sequence[str]) -> list[str]:
    """Where each name is passed for the first and for the last time, in the order of the night.

    A `before` right behind an `after` leaves the same on the disk: the `after` stands for both.
    """
    ends = {*first_of_each(points).values(), *first_of_each(reversed(points)).values()}
    same = {
        at
        for at, (one, other) in enumerate(pairwise(points), 1)
        if _is_after(one) and name_of(other).endswith(".before")
    }
    return list(dict.fromkeys(points[at - 1] if at in same else each for at, each in enumerate(points) if each in ends))


def _is_after(point: str) -> bool:
    return name_of(point).endswith(".after")


def chains(points: Sequence[str], count: int) -> list[list[str]]:
    """The points dealt out to so many chains, each in the order of the night."""
    return [list(points[start::count]) for start in range(min(count, len(points)))]


def _shortly(expected: Any, found: Any) -> str:
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
        return "; ".join(f"{key}: {_shortly(expected.get(key), found.get(key))}" for key in keys)
    if isinstance(expected, list) and isinstance(found, list):
        return f"missing {[e for e in expected if e not in found][:5]}, added {[e for e in found if e not in expected][:5]}"
    return f"{json.dumps(expected)[:300]} -> {json.dumps(found)[:300]}"
