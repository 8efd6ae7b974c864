"""How each quasi-identifier can be told more coarsely: a ladder of recodings, from as it is to left out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NEVER_GENERALISED = ("group",)
"""Scores, medicines and numbers of recordings tell patients from controls: hiding the group would hide nothing."""
WORTH = {"tumour_type": 2.0, "age_band": 1.5, "site": 0.5, "language": 0.5}
"""What a column is worth to analyses of pain against another's 1: where something must go, site and language go first."""
OLDEST_A = 90
"""Where the published age bands end: those above share one."""

_BAND = re.compile(r"(\d{2})-(\d{2})")
_OPEN_BAND = re.compile(r"(\d{2})\+")
_STAGE = re.compile(r"(?:stage )?(IV|I{1,3}|[0-4])(?:[a-d]\d?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Rung:
    """One recoding of a column.

    Args:
        says: what it does, in words.
        recode: from a value to a coarser one, or None.
        loss: what a value that it changes loses: 0 nothing, 1 all.
    """

    says: str
    recode: Callable[[str], str | None]
    loss: float


def ladder(column: str, values: Sequence[str | None]) -> tuple[Rung, ...]:
    """The recodings of a column, the finest first.

    Args:
        column: a column of the table `participants`.
        values: those that occur; bands are widened by what they are wide.

    >>> [rung.says for rung in ladder("age_band", ["40-49", "50-59", "90+"])]
    ['as it is', 'bands of 20 years', 'bands of 40 years', 'left out']
    """
    as_it_is = Rung("as it is", lambda value: value, 0.0)
    left_out = Rung("left out", lambda _: None, 1.0)
    if column in NEVER_GENERALISED:
        return (as_it_is,)
    if column == "age_band":
        step = max((int(m[2]) - int(m[1]) + 1 for v in values if v and (m := _BAND.fullmatch(v))), default=10)
        wider = (
            Rung(f"bands of {step * times} years", lambda v, times=times: widened(v, step * times), loss)  # type: ignore[misc]  # mypy infers no type for a lambda with defaults
            for times, loss in ((2, 1 / 3), (4, 2 / 3))
        )
        return (as_it_is, *wider, left_out)
    if column == "tumour_stage":
        return (as_it_is, Rung("main stages", main_stage, 1 / 3), left_out)
    return (as_it_is, left_out)


def worth(column: str) -> float:
    """What one value of a column is worth."""
    return WORTH.get(column, 1.0)


def widened(band: str, width: int) -> str | None:
    """The band of `width` years that holds an age band, or None where none does.

    >>> widened("50-59", 20), widened("80-89", 20), widened("90+", 20), widened("45-59", 20)
    ('40-59', '80+', '80+', '40-59')
    >>> widened("30-44", 20) is None
    True
    """
    oldest = OLDEST_A // width * width
    if oldest == 0:
        return None
    if match := _OPEN_BAND.fullmatch(band):
        return f"{oldest}+" if int(match[1]) >= oldest else None
    if (match := _BAND.fullmatch(band)) is None:
        return None
    low = int(match[1]) // width * width
    if low >= oldest:
        return f"{oldest}+"
    return f"{low:02d}-{low + width - 1:02d}" if int(match[2]) < low + width else None


def main_stage(stage: str) -> str:
    """A tumour stage without its letter; what is no such stage stays as it is.

    >>> main_stage("IIIA"), main_stage("stage iv"), main_stage("pT2N0")
    ('III', 'IV', 'pT2N0')
    """
    match = _STAGE.fullmatch(stage.strip())
    return stage if match is None else match[1].upper()
