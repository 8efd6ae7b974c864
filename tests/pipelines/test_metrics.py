"""The exposition format, held against Prometheus's own parser and against what it forgives."""

import re
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from pipelines.heartbeat import Heartbeat
from pipelines.metrics import exposition
from tests.pipelines.test_night_summary import STATE as COUNTS

STATE: dict[str, Any] = {
    **COUNTS,
    "backed_up": False,
    "to_erase": ["PXXXXXXXX1"],
    "tables": {"clinical": {"landed": 5, "published": 4, "quarantined": 1}},
}
BEAT = Heartbeat(
    "2026-06-01T03:00:00+00:00", "2026-06-01T02:00:00+00:00", "failed", False, 2,
    "2026-05-31T02:00:00+00:00", "2026-05-31T02:30:00+00:00", {"EMPTY_FILE": 2},
)  # fmt: skip
LINE = re.compile(
    r"(# (HELP|TYPE) painlake_[a-z_]+ .+)|(painlake_[a-z_]+(\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\})? -?[0-9.]+)"
)


def samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_count_is_there_under_its_labels() -> None:
    found = samples(exposition(STATE, BEAT, "0.1.0"))
    assert found["painlake_deliveries", ("published",)] == 3
    assert found["painlake_deliveries_landed", ()] == 6
    assert found["painlake_ledger_balanced", ()] == 1
    assert found["painlake_quarantined", ("EMPTY_FILE",)] == 2
    assert found["painlake_flagged", ("SHORT",)] == 3
    assert found["painlake_table_rows", ("clinical", "quarantined")] == 1
    assert found["painlake_dataset_version", ()] == 2
    assert (found["painlake_backed_up", ()], found["painlake_to_erase", ()]) == (0, 1)
    assert found["painlake_last_good_run_timestamp_seconds", ()] == 1780194600
    assert found["painlake_last_run_duration_seconds", ()] == 3600
    assert (found["painlake_last_run_good", ()], found["painlake_last_run_failures", ()]) == (0, 2)
    assert found["painlake_attention", ("EMPTY_FILE",)] == 2


def test_the_text_keeps_to_the_letter_of_the_format() -> None:
    text = exposition(STATE, BEAT, "0.1.0")
    assert text.endswith("\n")
    lines = text.splitlines()
    assert [line for line in lines if not LINE.fullmatch(line)] == []
    series = [line.rsplit(" ", 1)[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    types = [line for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types)) == len(list(text_string_to_metric_families(text)))


def test_no_pseudonym_is_in_it() -> None:
    assert "PXXXXXXXX1" not in exposition(STATE, BEAT, "0.1.0")


def test_a_study_before_its_first_run_has_counts_and_no_time() -> None:
    found = samples(exposition({**STATE, "version": None}, None, "0.1.0"))
    assert found["painlake_dataset_version", ()] == 0
    assert not [name for name, _ in found if "last" in name]


def test_labels_are_escaped() -> None:
    odd = 'a"b\\c\nd'
    text = exposition(STATE, BEAT, odd)
    assert samples(text)["painlake_build_info", (odd,)] == 1
