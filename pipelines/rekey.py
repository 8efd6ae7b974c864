"""New names for a release: random, so that neither the study nor another release can be matched by name."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from pipelines.vault import check_character

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(frozen=True, slots=True)
class Keys:
    """Old name to new name. Lives in memory while a release is made, and is written nowhere.

    Args:
        participants: columns `participant` and `new_participant`.
        recordings: columns `recording` and `new_recording`.
    """

    participants: pl.DataFrame
    recordings: pl.DataFrame


def new_keys(recordings: Iterable[tuple[str, str]], participants: Iterable[str], source: random.Random) -> Keys:
    """Draw new names.

    Args:
        recordings: recording and participant, of all who are released.
        participants: everyone who is released.
        source: of randomness; `random.SystemRandom()` outside tests.
    """
    taken = set(participants)
    people: dict[str, str] = {}
    for old in sorted(taken):
        people[old] = _fresh(taken, source)
    films: dict[str, str] = {}
    used: set[str] = set()
    for recording, participant in sorted(recordings):
        while (name := f"{people[participant]}-{_body(source)}") in used:
            pass
        used.add(name)
        films[recording] = name
    return Keys(_frame("participant", people), _frame("recording", films))


def release_name(source: random.Random) -> str:
    """A random name for a release."""
    return f"R{_body(source)}"


def _fresh(taken: set[str], source: random.Random) -> str:
    """A pseudonym that is neither an old nor a new one yet; notes it as taken."""
    while True:
        body = _body(source)
        name = f"P{body}{check_character(body)}"
        if name not in taken:
            taken.add(name)
            return name


def _body(source: random.Random) -> str:
    return "".join(source.choice(_ALPHABET) for _ in range(8))


def _frame(name: str, mapping: dict[str, str]) -> pl.DataFrame:
    columns = {name: list(mapping), f"new_{name}": list(mapping.values())}
    return pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
