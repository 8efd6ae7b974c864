"""What publication makes of frames: usable ones, neutral faces, events; a threshold changes it and recomputes nothing."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipelines.params import EventParams, NeutralParams, Params, PresenceParams, PublishParams, UsableParams
from pipelines.publish import VersionRecord, publish
from pipelines.stages import MEDIA_STAGES
from pipelines.warehouse import open_warehouse
from schemas.expressions import GRADED
from schemas.face import AU_FRAMES, AU_NAMES
from tests.pipelines.lake_factory import FPS, FRAMES, change, pseudonym, recording_name, write_feature, write_lake

FIRST, SECOND, CONTROL = recording_name(1, 1), recording_name(1, 2), recording_name(2, 1)
AT_REST: dict[str, object] = {f"{unit}_r": 0.0 for unit in GRADED} | {f"{unit}_c": None for unit in AU_NAMES} | {"pspi": 0.0}
Row = dict[str, object]


def write_frames(lake: Path, recording: str, row: Callable[[int], Row]) -> None:
    """Usable frames at rest, but for what `row` says of each."""
    write_feature(lake, recording, AU_FRAMES, [
        {"frame": n, "timestamp_s": n / FPS} | AT_REST | row(n) for n in range(FRAMES)
    ])  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Reading lasts for frames 0 to 74, free speech for 75 to 199."""
    lake = write_lake(tmp_path / "lake")
    for name in (FIRST, SECOND, CONTROL):
        write_frames(lake, name, lambda _: {})
    return lake


def ask(lake: Path, sql: str, **blocks: object) -> list[tuple[object, ...]]:
    params = PublishParams.model_validate(blocks)
    file = publish(lake, lake.parent / "warehouse", VersionRecord(1, "0.1.0"), [], params)
    with open_warehouse(file) as connection:
        return connection.execute(sql).fetchall()


def summary(lake: Path, columns: str, task: str = "whole", **blocks: object) -> tuple[object, ...]:
    (row,) = ask(lake, f"SELECT {columns} FROM recording_features WHERE recording = '{FIRST}' AND task = '{task}'", **blocks)  # noqa: S608 - of this file
    return row


def test_presence_is_the_engines_own_or_the_intensity_against_a_threshold(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU12_r": n / 100, "AU12_c": None, "AU04_r": 0.0, "AU04_c": 1, "AU45_r": 2.0})
    columns = "AU12_c_share, AU04_c_share, AU45_c_share"
    assert summary(lake, columns) == (0.5, 1.0, 0.0)
    changed = PresenceParams(present_r=1.5, eyes_closed_r=2.0)
    assert summary(lake, columns, presence=changed) == (0.25, 1.0, 1.0)


def test_an_unmeasured_unit_is_neither_present_nor_absent(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU12_r": None if n % 2 else float("nan"), "AU12_c": None})
    assert ask(lake, f"SELECT count(AU12_c), count(AU06_c) FROM au_frames WHERE recording = '{FIRST}'") == [(0, FRAMES)]  # noqa: S608 - of this file


@pytest.mark.parametrize(
    ("measure", "bad"),
    [
        ("face_size", 0.05), ("pose_Rx", -0.7), ("pose_Ry", 0.7), ("face_brightness", 20.0), ("face_brightness", 250.0),
        ("face_sharpness", 0.001), ("face_speed", 9.0), ("face_outside", 0.5),
    ],
)  # fmt: skip
def test_a_frame_out_of_bounds_counts_in_no_summary(lake: Path, measure: str, bad: float) -> None:
    write_frames(lake, FIRST, lambda n: {"AU06_r": 2.0} | ({measure: bad, "AU06_r": 5.0} if n % 2 else {}))
    assert summary(lake, "frames, usable_share, AU06_r_mean, AU06_r_max") == (FRAMES, 0.5, 2.0, 2.0)


def test_a_missing_measure_excludes_no_frame_and_a_missing_face_does(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"face_sharpness": None, "face_found": n % 4 != 0})
    assert summary(lake, "usable_share, face_share") == (0.75, 0.75)


def test_without_usable_frames_summaries_are_missing_and_never_zero(lake: Path) -> None:
    write_frames(lake, FIRST, lambda _: {"face_outside": 1.0})
    columns = "usable_share, frames, AU06_r_mean, AU06_cal_mean, pspi_above_share, blinks_per_min, head_speed_mean"
    assert summary(lake, columns) == (0.0, FRAMES, None, None, None, None, None)


def test_another_threshold_gives_other_numbers_and_leaves_lake_and_keys_as_they_are(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"pose_Ry": n / 400, "pspi": 4.0 if n < 100 else 1.0})
    stored = {path: hashlib.sha256(path.read_bytes()).digest() for path in lake.rglob("*.parquet")}
    before = summary(lake, "usable_share, pspi_mean")
    changed = PublishParams(usable=UsableParams(max_yaw_rad=0.2), presence=PresenceParams(present_r=2.0))
    after = summary(lake, "usable_share, pspi_mean", usable=changed.usable)
    assert (before, after) == ((1.0, 2.5), (pytest.approx(0.405), pytest.approx((100 * 4 + -19 * 0) / 81, abs=4)))
    assert after[1] == 4.0
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in lake.rglob("*.parquet")} == stored
    for stage in MEDIA_STAGES:
        assert stage.key("inputs", Params()) == stage.key("inputs", Params(publish=changed))


def test_a_neutral_face_is_a_low_quantile_of_reading_and_the_median_over_recordings(lake: Path) -> None:
    for name, at_rest in ((FIRST, 0.5), (SECOND, 1.5), (CONTROL, 2.0)):
        write_frames(lake, name, lambda n, at_rest=at_rest: {"AU09_r": at_rest + (n % 5) * 0.5 if n < 75 else 0.0})
    sql = "SELECT participant, neutral_r, cause FROM au_neutral WHERE action_unit = 'AU09' ORDER BY 1"
    assert ask(lake, sql) == [(pseudonym(1), 1.0, None), (pseudonym(2), 2.0, None)]
    quartile = NeutralParams(quantile=0.5)
    assert [row[1] for row in ask(lake, sql, neutral=quartile)] == [2.0, 3.0]


def test_a_neutral_face_rests_on_usable_frames_of_current_recordings_and_says_why_it_is_missing(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU09_r": 3.0, "face_speed": 9.0 if n >= 20 else 0.0})
    write_frames(lake, SECOND, lambda _: {"AU09_r": None})
    write_frames(lake, CONTROL, lambda n: {"face_found": n >= 75})
    sql = "SELECT action_unit, neutral_r, cause FROM au_neutral WHERE participant = '{}' AND action_unit IN ('AU04', 'AU09') ORDER BY 1"
    assert ask(lake, sql.format(pseudonym(1))) == [("AU04", 0.0, None), ("AU09", None, "TOO_FEW_USABLE_FRAMES")]
    assert ask(lake, sql.format(pseudonym(1)), neutral=NeutralParams(min_frames=20))[1] == ("AU09", 3.0, None)
    assert {row[2] for row in ask(lake, sql.format(pseudonym(2)))} == {"TOO_FEW_USABLE_FRAMES"}


def test_without_a_reading_task_there_is_no_neutral_face(lake: Path) -> None:
    for sidecar in lake.rglob("*.json"):
        sidecar.write_text(sidecar.read_text().replace('"reading"', '"free_speech"').replace('"free_speech"', '"reading"', 0))
    assert set(ask(lake, "SELECT DISTINCT neutral_r, cause FROM au_neutral")) == {(None, "NO_READING_TASK")}


def test_one_recording_and_many_equal_ones_give_the_same_neutral_face(lake: Path) -> None:
    for name in (FIRST, SECOND, CONTROL):
        write_frames(lake, name, lambda n: {"AU06_r": 0.3 + n % 7 / 10})
    rows = ask(lake, "SELECT participant, neutral_r FROM au_neutral WHERE action_unit = 'AU06'")
    assert len({value for _, value in rows}) == 1
    assert set(ask(lake, "SELECT DISTINCT column_name FROM meta.columns WHERE table_name = 'au_neutral'")) == {
        ("participant",), ("action_unit",), ("neutral_r",), ("cause",),
    }  # fmt: skip


def test_calibrated_values_stand_beside_raw_ones_and_do_not_fall_below_zero(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU06_r": 1.0 if n < 75 else (3.0 if n % 2 else 0.5), "AU09_r": None if n > 150 else 0.0})
    change(lake, SECOND, "au_frames", lambda frame: frame.clear())
    columns = "AU06_r_mean, AU06_cal_mean, AU06_r_max, AU06_cal_max, AU06_cal_p95"
    odd = 63
    assert summary(lake, columns, "free_speech") == pytest.approx(
        ((odd * 3.0 + 62 * 0.5) / 125, odd * 2.0 / 125, 3.0, 2.0, 2.0)
    )
    frames = f"SELECT AU06_cal, AU09_cal, pspi_cal FROM au_frames_calibrated WHERE recording = '{FIRST}' AND frame IN (76, 151) ORDER BY frame"  # noqa: S608 - of this file
    assert ask(lake, frames) == [(0.0, 0.0, 0.0), (2.0, None, None)]


def test_events_have_their_task_peak_and_length(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU04_r": {79: 0.9, 80: 1.2, 81: 3.0, 82: 0.8}.get(n, 0.0)})
    rows = ask(lake, f"SELECT task, action_unit, onset_s, apex_s, offset_s, duration_s, peak_r, censored FROM au_events WHERE recording = '{FIRST}'")  # noqa: S608 - of this file
    assert rows == [("free_speech", "AU04", 3.2, 3.24, pytest.approx(3.32), pytest.approx(0.12), 3.0, False)]
    assert ask(lake, f"SELECT count(*) FROM au_events WHERE recording = '{FIRST}'", events=EventParams(min_duration_s=0.2)) == [(0,)]  # noqa: S608 - the same


def test_blinks_are_counted_a_minute_of_usable_frames(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU45_r": 4.0 if n % 50 in {10, 11, 12, 13} else 0.0, "face_found": n < 150})
    assert summary(lake, "blinks_per_min", "reading") == pytest.approx((2 * 60 / 3,))
    assert summary(lake, "blinks_per_min") == pytest.approx((3 * 60 / 6,))


def test_the_pain_score_is_summed_up_over_the_time_in_which_it_was_measured(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"pspi": None if n >= 175 else (6.0 if n >= 125 else 1.0)})
    columns = "pspi_mean, pspi_max, pspi_valid_s, pspi_above_share, pspi_area"
    assert summary(lake, columns, "free_speech") == pytest.approx((3.5, 6.0, 4.0, 0.5, 14.0))


def test_a_turning_head_has_speed_and_range(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"pose_Rx": 0.0, "pose_Ry": n * 0.001, "pose_Rz": 0.0, "mouth_open": 0.1})
    row = summary(lake, "head_speed_mean, head_speed_sd, pose_Ry_range, pose_Rx_range, mouth_open_mean")
    assert row == pytest.approx((0.025, 0.0, 0.199, 0.0, 0.1), abs=1e-6)


def test_units_that_come_together_do_so_for_a_share_of_the_time(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU04_r": 2.0 if n < 100 else 0.0, "AU07_r": 2.0 if n >= 50 else 0.0})
    pair = f"SELECT both_share, jaccard FROM au_cooccurrence WHERE recording = '{FIRST}' AND task = 'whole' AND action_unit_a = '{{}}' AND action_unit_b = '{{}}'"  # noqa: S608 - of this file
    assert ask(lake, pair.format("AU04", "AU07")) == [pytest.approx((0.25, 0.25))]
    assert ask(lake, pair.format("AU01", "AU02")) == [(0.0, None)]
    units = len(AU_NAMES)
    assert ask(lake, "SELECT DISTINCT n FROM (SELECT count(*) AS n FROM au_cooccurrence GROUP BY recording, task)") == [
        (units * (units - 1) // 2,)
    ]


def test_no_frames_at_all_make_no_rows(lake: Path) -> None:
    for name in (FIRST, SECOND, CONTROL):
        change(lake, name, "au_frames", lambda frame: frame.clear())
    assert ask(lake, "SELECT (SELECT count(*) FROM au_events), (SELECT count(*) FROM au_summaries)") == [(0, 0)]
    assert summary(lake, "frames, AU06_cal_mean") == (None, None)


def test_published_twice_the_derived_tables_are_the_same(lake: Path) -> None:
    write_frames(lake, FIRST, lambda n: {"AU04_r": n % 30 / 10, "AU45_r": 4.0 if n % 40 < 5 else 0.0})
    tables = ("au_neutral", "au_events", "au_cooccurrence", "au_summaries")
    first, second = ({name: pl.DataFrame(ask(lake, f"FROM {name}"), orient="row") for name in tables} for _ in range(2))  # noqa: S608 - the same
    assert all(first[name].equals(second[name]) for name in tables)
