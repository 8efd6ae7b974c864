"""What of a published recording is marked in ELAN: from the warehouse's own tables, or from its frames."""

from collections.abc import Iterator, Sequence

import duckdb
import pytest

from pipelines.duckdb_tables import create_sql, insert_frame
from pipelines.elan import Interval
from pipelines.elan_tiers import action_units, speech, tiers_of
from schemas.core import Table
from schemas.face import AU_FRAMES
from schemas.people import TASKS
from schemas.voice import F0, VOICE_FRAMES

RECORDING, OTHER = "P000000001-00000001", "P000000002-00000001"
FPS = 25


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("ATTACH ':memory:' AS painlake")
        connection.execute("USE painlake")
        for table in (AU_FRAMES, VOICE_FRAMES, TASKS):
            connection.execute(create_sql(table))
        yield connection


def insert(connection: duckdb.DuckDBPyConnection, table: Table, rows: Sequence[dict[str, object]]) -> None:
    insert_frame(connection, table, table.frame([{"recording": RECORDING} | row for row in rows]))


def faces(column: str, values: Sequence[float | None], fps: float = FPS, **others: object) -> list[dict[str, object]]:
    return [
        {"frame": n, "timestamp_s": n / fps, "face_found": value is not None, column: value} | others
        for n, value in enumerate(values)
    ]


def test_tasks_speech_and_pain_always_have_a_tier(warehouse: duckdb.DuckDBPyConnection) -> None:
    insert(warehouse, TASKS, [{"task": "free_speech", "start_s": 3.0, "end_s": 8.0}, {"task": "reading", "start_s": 0.0, "end_s": 3.0}])  # fmt: skip
    insert(warehouse, TASKS, [{"recording": OTHER, "task": "reading", "start_s": 0.0, "end_s": 9.0}])
    tiers = tiers_of(warehouse, RECORDING, 2.0)
    assert [tier.name for tier in tiers] == ["task", "speech", "PSPI >= 2"]
    assert tiers[0].intervals == (Interval(0.0, 3.0, "reading"), Interval(3.0, 8.0, "free_speech"))
    assert tiers[1].intervals == tiers[2].intervals == ()


def test_an_action_unit_is_marked_while_it_is_present_with_its_peak(warehouse: duckdb.DuckDBPyConnection) -> None:
    present = [0] * 10 + [1] * 5 + [0] * 10
    rows = faces("AU04_c", present)
    rows = [row | {"AU04_r": 0.5 + (n == 12) * 2.0} for n, row in enumerate(rows)]
    insert(warehouse, AU_FRAMES, rows)
    (interval,) = action_units(warehouse, RECORDING)["AU04"]
    # The last frame with it is shown until the next one.
    assert (interval.start_s, interval.end_s) == pytest.approx((0.4, 0.6))
    assert interval.value == "2.5"
    (tier,) = [tier for tier in tiers_of(warehouse, RECORDING, 2.0) if tier.kind == "action unit"]
    assert tier.name == "AU04 brow lowerer"


def test_an_action_unit_without_intensity_is_marked_as_present(warehouse: duckdb.DuckDBPyConnection) -> None:
    insert(warehouse, AU_FRAMES, faces("AU28_c", [0, 1, 1, 1, 0]))
    assert [each.value for each in action_units(warehouse, RECORDING)["AU28"]] == ["present"]


def test_an_action_unit_whose_intensity_is_missing_is_marked_as_present(warehouse: duckdb.DuckDBPyConnection) -> None:
    insert(warehouse, AU_FRAMES, faces("AU04_c", [0, 1, 1, 1, 0]))
    assert [each.value for each in action_units(warehouse, RECORDING)["AU04"]] == ["present"]


def test_a_single_frame_is_no_event(warehouse: duckdb.DuckDBPyConnection) -> None:
    insert(warehouse, AU_FRAMES, faces("AU04_c", [0, 0, 1, 0, 0, None]))
    assert action_units(warehouse, RECORDING) == {}


def test_pain_is_marked_from_the_threshold_on_with_its_peak(warehouse: duckdb.DuckDBPyConnection) -> None:
    insert(warehouse, AU_FRAMES, faces("pspi", [0, 1, 3, 5.25, 3, 1, None, 4, 4]))
    pain = next(tier for tier in tiers_of(warehouse, RECORDING, 3.0) if tier.kind == "pain")
    assert pain.name == "PSPI >= 3"
    assert [each.value for each in pain.intervals] == ["5.2", "4.0"]
    spans_s = [(each.start_s, each.end_s) for each in pain.intervals]
    assert spans_s == [pytest.approx((0.08, 0.2)), pytest.approx((0.28, 0.36))]


def test_nothing_is_marked_across_frames_that_are_missing(warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = [row for row in faces("pspi", [5.0] * 40) if not 10 <= int(str(row["frame"])) < 30]
    insert(warehouse, AU_FRAMES, rows)
    pain = next(tier for tier in tiers_of(warehouse, RECORDING, 2.0) if tier.kind == "pain")
    assert [(round(each.start_s, 2), round(each.end_s, 2)) for each in pain.intervals] == [(0.0, 0.4), (1.2, 1.6)]


def test_frames_that_an_engine_passes_over_do_not_cut_pain_into_pieces(warehouse: duckdb.DuckDBPyConnection) -> None:
    rows = faces("pspi", [0.0] * 10 + [4.0] * 10 + [0.0] * 10)
    rows = [row | ({"pspi": None} if n % 2 else {}) for n, row in enumerate(rows)]
    insert(warehouse, AU_FRAMES, rows)
    (pain,) = next(tier for tier in tiers_of(warehouse, RECORDING, 2.0) if tier.kind == "pain").intervals
    assert (pain.start_s, pain.end_s) == pytest.approx((0.4, 0.8))


def test_speech_is_where_there_is_voice_with_short_closures_bridged(warehouse: duckdb.DuckDBPyConnection) -> None:
    voiced = [*[20.0] * 30, *[None] * 10, *[20.0] * 30, *[None] * 60, *[20.0] * 30]
    insert(warehouse, VOICE_FRAMES, [{"frame": n, "timestamp_s": n / 100, F0: v} for n, v in enumerate(voiced)])
    spoken = speech(warehouse, RECORDING)
    # A window of pitch lasts 60 ms, so what it says is of 25 ms later.
    assert [(round(each.start_s, 3), round(each.end_s, 3)) for each in spoken] == [(0.025, 0.725), (1.325, 1.625)]


def test_the_tables_of_events_and_speech_go_before_what_frames_say(warehouse: duckdb.DuckDBPyConnection) -> None:
    insert(warehouse, AU_FRAMES, faces("AU04_c", [1] * 10))
    warehouse.execute(
        "CREATE TABLE au_events AS SELECT ? AS recording, 'AU12' AS action_unit, 1.5 AS onset_s, 2.5 AS offset_s, 3.14::FLOAT AS peak_r",
        [RECORDING],
    )
    warehouse.execute(
        "CREATE TABLE speech_segments AS SELECT ? AS recording, 0.5 AS start_s, 1.5 AS end_s", [RECORDING]
    )
    assert action_units(warehouse, RECORDING) == {"AU12": (Interval(1.5, 2.5, "3.1"),)}
    assert speech(warehouse, RECORDING) == (Interval(0.5, 1.5, "speech"),)
