"""Every column has a tier on purpose, and what each profile gives follows from it."""

from typing import get_args

import pytest

from flows.cli_release import ProfileName
from schemas.aligned import ALIGNED_FRAMES
from schemas.core import Column, Table, Tier
from schemas.features import RECORDING_FEATURES
from schemas.people import PARTICIPANTS, QUASI_IDENTIFIERS
from schemas.releases import GIVEN, PROFILES, Profile, released, released_tables
from schemas.tables import TABLES, VIEWS
from schemas.voice import VOICE_FUNCTIONALS

EVERYTHING = [*TABLES.values(), *VIEWS.values()]
COLUMNS = [(table, column) for table in EVERYTHING for column in table]


def tiers(*names: str) -> set[Tier]:
    """The tiers of all columns of these names, in whichever table."""
    found = {table.tier_of(column) for table, column in COLUMNS if column.name in names}
    assert found, names
    return found


@pytest.mark.parametrize("table", EVERYTHING, ids=lambda table: table.name)
def test_every_table_states_its_tier(table: Table) -> None:
    assert table.tier is not None


def test_what_states_none_stays_inside_the_study() -> None:
    silent = Table("t", "thing", "Things.", (Column("a", "INTEGER", "A."),), key=("a",))
    assert silent.tier_of(silent["a"]) is Tier.INTERNAL
    assert released(silent, "partner") is None


def test_hashes_and_commits_link_wherever_they_stand() -> None:
    hashes = [
        (t, c) for t, c in COLUMNS if c.name.endswith(("sha256", "git_commit")) or "[0-9a-f]{64}" in (c.pattern or "")
    ]
    assert len(hashes) >= 8
    assert {table.tier_of(column) for table, column in hashes} == {Tier.LINK}


def test_exact_times_and_devices_stay_inside_the_study() -> None:
    assert tiers("time_of_day_min", "study_minute", "device", "created_at") == {Tier.INTERNAL}


@pytest.mark.parametrize("name", ["au_frames", "voice_frames", ALIGNED_FRAMES.name])
def test_all_of_a_series_of_frames_is_a_feature(name: str) -> None:
    assert {TABLES[name].tier_of(column) for column in TABLES[name]} == {Tier.FEATURE}


def test_what_the_shape_of_the_spectrum_gives_is_a_feature_and_prosody_is_not() -> None:
    for table in (VOICE_FUNCTIONALS, RECORDING_FEATURES):
        for column in table:
            spectral = any(part in column.name for part in ("mfcc", "F1", "F2", "F3", "slope", "alpha", "hammar", "Flux", "H1-"))  # fmt: skip
            prosodic = any(part in column.name for part in ("F0semi", "loudness", "jitter", "shimmer", "HNR", "oiced"))
            if prosodic and not spectral:
                assert table.tier_of(column) is Tier.AGGREGATE, column.name
            elif spectral and "Slope" not in column.name:
                assert table.tier_of(column) is Tier.FEATURE, column.name


def test_the_view_gives_nothing_that_the_tables_under_it_keep() -> None:
    order = list(Tier)
    for column in RECORDING_FEATURES:
        under = [t.tier_of(t[column.name]) for t in TABLES.values() if t.schema == "main" and column.name in t.names]
        strictest = max((order.index(tier) for tier in under), default=0)
        assert not under or order.index(RECORDING_FEATURES.tier_of(column)) <= strictest, column.name


def test_every_free_text_of_a_person_is_suppressed_where_rare_or_a_quasi_identifier() -> None:
    for table in EVERYTHING:
        if "participant" not in table.names or table is RECORDING_FEATURES:
            continue
        for column in table:
            free = column.type == "VARCHAR" and not column.allowed and column.name not in {"participant", "recording"}
            given = table.tier_of(column) in GIVEN["open"]
            # The flags are codes of PainLake's own; a recording's language goes with its person's.
            if free and given and column.name not in {"flags", "language"}:
                assert column.suppress_rare or column.quasi_identifier, f"{table.name}.{column.name}"


def test_the_quasi_identifiers_are_facts_that_others_may_know() -> None:
    assert QUASI_IDENTIFIERS == ("group", "sex", "age_band", "site", "language", "tumour_type", "tumour_stage")
    assert all(PARTICIPANTS[name].type == "VARCHAR" for name in QUASI_IDENTIFIERS)


def test_each_profile_gives_less_than_the_one_before() -> None:
    assert PROFILES == get_args(ProfileName) == ("internal", "partner", "open")
    assert GIVEN["internal"] > GIVEN["partner"] > GIVEN["open"]
    assert not any(Tier.LINK in given for given in GIVEN.values())


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_has_no_column_of_another_tier(profile: Profile) -> None:
    for table in released_tables(profile).values():
        assert {table.tier_of(column) for column in table} <= GIVEN[profile]


def test_the_open_profile_has_no_frames_and_says_that_times_are_coarse() -> None:
    given = released_tables("open")
    assert not {"au_frames", "voice_frames", "aligned_frames"} & set(given)
    assert "whole weeks" in given["recordings"]["study_day"].meaning
    assert "whole weeks" not in released_tables("partner")["recordings"]["study_day"].meaning


def test_what_may_be_suppressed_may_be_missing() -> None:
    given = released_tables("partner")
    assert given["recordings"]["visit"].nullable
    assert not given["medications"]["atc_code"].nullable
