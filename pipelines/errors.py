"""Every error that PainLake raises on purpose: what was wrong, where, and what to do."""

import traceback
from pathlib import Path
from typing import NamedTuple

from schemas.faults import FAULTS, Fault


class PainLakeError(Exception):
    """Something failed; the command ends with `exit_code` and one line."""

    exit_code = 1


class UserError(PainLakeError):
    """Wrong use or bad input: named in one line, before anything is written."""

    exit_code = 2


class TemporaryError(PainLakeError):
    """Something that can pass by itself: storage that does not answer, a lock that somebody else has."""


class AccessRefusedError(UserError):
    """Storage refuses who asks: another try would be refused as well, so a person mends the credentials."""


class RunInProgressError(PainLakeError):
    """Another run holds the study."""

    exit_code = 3


class Rejection(Exception):  # noqa: N818 - a verdict on a delivery, not a failure of the program
    """A delivery cannot be accepted: a code from `schemas.faults` and what was found.

    Args:
        code: a code of `schemas.faults`.
        detail: measured values in words, never an identity.

    >>> Rejection("EMPTY_FILE").fault.meaning
    'zero bytes'
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    @property
    def fault(self) -> Fault:
        """The code's meaning and next step."""
        return FAULTS[self.code]


def in_short(error: BaseException) -> str:
    """What kind of error, and where it was raised: its message could hold the hospital's names.

    >>> try:
    ...     int("Jansen")
    ... except ValueError as error:
    ...     in_short(error).startswith("ValueError at ")
    True
    """
    trace = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(trace[-1].filename).name}:{trace[-1].lineno}" if trace else ""
    return f"{type(error).__name__}{place}"


class Reason(NamedTuple):
    """A code given to a delivery and what was found; a stage may give several where a `Rejection` gives one.

    Args:
        code: a code of `schemas.faults`, of any effect.
        detail: measured values in words, never an identity.
    """

    code: str
    detail: str
