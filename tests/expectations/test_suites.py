import math

import polars as pl
import pytest

from expectations import suites
from expectations.engine import run_rules
from expectations.results import CheckResult, Rule
from expectations.suites import check_tables, check_values, is_sound, telling_rows, value_rules
from schemas.core import Column, Table

PAIN = Table(
    "pain", "score", "Scores.",
    (
        Column("person", "VARCHAR", "Who.", nullable=False, pattern=r"P\d{3}"),
        Column("minute", "INTEGER", "When.", minimum=0, critical=False),
        Column("nrs", "DOUBLE", "How much.", minimum=0, maximum=10),
        Column("route", "VARCHAR", "How.", allowed=("oral", "iv")),
        Column("level", "FLOAT", "Free."),
    ),
    key=("person", "minute"),
)  # fmt: skip

GOOD: list[dict[str, object]] = [
    {"person": "P001", "minute": 5, "nrs": 0.0, "route": "oral", "level": -1e30},
    {"person": "P001", "minute": None, "nrs": 10.0, "route": None, "level": None},
    {"person": "P002", "minute": 5, "nrs": math.nan, "route": "iv", "level": math.nan},
]

DAMAGE = [
    ({"person": None}, "not_null", "person"),
    ({"person": "P1"}, "pattern", "person"),
    ({"person": "P0011"}, "pattern", "person"),
    ({"person": "P001", "minute": 5}, "unique", "person, minute"),
    ({"person": "P001", "minute": None}, "unique", "person, minute"),
    ({"minute": -1}, "range", "minute"),
    ({"nrs": 10.5}, "range", "nrs"),
    ({"route": "nose"}, "allowed", "route"),
    ({"level": math.inf}, "finite", ""),
]


def failed(results: list[CheckResult]) -> list[tuple[str, str]]:
    assert [result for result in results if result.error] == []
    return [(result.check, result.column) for result in results if not result.success]


def with_damage(damage: dict[str, object]) -> pl.DataFrame:
    return PAIN.frame([*GOOD, {"person": "P003", "minute": 7, **damage}])


def test_good_rows_pass_every_check() -> None:
    results = check_tables({"pain": PAIN.frame(GOOD)}, [PAIN])
    assert failed(results) == []
    assert {result.check for result in results} == {
        "names", "types", "unique", "not_null", "pattern", "range", "allowed", "finite",
    }  # fmt: skip


@pytest.mark.parametrize(("damage", "check", "column"), DAMAGE)
def test_each_kind_of_damage_fails_its_own_check_and_no_value_is_told(
    damage: dict[str, object], check: str, column: str
) -> None:
    results = check_values(PAIN, with_damage(damage))
    assert failed(results) == [(check, column)]
    (found,) = [result for result in results if not result.success]
    assert found.detail == ("2 of 4 rows" if check == "unique" else "1 of 4 rows")


@pytest.mark.parametrize(("damage", "check", "column"), DAMAGE)
def test_the_telling_rows_of_a_long_table_fail_the_same_check(
    monkeypatch: pytest.MonkeyPatch, damage: dict[str, object], check: str, column: str
) -> None:
    monkeypatch.setattr(suites, "ALL_ROWS_UP_TO", 2)
    results = check_values(PAIN, with_damage(damage))
    assert failed(results) == [(check, column)]
    assert next(result for result in results if not result.success).detail.startswith("at least ")


def test_telling_rows_are_few() -> None:
    rows: list[dict[str, object]] = [
        {"person": "P001", "minute": n, "nrs": n % 10, "route": "oral"} for n in range(5_000)
    ]
    frame = PAIN.frame(rows).with_columns(pl.lit(value=False).alias(suites._INFINITE))
    assert 1 <= telling_rows(PAIN, frame).height <= 10


def test_severity_is_the_columns_own() -> None:
    severities = {rule.columns: rule.severity for rule in value_rules(PAIN) if rule.check == "range"}
    assert severities == {("minute",): "warning", ("nrs",): "critical"}


def test_an_empty_table_passes() -> None:
    assert failed(check_tables({"pain": PAIN.frame()}, [PAIN])) == []


def test_a_missing_table_fails() -> None:
    assert failed(check_tables({}, [PAIN])) == [("names", ""), ("types", "")]


def test_wrong_columns_are_named_and_the_rows_are_not_looked_at() -> None:
    renamed = with_damage({"nrs": 99.0}).rename({"nrs": "pain"})
    results = check_tables({"pain": renamed}, [PAIN])
    assert [(result.check, result.detail) for result in results if not result.success] == [
        ("names", "nrs declared, pain found")
    ]
    assert {result.suite for result in results} == {"columns"}


def test_a_wrong_type_is_named_with_its_column() -> None:
    results = check_tables({"pain": PAIN.frame(GOOD).with_columns(pl.col("minute").cast(pl.Float64))}, [PAIN])
    assert [result.detail for result in results if not result.success] == ["INTEGER declared, DOUBLE found for minute"]


def test_an_exception_inside_a_check_is_an_error_and_holds_back_even_as_a_warning() -> None:
    rule = Rule("values", "pain", "range", ("secret",), "warning", "ExpectColumnValuesToBeBetween",
                {"column": "secret", "max_value": 1})  # fmt: skip
    (result,) = run_rules(pl.DataFrame({"other": [1]}), [rule])
    assert result.error
    assert result.holds_back
    assert result.detail.startswith("the check itself broke: ")


def test_only_critical_failures_hold_back() -> None:
    def result(severity: str, *, success: bool) -> CheckResult:
        return CheckResult("values", "pain", "range", "nrs", severity, success)  # type: ignore[arg-type] # of a parameter

    assert result("critical", success=False).holds_back
    assert not result("warning", success=False).holds_back
    assert not result("critical", success=True).holds_back


SMALL = Table(
    "small", "thing", "Things.",
    (
        Column("recording", "VARCHAR", "Whose.", nullable=False, pattern="P[0-9]+(a|b)"),
        Column("n", "INTEGER", "Which.", nullable=False, minimum=0, maximum=9),
        Column("x", "FLOAT", "A number.", minimum=0.1, maximum=0.7),
        Column("kind", "VARCHAR", "What.", allowed=("one", "two")),
        Column("free", "DOUBLE", "Anything.", critical=False),
    ),
    key=("recording", "n"),
)  # fmt: skip
ROW = {"recording": "P1a", "n": 1, "x": 0.5, "kind": "one", "free": 1.0}


@pytest.mark.parametrize(
    "rows",
    [
        [], [ROW], [ROW, ROW | {"n": 2, "x": None, "kind": None, "free": None}], [ROW | {"x": float("nan")}],
        [ROW | {"n": 0}, ROW | {"n": 9}], [ROW | {"n": -1}], [ROW | {"n": 10}], [ROW | {"n": None}], [ROW, ROW],
        [ROW | {"x": 0.05}], [ROW | {"x": 0.75}], [ROW | {"x": 0.1}], [ROW | {"x": 0.7}], [ROW | {"kind": "three"}],
        [ROW | {"kind": ""}], [ROW | {"recording": "P1c"}], [ROW | {"recording": "xP1a"}], [ROW | {"recording": "P1ab"}],
        [ROW | {"recording": None}], [ROW | {"free": float("inf")}], [ROW | {"free": -float("inf")}],
    ],
)  # fmt: skip
def test_rows_are_sound_exactly_where_great_expectations_finds_nothing(rows: list[dict[str, object]]) -> None:
    frame = SMALL.frame(rows)
    assert is_sound(SMALL, frame) == all(result.success for result in check_values(SMALL, frame))
