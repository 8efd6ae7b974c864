"""What each release profile gives of every table: columns by tier, and what their values say there."""

from dataclasses import replace
from typing import Literal, get_args

from schemas.core import Column, Table, Tier
from schemas.features import RECORDING_FEATURES
from schemas.meta import COLUMNS, DATASET_VERSION
from schemas.people import PARTICIPANT, RECORDING
from schemas.tables import TABLES

Profile = Literal["internal", "partner", "open"]
PROFILES: tuple[Profile, ...] = get_args(Profile)

GIVEN: dict[Profile, frozenset[Tier]] = {
    "internal": frozenset({Tier.INTERNAL, Tier.FEATURE, Tier.AGGREGATE}),
    "partner": frozenset({Tier.FEATURE, Tier.AGGREGATE}),
    "open": frozenset({Tier.AGGREGATE}),
}
"""The tiers in each profile. Recordings themselves are in none, nor is what links to the lake."""

SHARED: frozenset[Profile] = frozenset({"partner", "open"})
"""Profiles that leave the study: only people who consented to sharing are in them."""

OPEN_STEPS: dict[str, int] = {"study_day": 7, "nrs_lag_min": 60, "analgesic_lag_min": 60}
"""What times are rounded down to in an open release, each in its column's unit.

Exact days between visits are a fingerprint to whoever has a calendar of admissions; whole weeks since a person's first
record keep the order of weeks and hide day of enrolment, length of stay and weekday.
"""

RELEASE = Table(
    "release", "release", "Which release this is: exactly one row, to be cited with every result.",
    (
        Column("release", "VARCHAR", "The release's random name.", nullable=False, pattern=r"R[0-9A-Z]{8}"),
        Column("profile", "VARCHAR", "For whom it was made.", nullable=False, allowed=PROFILES),
        Column("version", "VARCHAR", "The dataset's version that it was made from.", nullable=False),
        Column("created_on", "VARCHAR", "Day of the release, UTC, ISO 8601.", nullable=False),
        Column("painlake_version", "VARCHAR", "Version of PainLake that made it.", nullable=False),
        Column("people", "INTEGER", "Persons in it.", unit="{people}", nullable=False, minimum=0),
        Column("recordings", "INTEGER", "Recordings in it.", unit="{recordings}", nullable=False, minimum=0),
        Column("k", "INTEGER", "Each combination of quasi-identifiers is that of at least so many persons.",
               unit="{people}", nullable=False, minimum=1),
        Column("quasi_identifiers", "VARCHAR", "Columns of participants that k was reached over, separated by blanks.",
               nullable=False),
    ),
    key=("release",),
    tier=Tier.AGGREGATE,
    schema="meta",
)  # fmt: skip

_NEW_MEANINGS = {
    PARTICIPANT.name: "Random pseudonym of this release alone: no other release and no table of the study has it.",
    RECORDING.name: "The recording: its participant's pseudonym and eight random characters, of this release alone.",
    "age_band": "Age at enrolment, in bands as wide as this release needs.",
    "tumour_type": "Tumour type as registered; 'other' for types of few people.",
}
_OPEN_MEANINGS = {
    "study_day": "Days since the person's first record, rounded down to whole weeks.",
    "nrs_lag_min": "When those scores were given, after (negative: before) the recording, rounded down to whole hours.",
    "analgesic_lag_min": "How long before the recording it was given, rounded down to whole hours.",
}


def released(table: Table, profile: Profile) -> Table | None:
    """A table as a profile gives it, or None where it gives nothing but names.

    Args:
        table: of the warehouse.
        profile: for whom.

    >>> from schemas.face import AU_FRAMES
    >>> released(AU_FRAMES, "open") is None
    True
    """
    columns = tuple(_released(table, c, profile) for c in table if table.tier_of(c) in GIVEN[profile])
    if all(column.name in {PARTICIPANT.name, RECORDING.name} for column in columns):
        return None
    names = {column.name for column in columns}
    return replace(table, columns=columns, key=tuple(name for name in table.key if name in names))


def released_tables(profile: Profile) -> dict[str, Table]:
    """Every table of a release by name; the view `recording_features` is a table there."""
    sources = (*(t for t in TABLES.values() if t.schema == "main"), RECORDING_FEATURES, *_META)
    return {table.name: given for table in sources if (given := released(table, profile)) is not None}


_META = (RELEASE, DATASET_VERSION, COLUMNS, *(t for t in TABLES.values() if t.name in {"validation", "provenance"}))


def _released(table: Table, column: Column, profile: Profile) -> Column:
    """A column with what it says in a release, where people's facts may be suppressed."""
    meaning = _NEW_MEANINGS.get(column.name, column.meaning)
    step = None
    if profile == "open":
        meaning = _OPEN_MEANINGS.get(column.name, meaning)
        step = OPEN_STEPS.get(column.name)
    may_be_suppressed = (column.quasi_identifier or column.suppress_rare) and column.name not in table.key
    return replace(
        column,
        meaning=meaning,
        nullable=column.nullable or may_be_suppressed,
        minimum=None if step is not None else column.minimum,
        tier=table.tier_of(column),
    )
