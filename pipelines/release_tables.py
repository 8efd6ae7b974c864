"""The rows of a release: whose they are, what is suppressed, under which names, in which order."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from pipelines.disclosure import suppress_rare
from pipelines.rekey import Keys
from schemas.core import Table
from schemas.features import PERSON_COLUMNS, RECORDING_FEATURES
from schemas.people import PARTICIPANTS, RECORDINGS
from schemas.releases import OPEN_STEPS, Profile

_PERSON = "participant"
_RECORDING = "recording"
_OWNER = "owner"
"""Whose a row is, by old name, while it is worked on."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What every table of a release is made by.

    Args:
        profile: for whom.
        people: the table `participants` after disclosure control, by old names.
        owners: columns `recording` and `participant` of the released recordings, by old names.
        first_day: each person's first study day in any table, columns `participant` and `first_day`.
        keys: the new names.
        min_cell: a value of fewer people is suppressed.
    """

    profile: Profile
    people: pl.DataFrame
    owners: pl.DataFrame
    first_day: pl.DataFrame
    keys: Keys
    min_cell: int


@dataclass(slots=True)
class Changes:
    """How many cells were suppressed, by table and column, and how many rows left out for it, by table."""

    cells: Counter[str] = field(default_factory=Counter)
    rows: Counter[str] = field(default_factory=Counter)


def release_rows(table: Table, given: Table, rows: pl.DataFrame, rules: Rules, changes: Changes) -> pl.DataFrame:
    """The rows of a table as they are released.

    Args:
        table: as the warehouse declares it.
        given: as the profile gives it.
        rows: of the warehouse, all of them.
        rules: of this release.
        changes: what was suppressed is counted here.

    Returns:
        The rows by their new names, in the order of those and of their values: the order of arrival does not show.
    """
    if _PERSON not in table.names and _RECORDING not in table.names:
        return given.conform(rows.select(given.names))
    owned = _owned(rows, rules)
    if table.name in {RECORDINGS.name, RECORDING_FEATURES.name, PARTICIPANTS.name}:
        owned = _as_disclosed(table, owned, rules)
    if rules.profile == "open":
        owned = _coarser_times(owned, rules)
    owned = _without_rare(table, given, owned, rules, changes)
    renamed = _renamed(owned, rules.keys).select(given.names)
    first = [*given.key, *(name for name in given.names if name not in given.key)]
    return given.conform(renamed).sort(first, nulls_last=True)


def _owned(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """The rows of those who are released, with whose they are."""
    if _RECORDING in rows.columns:
        owners = rules.owners.select(_RECORDING, pl.col(_PERSON).alias(_OWNER))
        return rows.join(owners, on=_RECORDING, how="inner", maintain_order="left")
    released = rules.people.select(_PERSON)
    return rows.join(released, on=_PERSON, how="semi", maintain_order="left").with_columns(
        pl.col(_PERSON).alias(_OWNER)
    )


def _as_disclosed(table: Table, rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """A person's facts as disclosure control left them, wherever they stand a second time."""
    facts = [n for n in PARTICIPANTS.names if n != _PERSON] if table.name == PARTICIPANTS.name else [*PERSON_COLUMNS]
    if table.name == RECORDINGS.name:
        facts = ["language"]
    known = rules.people.select(pl.col(_PERSON).alias(_OWNER), *(pl.col(n).alias(f"known_{n}") for n in facts))
    joined = rows.join(known, on=_OWNER, how="left", maintain_order="left")
    if table.name == RECORDINGS.name:
        # The language of a recording would give away that of a person where that is suppressed.
        same = pl.col("language") == pl.col("known_language")
        return joined.with_columns(pl.when(same).then("language").alias("language"))
    return joined.with_columns(pl.col(f"known_{name}").alias(name) for name in facts)


def _coarser_times(rows: pl.DataFrame, rules: Rules) -> pl.DataFrame:
    """Days as whole weeks since the person's first record, lags as whole hours."""
    if "study_day" in rows.columns:
        first = rules.first_day.rename({_PERSON: _OWNER})
        rows = rows.join(first, on=_OWNER, how="left", maintain_order="left").with_columns(
            pl.col("study_day") - pl.col("first_day")
        )
    return rows.with_columns(
        pl.col(name).floordiv(step) * step for name, step in OPEN_STEPS.items() if name in rows.columns
    )


def _without_rare(table: Table, given: Table, rows: pl.DataFrame, rules: Rules, changes: Changes) -> pl.DataFrame:
    """Values of few people suppressed; a row whose name was such a value goes."""
    for column in given:
        if not table[column.name].suppress_rare:
            continue
        rows, cells = suppress_rare(rows, column.name, _OWNER, rules.min_cell)
        if cells and not column.nullable:
            rows = rows.filter(pl.col(column.name).is_not_null())
            changes.rows[table.name] += cells
        elif cells:
            changes.cells[f"{table.name}.{column.name}"] += cells
    return rows


def _renamed(rows: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """Old names replaced by new ones."""
    for name, mapping in ((_PERSON, keys.participants), (_RECORDING, keys.recordings)):
        if name in rows.columns:
            rows = rows.join(mapping, on=name, how="left", maintain_order="left").with_columns(
                pl.col(f"new_{name}").alias(name)
            )
    return rows


def first_days(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Each person's first study day over some tables that have both."""
    days = [
        rows.select(_PERSON, "study_day") for rows in tables.values() if {_PERSON, "study_day"} <= set(rows.columns)
    ]
    return pl.concat(days).group_by(_PERSON).agg(pl.col("study_day").min().alias("first_day"))
