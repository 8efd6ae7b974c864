"""A face at rest on a head that is turned: whatever rises there rises for no reason."""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from benchmarks.looks import MEASURES, Look, Values, read_off
from benchmarks.report import Part, Table, signed

PERSONS = (1, 2, 3, 4)
TURNS = (
    ("chin up 0.3", (-0.3, 0.0)), ("chin up 0.15", (-0.15, 0.0)), ("chin down 0.15", (0.15, 0.0)), ("chin down 0.3", (0.3, 0.0)),
    ("own left 0.3", (0.0, -0.3)), ("own left 0.15", (0.0, -0.15)), ("own right 0.15", (0.0, 0.15)), ("own right 0.3", (0.0, 0.3)),
)  # fmt: skip


def measure(persons: Sequence[int] = PERSONS) -> Part:
    """All turns of all persons, as a table."""
    print(f"turns: {len(TURNS)} turns of {len(persons)} persons", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        return summarise(np.stack(list(pool.map(readings, persons))))


def readings(person: int) -> Values:
    """What is measured of a person who looks ahead, and then turns: (1 + turns) x (measures, pitch, yaw)."""
    return read_off(person, [Look(), *(Look(turn=turn) for _, turn in TURNS)])


def summarise(measured: Values) -> Part:
    """The table of what was measured.

    Args:
        measured: persons x (1 + turns) x (measures, pitch, yaw).
    """
    gains = (measured[:, 1:] - measured[:, :1]).mean(axis=0)
    rows = [
        [
            name,
            signed(float(gain[-2]), 2),
            signed(float(gain[-1]), 2),
            *(signed(float(value)) for value in gain[: len(MEASURES)]),
        ]
        for (name, _), gain in zip(TURNS, gains, strict=True)
    ]
    return Part(
        (
            Table(
                "A face at rest on a turned head, every measure",
                f"Mean change over the same face looking ahead, of {len(measured)} synthetic persons; a dot is less than 0.05. The photograph is turned "
                "as half a barrel with a nose, by so many radians; pitch and yaw are what the engine sees of it. Nothing but the head moves, so every "
                "rise is false; for how real heads look from below and above this is a rough stand-in.",
                ("turn, rad", "pitch", "yaw", *MEASURES),
                rows,
            ),
        ),
        {"turns": [name for name, _ in TURNS], "measures": [*MEASURES, "pitch", "yaw"], "gains": gains.tolist()},
    )  # fmt: skip
