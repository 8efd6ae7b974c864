"""Killing a night and comparing what the next one makes of it with an undisturbed night."""

import json
import random
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
        again = self._copy()
        # Timed once more, since by now the process has imported all that the first one had to.
        _, self.seconds = self.nights.night(again)
        assert differing(self.state, self.nights.end_state(again)) == []
        shutil.rmtree(again.parent)

    def killed_once(self, points: Iterable[str]) -> list[str]:
        """Kill a night at a point, then let one come to its end; and so for each point. Returns what differs."""
        return [each for point in points for each in self._killed_at([point], must=True)]

    def killed_in_turn(self, points: Sequence[str], chains: int) -> list[str]:
        """Kill a night at a point, the next night at another, and so on; then let one come to its end.

        Args:
            points: to be dealt out, in the order of the night.
            chains: to how many studies; a point that the nights there have passed by then gets one of its own.

        Returns:
            What differs from the undisturbed night.
        """
        missed: list[str] = []
        found = []
        for start in range(chains):
            found += self._killed_at(points[start::chains], missed=missed)
        return [*found, *self.killed_once(missed)]

    def killed_at_times(self, shares: Iterable[float]) -> list[str]:
        """Kill a night at a time, as a share of its length, then let one come to its end; and so for each."""
        found = []
        for share in shares:
            root = self._copy()
            self.nights.night(root, after_s=share * self.seconds)
            found += [f"at {share:.3f} of it: {each}" for each in self._finished(root)]
        return found

    def _killed_at(self, points: Sequence[str], *, must: bool = False, missed: list[str] | None = None) -> list[str]:
        root, found = self._copy(), []
        for point in points:
            code, _ = self.nights.night(root, point=point)
            if code != -signal.SIGKILL and must:
                found.append("no night came there")
            elif code != -signal.SIGKILL and missed is not None:
                missed.append(point)
        return [f"{' '.join(points)}: {each}" for each in [*found, *self._finished(root)]]

    def _copy(self) -> Path:
        self._copies += 1
        return copy_of(self.before, self.before.parent.with_name(f"{self.before.parent.name}-{self._copies}"))

    def _finished(self, root: Path) -> list[str]:
        """Let a night come to its end; returns what differs, and keeps the study only then."""
        code, _ = self.nights.night(root)
        if code != 0:
            return [(root.parent / "night.log").read_text(encoding="utf-8")[-2000:]]
        found = differing(self.state, self.nights.end_state(root))
        if not found:
            shutil.rmtree(root.parent)
        return found


def differing(expected: dict[str, Any], found: dict[str, Any]) -> list[str]:
    """What differs between two end states, by part, shortly."""
    return [f"{part}: {_shortly(expected[part], found[part])}" for part in expected if found[part] != expected[part]]


def random_times(seed: int, count: int) -> list[float]:
    """Shares of a night's length."""
    chosen = random.Random(seed)  # noqa: S311 - the same times in every run
    return [chosen.uniform(0.02, 0.98) for _ in range(count)]


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


def _shortly(expected: Any, found: Any) -> str:
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
        return "; ".join(f"{key}: {_shortly(expected.get(key), found.get(key))}" for key in keys)
    if isinstance(expected, list) and isinstance(found, list):
        return f"missing {[e for e in expected if e not in found][:5]}, added {[e for e in found if e not in expected][:5]}"
    return f"{json.dumps(expected)[:300]} -> {json.dumps(found)[:300]}"
