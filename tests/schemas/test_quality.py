"""The registry of quality measures agrees with the faults and the parameters it names."""

import polars as pl
import pytest

from pipelines.params import QualityParams
from schemas.faults import FAULTS
from schemas.quality import MEASURES, QUALITY_MEASURES, Measure


@pytest.mark.parametrize("measure", MEASURES.values(), ids=list(MEASURES))
def test_a_measure_says_what_it_is_and_where_it_comes_from(measure: Measure) -> None:
    assert measure.unit
    assert measure.meaning.endswith(".")
    assert len(measure.source) > 4


@pytest.mark.parametrize("measure", [m for m in MEASURES.values() if m.limit], ids=lambda m: m.name)
def test_a_limit_names_a_parameter_and_a_fault_that_exist(measure: Measure) -> None:
    assert measure.limit is not None
    assert measure.limit.fault in FAULTS
    assert isinstance(measure.limit.bound, float) or measure.limit.bound in QualityParams.model_fields


def test_no_limit_contradicts_the_better_direction() -> None:
    wrong = {">=": "lower", "<=": "higher"}
    assert [m.name for m in MEASURES.values() if m.limit and m.better == wrong[m.limit.op]] == []


def test_every_measure_is_allowed_in_the_table() -> None:
    assert QUALITY_MEASURES["measure"].allowed == tuple(MEASURES)
    assert QUALITY_MEASURES.polars_schema()["value"] == pl.Float64
