"""The same recordings give the same bytes, with one worker and with two; and it shows where they do not."""

from importlib.util import find_spec

import pytest

from benchmarks.identity import measure, summarise

NAMES = ("1 worker", "2 workers")
FILES = {"P1/quality/P1-0.parquet": "a", "P1/face/P1-0.parquet": "b"}


def test_equal_files_are_identical() -> None:
    part = summarise(NAMES, [FILES, dict(FILES)])
    assert part.passed
    assert [row[1:] for row in part.tables[0].rows][:2] == [["1", "identical"], ["1", "identical"]]


@pytest.mark.parametrize(
    "second",
    [FILES | {"P1/face/P1-0.parquet": "c"}, {"P1/quality/P1-0.parquet": "a"}, FILES | {"P1/face/P1-1.parquet": "d"}],
    ids=["another content", "a missing file", "one file more"],
)
def test_a_difference_is_named_and_fails(second: dict[str, str]) -> None:
    part = summarise(NAMES, [FILES, second])
    assert not part.passed
    told = {row[0]: row[2] for row in part.tables[0].rows}
    assert told["quality"] == "identical"
    assert "P1/face/P1-" in told["face"]
    assert "2 workers" in told["face"]


def test_no_file_at_all_is_no_identity() -> None:
    assert not summarise(NAMES, [{}, {}]).passed


@pytest.mark.slow
@pytest.mark.skipif(
    find_spec("skimage") is None or find_spec("parselmouth") is None, reason="the extra `demo` is not installed"
)
def test_one_and_two_workers_leave_the_same_bytes() -> None:
    part = measure(recordings=2, seconds=1.0, runs=(("1 worker", 1), ("2 workers", 2)))
    assert part.passed, part.data["differences"]
    assert len(part.data["files"]) == 2 * 12
