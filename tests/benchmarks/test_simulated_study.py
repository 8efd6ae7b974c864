from pathlib import Path

import polars as pl

from benchmarks.simulated_rows import feature_rows
from benchmarks.simulated_study import Size, add_recording, simulate
from expectations.suites import is_sound
from flows.progress import Silent
from flows.run import ingest_once
from pipelines.lake import files, read_files, recordings
from pipelines.night import Night
from schemas.tables import FEATURE_TABLES


def test_in_a_simulated_study_nothing_is_left_to_do_until_a_recording_is_added(tmp_path: Path) -> None:
    study = simulate(tmp_path / "study", Size(7))
    assert ingest_once(study.root, Silent())["outcome"] == "nothing new"
    assert len(recordings(study.lake)) == 7
    added = add_recording(study, 7)
    night = Night.open(study)
    try:
        assert night.measuring.stale(but=()) == []
        assert night.ledger.dirty() == [added.partition("-")[0]]
        assert night.unfinished()
    finally:
        night.close()


def test_copies_and_recordings_with_numbers_of_their_own_keep_to_the_declarations(tmp_path: Path) -> None:
    study = simulate(tmp_path / "study", Size(2))
    for table in FEATURE_TABLES:
        copies = read_files(files(study.lake, table.name), table)
        own = feature_rows("P00000000A-00000000", 2.0, 1)[table.name]
        assert copies.schema == own.schema == pl.Schema(table.polars_schema())
        assert is_sound(table, copies), table.name
        assert is_sound(table, own), table.name
