from pathlib import Path

import polars as pl
import pytest

from expectations.relations import RELATIONS, Limits, check_relations
from pipelines.lake import read_table
from schemas.tables import LAKE_TABLES
from tests.pipelines.lake_factory import recording_name, write_lake

Tables = dict[str, pl.DataFrame]
FIRST = recording_name(1, 1)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Tables:
    lake: Path = write_lake(tmp_path_factory.mktemp("lake"))
    return {table.name: read_table(lake, table) for table in LAKE_TABLES}


def offended(tables: Tables) -> set[str]:
    return {
        f"{result.table}.{result.check}"
        for result in check_relations(tables, LAKE_TABLES, Limits())
        if not result.success
    }


def first_row(frame: pl.DataFrame, **values: object) -> pl.DataFrame:
    """The frame with other values in its first row."""
    first = pl.int_range(pl.len()) == 0
    return frame.with_columns(
        pl.when(first).then(pl.lit(value, dtype=frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def test_a_sound_lake_offends_against_nothing(sound: Tables) -> None:
    assert offended(sound) == set()


def test_every_rule_across_tables_is_checked(sound: Tables) -> None:
    checked = {(result.table, result.check) for result in check_relations(sound, LAKE_TABLES, Limits())}
    assert {(relation.table, relation.check) for relation in RELATIONS} < checked


@pytest.mark.parametrize(
    ("table", "values", "rule"),
    [
        ("recordings", {"participant": "P999999999"}, "recordings.stands_in_participants"),
        ("au_frames", {"recording": "P000000001-99999999"}, "au_frames.stands_in_recordings"),
        ("medications", {"participant": "P999999999"}, "medications.stands_in_participants"),
        ("recordings", {"participant": "P000000002"}, "recordings.named_after_participant"),
        ("recordings", {"flags": "NOISY NO_CONSENT"}, "recordings.accepted_flags"),
        ("recordings", {"flags": "nonsense"}, "recordings.accepted_flags"),
        ("recordings", {"provenance": "0" * 64}, "provenance.of_these_bytes"),
        ("recordings", {"duration_s": 3.0}, "tasks.within_recording"),
        ("recordings", {"duration_s": 3.0}, "au_frames.within_recording"),
        ("tasks", {"start_s": 3.0}, "tasks.end_after_start"),
        ("au_frames", {"timestamp_s": 0.04}, "au_frames.times_increase"),
        ("voice_frames", {"timestamp_s": 0.5}, "voice_frames.times_increase"),
        ("au_frames", {"recording": recording_name(1, 2)}, "au_frames.one_row_per_frame"),
        ("provenance", {"recording": recording_name(2, 1)}, "aligned_frames.has_provenance"),
        ("participants", {"group": "control"}, "clinical_observations.controls_without_pain"),
        ("participants", {"group": "control"}, "recordings.controls_recorded_once"),
    ],
)
def test_an_offence_fails_its_rule(sound: Tables, table: str, values: dict[str, object], rule: str) -> None:
    changed = sound[table]
    if table == "medications":
        changed = pl.concat([changed, changed.clear(1)])
    assert rule in offended({**sound, table: first_row(changed, **values)})


def test_the_same_media_twice_under_one_person_is_a_warning(sound: Tables) -> None:
    same = sound["recordings"].with_columns(pl.lit("a" * 64).alias("provenance"))
    found = check_relations({**sound, "recordings": same}, LAKE_TABLES, Limits())
    (result,) = [result for result in found if result.check == "media_once"]
    assert not result.success
    assert not result.holds_back


def test_a_rule_whose_tables_are_missing_is_left_out(sound: Tables) -> None:
    without = {name: frame for name, frame in sound.items() if name != "quality_measures"}
    assert "one_row_per_frame" not in {result.check for result in check_relations(without, LAKE_TABLES, Limits())}


def test_what_is_allowed_is_a_parameter(sound: Tables) -> None:
    controls = {**sound, "participants": first_row(sound["participants"], group="control")}
    lenient = check_relations(controls, LAKE_TABLES, Limits(control_max_nrs=10, control_max_recordings=5))
    assert [result for result in lenient if not result.success] == []


def mixed(sound: Tables, **values: object) -> Tables:
    """The tables with one recording's face measured otherwise."""
    other = (pl.col("stage") == "face") & (pl.col("recording") == FIRST)
    changed = sound["provenance"].with_columns(
        pl.when(other).then(pl.lit(value)).otherwise(pl.col(name)).alias(name) for name, value in values.items()
    )
    return sound | {"provenance": changed}


@pytest.mark.parametrize("values", [{"engine": "openface"}, {"model_sha256": "a" * 64}])
def test_a_mix_of_engines_or_models_holds_the_publication_back_unless_it_is_allowed(
    sound: Tables, values: dict[str, object]
) -> None:
    tables = mixed(sound, **values)
    (held,) = [result for result in check_relations(tables, LAKE_TABLES, Limits()) if not result.success]
    assert (held.check, held.holds_back, held.detail) == ("one_engine_per_stage", True, "1 of its rows or recordings")
    allowed = check_relations(tables, LAKE_TABLES, Limits(allow_mixed_engines=True))
    assert all(result.success for result in allowed)


def test_a_mix_of_versions_of_one_engine_is_a_warning(sound: Tables) -> None:
    tables = mixed(sound, engine_version="9.9.9")
    (warned,) = [result for result in check_relations(tables, LAKE_TABLES, Limits()) if not result.success]
    assert (warned.check, warned.holds_back) == ("one_version_per_engine", False)
