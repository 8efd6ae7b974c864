import csv
import io
import json
import math
import os
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from pipelines.query import format_rows, run_query
from pipelines.warehouse import current_file, open_warehouse
from tests.pipelines.lake_factory import write_lake


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("it's a study")
    return publish(write_lake(root / "lake"), root / "warehouse", VersionRecord(1, "0.1.0"), [], PublishParams())


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM participants",
        "FROM participants SELECT count(*)",
        "SELECT count(*) FROM main.participants;",
        "WITH p AS (FROM participants) SELECT count(*) FROM p",
    ],
)
def test_a_question_is_answered(file: Path, sql: str) -> None:
    assert run_query(file, sql) == (["count_star()"], [(2,)])


@pytest.mark.parametrize(
    "sql", ["DESCRIBE participants", "SHOW TABLES", "SUMMARIZE participants", "EXPLAIN SELECT 1", "FROM meta.columns"]
)
def test_what_looks_around_is_answered(file: Path, sql: str) -> None:
    assert run_query(file, sql)[1]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM participants",
        "CREATE TABLE t (a INT)",
        "CREATE TABLE memory.t (a INT)",
        "UPDATE participants SET site = 'x'",
        "DROP TABLE participants",
        "COPY participants TO 'out.csv'",
        "ATTACH 'other.duckdb'",
        "INSTALL httpfs",
        "SET threads = 1",
        "USE memory",
        "CHECKPOINT",
        "CALL force_checkpoint()",
        "EXPORT DATABASE 'out'",
    ],
)
def test_what_would_change_anything_is_refused(file: Path, sql: str) -> None:
    with pytest.raises(UserError, match=r"the warehouse is read only: [A-Z_]+ is refused"):
        run_query(file, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "FROM read_text('/etc/hostname')",
        "FROM read_csv('/etc/hostname')",
        "FROM '/etc/hostname.csv'",
        "FROM glob('/etc/*')",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '/tmp/painlake-must-not-exist.csv'",
        "FROM read_parquet('s3://bucket/key.parquet')",
        "FROM read_blob('https://example.org')",
    ],
)
def test_no_other_file_and_no_network_can_be_reached(file: Path, sql: str) -> None:
    with pytest.raises(UserError):
        run_query(file, sql)


def test_the_lock_cannot_be_undone_on_an_open_connection(file: Path) -> None:
    import duckdb  # noqa: PLC0415 - for its error alone

    with open_warehouse(file) as connection:
        for sql in ("SET enable_external_access = true", "SET lock_configuration = false", "LOAD httpfs"):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)


def test_variables_of_the_program_are_no_tables(file: Path) -> None:
    secrets = {"a": [1]}
    assert secrets
    with pytest.raises(UserError):
        run_query(file, "FROM secrets")


@pytest.mark.parametrize("sql", ["", "  ", "SELECT 1; SELECT 2"])
def test_exactly_one_question_is_asked(file: Path, sql: str) -> None:
    with pytest.raises(UserError, match="one question at a time"):
        run_query(file, sql)


def test_a_mistake_is_told_in_one_line(file: Path) -> None:
    with pytest.raises(UserError, match="Table with name participant does not exist") as caught:
        run_query(file, "SELECT *\nFROM participant")
    assert "\n" not in str(caught.value)
    assert "LINE" not in str(caught.value)


def test_a_file_that_is_no_database_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "painlake-v0001.duckdb").write_bytes(b"nonsense" * 1000)
    with pytest.raises(UserError, match=r"painlake-v0001\.duckdb cannot be read"):
        open_warehouse(tmp_path / "painlake-v0001.duckdb")
    with pytest.raises(UserError, match=r"there is no painlake-v0002\.duckdb"):
        open_warehouse(tmp_path / "painlake-v0002.duckdb")
    with pytest.raises(UserError, match="nothing has been published"):
        current_file(tmp_path)


def test_csv_is_rfc_4180_with_nothing_for_null() -> None:
    text = format_rows(["a", "b c"], [(1, 'say "x", y'), (None, "line\nbreak"), (math.nan, "é")], "csv")
    assert text == 'a,b c\r\n1,"say ""x"", y"\r\n,"line\nbreak"\r\n,é\r\n'
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == ["1", 'say "x", y']


def test_json_is_a_list_of_objects_with_null_for_null_and_nan() -> None:
    rows = [(1, None, math.nan, [math.nan, 2.5], "é"), (True, "x", math.inf, {"k": math.nan}, None)]
    assert json.loads(format_rows(["a", "b", "c", "d", "a"], rows, "json")) == [
        {"a": 1, "b": None, "c": None, "d": [None, 2.5], "a_1": "é"},
        {"a": True, "b": "x", "c": "inf", "d": {"k": None}, "a_1": None},
    ]
    assert format_rows(["a"], [], "json") == "[]\n"


def test_a_table_lines_up_and_says_null() -> None:
    assert format_rows(["name", "n"], [("b", 12.5), (None, None)], "table").splitlines() == [
        "name     n",
        "----  ----",
        "b     12.5",
        "NULL  NULL",
        "(2 rows)",
    ]


def test_a_table_is_cut_to_a_terminal_but_never_in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    long = [("x" * 200,)]
    assert "x" * 200 in format_rows(["a"], long)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 20)))
    assert max(len(line) for line in format_rows(["a"], long).splitlines()) == 40
