"""Quantiles and means are, to the last digit, those that DuckDB gives of the same values in the same order."""

from itertools import pairwise

import duckdb
import numpy as np
import polars as pl
import pytest

from pipelines.au_summaries import means, quantiles
from pipelines.derive import parts_of_persons


@pytest.fixture(scope="module")
def values() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """7 measures of 2,000 frames, as an engine has them: single precision, with holes; the last is never measured."""
    numbers = np.random.default_rng(6)
    rough = numbers.gamma(0.5, size=(7, 2000)).astype(np.float32).astype(np.float64)
    for row, share in enumerate((0.0, 0.0, 0.1, 0.5, 0.999, 0.9995, 1.0)):
        rough[row, numbers.random(2000) < share] = np.nan
    rough[6] = np.nan
    return rough


def of_duckdb(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], sql: str) -> list[float | None]:
    with duckdb.connect(config={"threads": 1}) as connection:
        rows = pl.DataFrame({f"v{row}": of_row for row, of_row in enumerate(values)}).with_columns(
            pl.all().fill_nan(None)
        )
        connection.register("measured", rows.to_arrow())
        asked = ", ".join(sql.format(f"v{row}") for row in range(len(values)))
        # Grouped, as rows of a recording are: DuckDB adds up an ungrouped column in another way.
        return list(connection.execute(f"SELECT {asked} FROM measured GROUP BY 'all'").fetchall()[0])  # noqa: S608 - of this file


def listed(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_quantiles_are_those_of_duckdb(values: np.ndarray[tuple[int, int], np.dtype[np.float64]], share: float) -> None:
    for rows in (values, values[:, :41], values[:, :1]):
        found, greatest = quantiles(rows, share)
        assert listed(found) == of_duckdb(rows, f"quantile_cont({{}}, {share})")
        assert listed(greatest) == of_duckdb(rows, "max({})")


def test_means_are_those_of_duckdb(values: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> None:
    assert listed(means(values.T)) == of_duckdb(values, "avg({})")
    assert listed(means(values[:2].T)) == of_duckdb(values[:2], "avg({})")
    assert listed(means(values[:, :0].T)) == [None] * 7


def test_nobodys_recordings_are_in_two_parts_and_their_order_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.derive._AT_A_TIME", 2)
    whose = {"A-1": "A", "A-2": "A", "A-3": "A", "B-1": "B", "C-1": "C", "C-2": "C", "D-1": "D"}
    assert list(parts_of_persons(sorted(whose), whose)) == [["A-1", "A-2", "A-3"], ["B-1", "C-1", "C-2"], ["D-1"]]
    # Names that do not begin with the person's: what lies between is in the same part.
    mixed = {"1": "A", "2": "B", "3": "A", "4": "C", "5": "C"}
    parts = list(parts_of_persons(sorted(mixed), mixed))
    assert parts == [["1", "2", "3"], ["4", "5"]]
    assert all(one[-1] < other[0] for one, other in pairwise(parts))
    assert list(parts_of_persons([], {})) == []
