import pytest

from schemas.core import Table
from schemas.features import AU_SUMMARIES, RECORDING_FEATURES, VOICE_COLUMNS
from schemas.tables import LAKE_TABLES, TABLES, VIEWS

EVERYTHING = [*TABLES.values(), *VIEWS.values()]


@pytest.mark.parametrize("table", EVERYTHING, ids=lambda table: table.name)
def test_every_table_and_column_says_what_it_means(table: Table) -> None:
    assert table.meaning.endswith(".")
    assert table.row_per
    assert [column.name for column in table if len(column.meaning) < 3] == []


@pytest.mark.parametrize("table", EVERYTHING, ids=lambda table: table.name)
def test_references_name_columns_and_tables_that_exist(table: Table) -> None:
    for reference in table.references:
        assert set(reference.columns) <= set(table.names)
        assert set(reference.columns) <= set(TABLES[reference.table].names)


def test_what_the_lake_holds_is_published_under_the_same_declaration() -> None:
    assert [table.name for table in LAKE_TABLES if TABLES[table.name] is not table] == []


def test_the_tables_of_analysts_stand_in_main_and_those_about_the_tables_in_meta() -> None:
    of_meta = {table.name for table in TABLES.values() if table.schema == "meta"}
    assert of_meta == {"dataset_version", "columns", "validation", "provenance", "erased"}


def test_each_intensity_is_summed_up_and_each_presence_becomes_a_share() -> None:
    assert {"AU06_r_mean", "AU06_r_p95", "AU06_r_max", "AU06_c_share", "pspi_mean", "pspi_max"} <= set(
        AU_SUMMARIES.names
    )
    assert AU_SUMMARIES["AU06_r_max"].maximum == 5
    assert AU_SUMMARIES["AU06_c_share"].unit == "1"


def test_the_view_has_the_88_functionals_under_their_own_names_and_units() -> None:
    assert len(VOICE_COLUMNS) == 88
    assert RECORDING_FEATURES["F0semitoneFrom27.5Hz_sma3nz_amean"].unit == "{semitone}"
