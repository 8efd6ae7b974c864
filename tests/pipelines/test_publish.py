import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from expectations.results import CheckResult
from pipelines import derive as derive_module
from pipelines import publish as publish_module
from pipelines.duckdb_tables import create_sql, insert_frame
from pipelines.errors import PainLakeError
from pipelines.known_tables import dataset_summary
from pipelines.lake import count_rows, files
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from pipelines.warehouse import CURRENT, building, current_file, open_warehouse
from schemas.core import Column, Table
from schemas.tables import FEATURE_TABLES, TABLES, VIEWS
from tests.pipelines.lake_factory import FRAMES, change, recording_name, write_lake, write_recording

FIRST = recording_name(1, 1)
PASSED = CheckResult("values", "au_frames", "range", "pspi", "critical", success=True)
WARNED = CheckResult("relations", "tasks", "within_recording", "end_s", "warning", success=False, detail="1")
FAILED = CheckResult("values", "au_frames", "unique", "frame", "critical", success=False, detail="2 of 9 rows")


def version(number: int) -> VersionRecord:
    return VersionRecord(number, "0.1.0", "2026-11-21T02:00:00Z", "abc123", "c" * 64, "d" * 64)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake")


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    return tmp_path / "warehouse"


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("study")
    lake = write_lake(root / "lake")
    change(lake, FIRST, "au_frames", lambda frame: frame.with_columns(
        pl.when(pl.col("frame") == 0).then(None).otherwise(pl.col("AU06_r")).alias("AU06_r"),
        pl.when(pl.col("frame") == 0).then(float("nan")).otherwise(pl.col("AU04_r")).alias("AU04_r"),
    ))  # fmt: skip
    return publish(lake, root / "warehouse", version(1), [PASSED, WARNED], PublishParams())


def ask(file: Path, sql: str) -> list[tuple[object, ...]]:
    with open_warehouse(file) as connection:
        return connection.execute(sql).fetchall()


def test_every_table_and_view_has_exactly_the_declared_columns_and_types(published: Path) -> None:
    found: dict[str, list[tuple[object, object]]] = {}
    for table, column, type_ in ask(published, """
        SELECT table_name, column_name, data_type FROM duckdb_columns()
        WHERE database_name = 'painlake' AND NOT internal ORDER BY table_name, column_index
    """):  # fmt: skip
        found.setdefault(str(table), []).append((column, type_))
    declared = {
        table.name: [(column.name, column.type) for column in table] for table in (*TABLES.values(), *VIEWS.values())
    }
    assert found == declared


def test_every_table_view_and_column_is_commented_with_meaning_and_unit(published: Path) -> None:
    comments = {(t, c): text for t, c, text in ask(published, """
        SELECT table_name, column_name, comment FROM duckdb_columns() WHERE database_name = 'painlake' AND NOT internal
    """)}  # fmt: skip
    for table in (*TABLES.values(), *VIEWS.values()):
        for column in table:
            comment = str(comments[table.name, column.name])
            assert comment.startswith(column.meaning)
            assert comment.endswith(f"[{column.unit}]" if column.unit else column.meaning)
    without = ask(published, """
        SELECT table_name FROM duckdb_tables() WHERE database_name = 'painlake' AND comment IS NULL
        UNION ALL
        SELECT view_name FROM duckdb_views() WHERE database_name = 'painlake' AND NOT internal AND comment IS NULL
    """)  # fmt: skip
    assert without == []


def test_the_data_dictionary_covers_every_column_of_the_file(published: Path) -> None:
    assert ask(published, """
        SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns()
        WHERE database_name = 'painlake' AND NOT internal
        EXCEPT
        SELECT table_schema, table_name, column_name, type FROM meta.columns
    """) == []  # fmt: skip
    assert ask(published, "SELECT DISTINCT tier FROM meta.columns WHERE table_name = 'au_frames'") == [("feature",)]


def test_the_file_holds_what_the_lake_holds(published: Path) -> None:
    lake = published.parent.parent / "lake"
    for table in FEATURE_TABLES:
        assert ask(published, f"SELECT count(*) FROM {table.name}") == [(count_rows(files(lake, table.name)),)]  # noqa: S608 - names from schemas/
    assert dataset_summary(lake)["people"] == ask(published, "SELECT people FROM meta.dataset_version")[0][0]


def test_what_follows_the_level_says_so_in_dictionary_and_comment(published: Path) -> None:
    marked = ask(published, "SELECT column_name FROM meta.columns WHERE gain_sensitive AND table_name = 'voice_frames'")
    assert ("Loudness_sma3",) in marked
    assert len(marked) == 4
    (comment,) = ask(published, """
        SELECT comment FROM duckdb_columns() WHERE table_name = 'recording_features' AND column_name = 'loudness_sma3_amean'
    """)[0]  # fmt: skip
    assert str(comment).endswith("Gain-sensitive. [{loudness}]")


def test_a_series_of_descriptors_can_be_unnested(published: Path) -> None:
    rows = ask(published, f"SELECT unnest(values) FROM voice_series WHERE recording = '{FIRST}'")  # noqa: S608 - a made-up name
    assert rows == [(0.0,), (110.0,), (None,)]


def test_rows_stand_in_the_order_of_their_key(published: Path) -> None:
    rows = ask(published, "SELECT recording, frame FROM au_frames")
    assert rows == sorted(rows)


def test_missing_stays_null_and_nan_becomes_null(published: Path) -> None:
    (row,) = ask(published, f"SELECT AU06_r, AU04_r, AU12_r FROM au_frames WHERE recording = '{FIRST}' AND frame = 0")  # noqa: S608 - a made-up name
    assert row == (None, None, 0.0)
    assert ask(published, f"SELECT count(AU04_r) FROM au_frames WHERE recording = '{FIRST}'") == [(FRAMES - 1,)]  # noqa: S608 - the same
    assert ask(published, "SELECT count(*) FROM participants WHERE tumour_stage IS NULL") == [(2,)]


def test_the_version_says_where_it_comes_from(published: Path) -> None:
    assert ask(published, "SELECT version, number, git_commit, engines, recordings FROM meta.dataset_version") == [
        ("v0001", 1, "abc123", "align-engine 1.2.3; face-engine 1.2.3; quality-engine 1.2.3; voice-engine 1.2.3", 3)
    ]
    assert ask(published, 'SELECT "table", success FROM meta.validation ORDER BY 1') == [
        ("au_frames", True),
        ("tasks", False),
    ]
    assert ask(
        published, "SELECT count(*) FROM recordings r JOIN meta.provenance p ON p.media_sha256 = r.provenance"
    ) == [(12,)]


def test_the_file_is_read_only_alone_and_behind_a_relative_link(published: Path) -> None:
    assert published.name == "painlake-v0001.duckdb"
    assert published.stat().st_mode & 0o777 == 0o444
    assert {path.name for path in published.parent.iterdir()} == {published.name, CURRENT}
    assert (published.parent / CURRENT).readlink() == Path(published.name)


def test_older_readers_can_read_it(published: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{published}' AS f (READ_ONLY)")
        (tags,) = connection.execute("SELECT tags FROM duckdb_databases() WHERE database_name = 'f'").fetchone() or (
            {},
        )
    assert tags["storage_version"].startswith("v1.4.0")


def test_a_critical_failure_keeps_the_last_version(lake: Path, warehouse: Path) -> None:
    publish(lake, warehouse, version(1), [PASSED], PublishParams())
    with pytest.raises(
        PainLakeError, match=r"1 critical checks failed, the first: au_frames\.frame: unique: 2 of 9 rows"
    ):
        publish(lake, warehouse, version(2), [PASSED, FAILED], PublishParams())
    assert {path.name for path in warehouse.iterdir()} == {"painlake-v0001.duckdb", CURRENT}


@pytest.mark.parametrize("stage", ["_fill", "_verify"])
def test_a_failure_while_building_keeps_the_last_version_and_leaves_nothing(
    lake: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    def broken(*_: object) -> None:
        raise PainLakeError("disk full")

    first = publish(lake, warehouse, version(1), [PASSED], PublishParams())
    monkeypatch.setattr(publish_module, stage, broken)
    with pytest.raises(PainLakeError, match="disk full"):
        publish(lake, warehouse, version(2), [PASSED], PublishParams())
    assert current_file(warehouse) == first
    assert {path.name for path in warehouse.iterdir()} == {first.name, CURRENT}


def test_a_count_that_differs_is_refused(lake: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_module, "count_rows", lambda _: 1)
    with pytest.raises(PainLakeError, match="nothing was published"):
        publish(lake, warehouse, version(1), [PASSED], PublishParams())


def test_a_row_that_was_derived_and_is_not_in_the_file_is_missed(
    lake: Path, warehouse: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted, events = publish_module._rows, '"main"."au_events"'
    calls: list[int] = []

    def lost(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
        rows = counted(connection)
        calls.append(rows[events])
        # Once before the file is closed, once after it was opened again.
        return rows if len(calls) == 1 else rows | {events: rows[events] - 1}

    monkeypatch.setattr(publish_module, "_rows", lost)
    with pytest.raises(PainLakeError, match=r"au_events.*nothing was published"):
        publish(lake, warehouse, version(1), [PASSED], PublishParams())
    assert calls[0] == calls[1] > 0


def test_only_the_newest_files_are_kept_and_always_the_current_one(lake: Path, warehouse: Path) -> None:
    for number in (1, 2, 3, 4):
        publish(lake, warehouse, version(number), [PASSED], PublishParams(keep_warehouses=2))
    publish(lake, warehouse, version(1), [PASSED], PublishParams(keep_warehouses=2))
    assert {path.name for path in warehouse.iterdir()} == {
        "painlake-v0001.duckdb", "painlake-v0003.duckdb", "painlake-v0004.duckdb", CURRENT,
    }  # fmt: skip
    assert current_file(warehouse).name == "painlake-v0001.duckdb"


def test_what_a_killed_run_left_is_removed(lake: Path, warehouse: Path) -> None:
    warehouse.mkdir()
    for name in (".painlake-v0001.duckdb.x.partial", ".painlake-v0001.duckdb.x.partial.wal"):
        (warehouse / name).write_bytes(b"half")
    publish(lake, warehouse, version(1), [PASSED], PublishParams())
    assert {path.name for path in warehouse.iterdir()} == {"painlake-v0001.duckdb", CURRENT}


def test_a_reader_keeps_its_file_while_a_new_version_takes_over(lake: Path, warehouse: Path) -> None:
    publish(lake, warehouse, version(1), [PASSED], PublishParams(keep_warehouses=1))
    with open_warehouse(current_file(warehouse)) as reader:
        write_recording(lake, 1, 3)
        publish(lake, warehouse, version(2), [PASSED], PublishParams(keep_warehouses=1))
        assert reader.execute("SELECT count(*) FROM recordings").fetchall() == [(3,)]
        assert reader.execute("SELECT count(*) FROM au_frames").fetchall() == [(3 * FRAMES,)]
    assert ask(current_file(warehouse), "SELECT count(*) FROM recordings") == [(4,)]


READER = """
import sys
from pathlib import Path
from pipelines.warehouse import current_link, open_warehouse
warehouse, seen = Path(sys.argv[1]), set()
while max(seen, default=0) < int(sys.argv[2]):
    with open_warehouse(current_link(warehouse)) as reader:
        number, rows = reader.execute(
            "SELECT number, (SELECT count(*) FROM recordings) FROM meta.dataset_version"
        ).fetchone()
        assert rows == 2 + number % 2, (number, rows)
        assert number >= max(seen, default=0)
        seen.add(number)
print(len(seen))
"""


@pytest.mark.parametrize(
    "publications", [pytest.param(15, marks=pytest.mark.slow), pytest.param(50, marks=pytest.mark.crash)]
)
def test_a_looping_reader_in_another_process_sees_whole_versions_only(
    tmp_path: Path, warehouse: Path, publications: int
) -> None:
    odd = write_lake(tmp_path / "odd", people=1, recordings=3)
    even = write_lake(tmp_path / "even", people=1, recordings=2)
    # What a reader has just found is gone at the next publication.
    params = PublishParams(keep_warehouses=1)
    publish(odd, warehouse, version(1), [PASSED], params)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(warehouse), str(publications)],
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    for number in range(2, publications + 1):
        publish(odd if number % 2 else even, warehouse, version(number), [PASSED], params)
    out, errors = reader.communicate(timeout=60)
    assert errors == b""
    assert 1 <= int(out) <= publications


def test_columns_that_count_leave_no_run_of_digits_that_looks_like_an_identity(tmp_path: Path) -> None:
    rows = 240
    rising = pl.DataFrame(
        {"recording": [FIRST] * rows, "frame": range(rows), "t_s": [n / 100 for n in range(rows)]},
        schema_overrides={"frame": pl.Int32},
    )
    columns = (Column("recording", "VARCHAR", "."), Column("frame", "INTEGER", "."), Column("t_s", "DOUBLE", "."))
    table = Table("counting", "frame", "Counts.", columns, key=("frame",))
    with building(tmp_path / "a.duckdb", 500) as connection:
        connection.execute(create_sql(table))
        insert_frame(connection, table, rising)
    assert b"1234567" not in (tmp_path / "a.duckdb").read_bytes()


def test_catalogues_leave_no_run_of_digits_that_looks_like_an_identity(tmp_path: Path) -> None:
    # So many that their places in a list take a byte each.
    names = [f"a column of the name {n}" for n in range(200)] * 2
    rows = pl.DataFrame({"table_name": [f"table {n // 40}" for n in range(400)], "column_name": names})
    columns = (Column("table_name", "VARCHAR", "."), Column("column_name", "VARCHAR", "."))
    table = Table("catalogue", "column", "Columns.", columns, key=("column_name",), schema="meta")
    with building(tmp_path / "a.duckdb", 500) as connection:
        connection.execute("CREATE SCHEMA meta")
        connection.execute(create_sql(table))
        insert_frame(connection, table, rows)
    assert b"1234567" not in (tmp_path / "a.duckdb").read_bytes()


def test_the_same_lake_gives_the_same_rows_in_however_many_parts_they_are_derived(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = publish(lake, tmp_path / "a", version(1), [PASSED], PublishParams())
    monkeypatch.setattr(derive_module, "_AT_A_TIME", 1)
    other = publish(lake, tmp_path / "b", version(1), [PASSED], PublishParams())
    for table in (*TABLES.values(), *VIEWS.values()):
        sql = f"SELECT * FROM {table.schema}.{table.name}"  # noqa: S608 - names from schemas/
        assert repr(ask(one, sql)) == repr(ask(other, sql)), table.name
