import polars as pl
import pytest

from schemas.core import POLARS_TYPES, Column, Reference, Table, Tier, Type
from schemas.tables import TABLES

THINGS = Table(
    "things",
    "thing",
    "Things.",
    (Column("name", "VARCHAR", "Its name.", nullable=False), Column("mass_kg", "DOUBLE", "Its mass.", unit="kg", minimum=0)),
    key=("name",),
)  # fmt: skip


def test_a_table_gives_its_columns_by_order_and_by_name() -> None:
    assert THINGS.names == ("name", "mass_kg")
    assert [column.name for column in THINGS] == ["name", "mass_kg"]
    assert THINGS["mass_kg"].unit == "kg"
    with pytest.raises(KeyError):
        THINGS["colour"]


def test_a_column_declared_twice_is_an_error() -> None:
    with pytest.raises(ValueError, match="table t declares a column twice"):
        Table("t", "thing", "Things.", (Column("a", "INTEGER", "A."), Column("a", "DOUBLE", "A.")), key=("a",))


def test_a_key_of_no_column_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"the key of table t names no column of it: \['b'\]"):
        Table("t", "thing", "Things.", (Column("a", "INTEGER", "A."),), key=("a", "b"))


@pytest.mark.parametrize("kind", POLARS_TYPES)
def test_every_type_has_rows_of_it(kind: Type) -> None:
    table = Table("t", "thing", "Things.", (Column("a", kind, "A."),), key=("a",))
    value = {"VARCHAR": "x", "BOOLEAN": True, "FLOAT[]": [1.0, None]}.get(kind, 1)
    frame = table.frame([{"a": value}, {"a": None}])
    assert frame.schema == {"a": POLARS_TYPES[kind]}
    assert frame["a"].to_list() == [value, None]


def test_what_a_row_lacks_is_missing_and_not_zero() -> None:
    assert THINGS.frame([{"name": "stone"}]).rows() == [("stone", None)]
    assert THINGS.frame().schema == pl.Schema({"name": pl.String, "mass_kg": pl.Float64})


def test_a_frame_is_brought_into_order_and_types() -> None:
    frame = pl.DataFrame({"mass_kg": [1, None], "name": ["a", "b"]})
    assert THINGS.conform(frame).rows() == [("a", 1.0), ("b", None)]
    assert THINGS.conform(frame).schema == pl.Schema(THINGS.polars_schema())


def test_columns_missing_and_too_many_are_named() -> None:
    with pytest.raises(ValueError, match=r"missing columns \['mass_kg'\], columns too many \['colour'\]"):
        THINGS.conform(pl.DataFrame({"name": ["a"], "colour": ["red"]}))


def test_a_value_that_does_not_fit_its_type_is_an_error() -> None:
    with pytest.raises(pl.exceptions.InvalidOperationError):
        THINGS.conform(pl.DataFrame({"name": ["a"], "mass_kg": ["heavy"]}))


def test_tables_are_values() -> None:
    assert Reference(("a",), "t") == Reference(("a",), "t")
    assert len({THINGS, THINGS}) == 1
    assert THINGS.tier_of(THINGS["name"]) is Tier.INTERNAL


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES.keys())
def test_bounds_stand_only_on_numbers_and_sets_only_on_text(table: Table) -> None:
    for column in table:
        number = column.type not in {"VARCHAR", "BOOLEAN"}
        assert number or (column.minimum is None and column.maximum is None), column.name
        assert not number or not (column.allowed or column.pattern), column.name
        assert column.minimum is None or column.maximum is None or column.minimum <= column.maximum, column.name
        assert column.meaning.endswith("."), column.name
