"""Each movement of the synthetic faces against the action unit that it should raise: direction, size, cross-talk.

A movement's own strength is known and nothing else moves, which no recording of a person offers. It is one photograph
of one woman, warped into several persons: the figures tell which measures answer to which movement, and no coder's
grades.
"""

import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import polars as pl

from benchmarks.looks import MEASURES, UNITS, Values, read_off
from benchmarks.report import Part, Table, signed
from pipelines.synthetic.anatomy import ACTION_UNITS
from schemas.face import AU_NAMES

PERSONS = (1, 2, 3, 4)
STRENGTHS = (0.25, 0.5, 0.75, 1.0)


def responses(person: int, warps: Sequence[str] = ACTION_UNITS, strengths: Sequence[float] = STRENGTHS) -> Values:
    """What is measured of a person whose face makes one movement after the other.

    Args:
        person: seed of the face.
        warps: the movements.
        strengths: how strongly each is made, 0 to 1.

    Returns:
        (1 + len(warps) * len(strengths)) x len(MEASURES): the face at rest first, then each movement at each strength.
    """
    return read_off(person, [{}, *({warp: strength} for warp in warps for strength in strengths)])


def measure(persons: Sequence[int] = PERSONS) -> Part:
    """All movements of all persons, as tables."""
    print(f"warps: {len(ACTION_UNITS)} movements of {len(persons)} persons", file=sys.stderr, flush=True)
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        measured = np.stack(list(pool.map(responses, persons)))
    return summarise(measured)


def summarise(measured: Values) -> Part:
    """Tables of what was measured.

    Args:
        measured: persons x (1 + movements x strengths) x measures, as `responses` gives them.
    """
    at_rest = measured[:, 0]
    gains = (measured[:, 1:] - measured[:, :1]).reshape(len(measured), len(ACTION_UNITS), len(STRENGTHS), -1)
    mean = gains.mean(axis=0)
    own_rows, matrix = [], []
    for at, warp in enumerate(ACTION_UNITS):
        own = MEASURES.index(warp)
        course = np.concatenate([np.zeros((len(measured), 1)), gains[:, at, :, own]], axis=1)
        full = gains[:, at, -1, own]
        others = sorted(
            ((float(mean[at, -1, other]), unit) for other, unit in enumerate(UNITS) if _tells_apart(warp, unit)),
            key=lambda each: -abs(each[0]),
        )
        own_rows.append(
            [
                f"{warp} {AU_NAMES[warp]}",
                f"{at_rest[:, own].mean():.1f}",
                *(signed(float(value)) for value in mean[at, :, own]),
                f"{signed(float(full.min()))} to {signed(float(full.max()))}",
                f"{_monotone(course):.2f}",
                _verdict(full),
                ", ".join(f"{unit} {signed(gain)}" for gain, unit in others[:3] if abs(gain) >= _NOTABLE) or "none",
            ]
        )
        matrix.append([warp, *(signed(float(value)) for value in mean[at, -1])])
    matrix.insert(0, ["at rest", *(f"{value:.1f}" for value in at_rest.mean(axis=0))])
    persons = f"{len(measured)} synthetic persons"
    return Part(
        (
            Table(
                "Each movement and its own action unit",
                f"Mean rise over the face at rest, of {persons}, with the movement made to a quarter, half, three quarters and the full; "
                "the range over persons at the full; Spearman's rank correlation of strength and reading (mean over persons; 1 is monotone); "
                f"and which others move most at the full, from {_NOTABLE} on.",
                ("movement", "at rest", *(f"{strength:g}" for strength in STRENGTHS), "range at 1", "rho", "answers", "others"),
                own_rows,
            ),
            Table(
                "Cross-talk: every movement at the full, every measure",
                f"Mean change over the face at rest, of {persons}; a dot is less than 0.05. The scale is 0-5, PSPI's 0-16. "
                "AU25 and AU26 are what speech does, AU43 is a blink.",
                ("movement", *MEASURES),
                matrix,
            ),
        ),
        {
            "measures": MEASURES,
            "movements": ACTION_UNITS,
            "strengths": STRENGTHS,
            "at_rest": at_rest.tolist(),
            "gains": gains.tolist(),
        },
    )  # fmt: skip


_NOTABLE = 0.3
_ANSWERS = 0.5


def _tells_apart(warp: str, unit: str) -> bool:
    # Closed eyes and a blink are one measure.
    return unit != warp and not (warp == "AU43" and unit == "AU45")


def _verdict(full: Values) -> str:
    if np.all(full >= _ANSWERS):
        return "yes"
    return "weakly" if np.all(full > 0) and full.mean() >= _NOTABLE else "no"


def _monotone(course: Values) -> float:
    """The mean over persons of Spearman's correlation of strength and reading; 0 where a reading never changes.

    Args:
        course: persons x strengths, from rest on.
    """
    return float(np.mean([_spearman(each) for each in course]))


def _spearman(values: Values) -> float:
    if np.ptp(values) == 0:
        return 0.0
    frame = pl.DataFrame({"strength": np.arange(len(values)), "value": values.round(6)})
    return float(frame.select(pl.corr("strength", "value", method="spearman")).item())
