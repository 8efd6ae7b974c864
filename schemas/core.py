"""What a column and a table are."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

import polars as pl

Type = Literal["VARCHAR", "DOUBLE", "FLOAT", "BIGINT", "INTEGER", "SMALLINT", "BOOLEAN", "FLOAT[]"]

POLARS_TYPES: Mapping[str, type[pl.DataType] | pl.DataType] = {
    "VARCHAR": pl.String,
    "DOUBLE": pl.Float64,
    "FLOAT": pl.Float32,
    "BIGINT": pl.Int64,
    "INTEGER": pl.Int32,
    "SMALLINT": pl.Int16,
    "BOOLEAN": pl.Boolean,
    "FLOAT[]": pl.List(pl.Float32),
}


class Tier(StrEnum):
    """Who may be given a column: what the release profiles decide by (`schemas.releases`)."""

    LINK = "link"
    """In no release: the same value stands in the lake or in another release (hashes, keys of work)."""
    INTERNAL = "internal"
    """Only for those who work under the study's own protocol: exact times, free labels, devices."""
    FEATURE = "feature"
    """Could re-identify a person to one who has another recording of them: frame-level series, spectra."""
    AGGREGATE = "aggregate"
    """Safe once ages are banded and small cells suppressed."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its DuckDB type, unit and meaning, and what its values must satisfy.

    Args:
        name: the field's standard term; a unit it needs stands in the name (`_s`, `_hz`) or in `unit`.
        type: the DuckDB type.
        meaning: one sentence, for the data dictionary.
        unit: as in the Unified Code for Units of Measure, or empty for none.
        nullable: whether NULL (not measured) is allowed.
        minimum, maximum: inclusive bounds.
        allowed: the closed set of values, if there is one.
        pattern: a regular expression that the whole text matches.
        critical: whether a violated bound holds the publication back (types, keys and NULLs always do).
        tier: who may be given it; None takes the table's.
        quasi_identifier: whether others may know it of a person, so that it counts for k-anonymity.
        suppress_rare: whether a release leaves out values that few people have.
        gain_sensitive: whether it follows the level of the recording: microphone, distance, gain.

    >>> Column("nrs_now", "DOUBLE", "Pain now.", unit="{0-10}", minimum=0, maximum=10).unit
    '{0-10}'
    """

    name: str
    type: Type
    meaning: str
    unit: str = ""
    nullable: bool = True
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    critical: bool = True
    tier: Tier | None = None
    quasi_identifier: bool = False
    suppress_rare: bool = False
    gain_sensitive: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """Every value of `columns` must stand in `table` under the same names."""

    columns: tuple[str, ...]
    table: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the warehouse.

    Args:
        name: as in DuckDB.
        row_per: what a row stands for.
        meaning: one sentence.
        columns: in order.
        key: the columns that name a row.
        references: to other tables.
        tier: who may be given columns that state none themselves; a table that states none is internal.
        schema: of DuckDB.

    >>> Table("t", "thing", "Things.", (Column("a", "INTEGER", "A."),), key=("a",)).names
    ('a',)
    """

    name: str
    row_per: str
    meaning: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    references: tuple[Reference, ...] = ()
    tier: Tier | None = None
    schema: str = "main"
    _by_name: dict[str, Column] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._by_name.update({column.name: column for column in self.columns})
        if len(self._by_name) != len(self.columns):
            raise ValueError(f"table {self.name} declares a column twice")
        unknown = [name for name in self.key if name not in self._by_name]
        if unknown:
            raise ValueError(f"the key of table {self.name} names no column of it: {unknown}")

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        return self._by_name[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in order."""
        return tuple(self._by_name)

    def tier_of(self, column: Column) -> Tier:
        """Who may be given a column.

        >>> t = Table("t", "thing", "Things.", (Column("a", "INTEGER", "A."),), key=("a",), tier=Tier.FEATURE)
        >>> t.tier_of(t["a"]).value
        'feature'
        """
        return column.tier or self.tier or Tier.INTERNAL

    def polars_schema(self) -> dict[str, type[pl.DataType] | pl.DataType]:
        """The table's columns as polars types."""
        return {column.name: POLARS_TYPES[column.type] for column in self.columns}

    def frame(self, rows: list[dict[str, object]] | None = None) -> pl.DataFrame:
        """Rows as a frame of exactly this table's columns and types; what a row lacks is NULL."""
        return pl.DataFrame(rows or [], schema=self.polars_schema())

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame in this table's order and types.

        Raises:
            ValueError: a column is missing or one too many is there.
        """
        missing = [name for name in self.names if name not in frame.columns]
        extra = [name for name in frame.columns if name not in self._by_name]
        if missing or extra:
            raise ValueError(f"table {self.name}: missing columns {missing}, columns too many {extra}")
        return frame.select(pl.col(column.name).cast(POLARS_TYPES[column.type]) for column in self.columns)
