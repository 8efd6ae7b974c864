"""What publication makes of frames: usable ones, neutral faces, events; a threshold changes it and recomputes nothing."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.params import Params
from pipelines.params_publish import EventParams, NeutralParams, PresenceParams, PublishParams, UsableParams
from pipelines.publish import VersionRecord, publish
from pipelines.stages import MEDIA_STAGES
from pipelines.warehouse import open_warehouse
from schemas.expressions import AU_NEUTRAL, AU_NEUTRAL_BY_RECORDING, DERIVED, GRADED
from schemas.face import AU_FRAMES, AU_NAMES
from schemas.features import AU_SUMMARIES
from tests.pipelines.lake_factory import FPS, FRAMES, change, pseudonym, recording_name, write_feature, write_person

Row = dict[str, Any]
AT_REST: Row = {f"{unit}_r": 0.0 for unit in GRADED} | {f"{unit}_c": None for unit in AU_NAMES} | {"pspi": 0.0}


def _spoilt(measure: str, bad: float) -> Callable[[int], Row]:
    return lambda n: {"AU06_r": 2.0} | ({measure: bad, "AU06_r": 5.0} if n % 2 else {})


def _moving(every: int) -> Callable[[int], Row]:
    """A brow lowered in frames 90 to 119, and the pain of it, as an engine has them that measures each n-th frame."""
    shown: Callable[[int], Row] = lambda n: {"AU04_r": 3.0, "pspi": 6.0} if 90 <= n < 120 else {}  # noqa: E731 - the others are lambdas too
    unseen = {name: None for name in AT_REST if name not in {"AU45_r", "AU45_c"}}
    return lambda n: shown(n) if n % every == 0 else unseen


BAD = [
    ("face_size", 0.05), ("pose_Rx", -0.7), ("pose_Ry", 0.7), ("face_brightness", 20.0), ("face_brightness", 250.0),
    ("face_sharpness", 0.001), ("face_speed", 9.0), ("face_outside", 0.5),
]  # fmt: skip

ROWS: dict[str, tuple[Callable[[int], Row], ...]] = {
    "presence": (lambda n: {"AU12_r": n / 100, "AU04_c": 1, "AU45_r": 2.0},),
    "unmeasured": (lambda n: {"AU12_r": None if n % 2 else float("nan")},),
    "missing": (lambda n: {"face_sharpness": None, "face_found": n % 4 != 0},),
    "unusable": (lambda _: {"face_outside": 1.0},),
    "turning": (lambda n: {"pose_Ry": n / 400, "pspi": 4.0 if n < 100 else 1.0},),
    "neutral of two": tuple(
        lambda n, low=low: {"AU09_r": low + (n % 5) * 0.5 if n < 75 else 0.0}  # type: ignore[misc] # the default is the loop's value
        for low in (0.5, 1.5)
    ),
    "neutral of one": (lambda n: {"AU09_r": 1.0 + (n % 5) * 0.5 if n < 75 else 0.0},),
    "few frames": (lambda n: {"AU09_r": 3.0, "face_speed": 9.0 if n >= 20 else 0.0}, lambda _: {"AU09_r": None}),
    "no reading": (lambda _: {},),
    "calibrated": (
        lambda n: {"AU06_r": 1.0 if n < 75 else (3.0 if n % 2 else 0.5), "AU09_r": None if n > 150 else 0.0},
    ),
    "blinks for closed eyes": (lambda n: {"AU43_r": None, "AU45_r": 0.0 if n < 75 else 2.5},),
    "events": (lambda n: {"AU04_r": {79: 0.9, 80: 1.2, 81: 3.0, 82: 0.8}.get(n, 0.0)},),
    "blinks": (lambda n: {"AU45_r": 4.0 if n % 50 in {10, 11, 12, 13} else 0.0, "face_found": n < 150},),
    "pain": (lambda n: {"pspi": None if n >= 175 else (6.0 if n >= 125 else 1.0)},),
    "head": (lambda n: {"pose_Ry": n * 0.001, "pose_Rz": 0.0, "mouth_open": 0.1},),
    "together": (lambda n: {"AU04_r": 2.0 if n < 100 else 0.0, "AU07_r": 2.0 if n >= 50 else 0.0},),
    "in every frame": (_moving(1),),
    "in each third frame": (_moving(3),),
    "no frames": (lambda _: {},),
    **{f"{measure} {bad}": (_spoilt(measure, bad),) for measure, bad in BAD},
}
"""Usable frames at rest, but for what these say of each: one person each, with a recording for each function. Reading
lasts for frames 0 to 74, free speech for 75 to 199."""

PERSON = {name: number for number, name in enumerate(ROWS, 1)}
OTHERWISE = PublishParams(
    presence=PresenceParams(present_r=1.5, eyes_closed_r=2.0),
    usable=UsableParams(max_yaw_rad=0.2),
    neutral=NeutralParams(quantile=0.5, min_frames=20),
    events=EventParams(min_duration_s=0.2),
)


def recording(name: str) -> str:
    return recording_name(PERSON[name], 1)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("study") / "lake"
    for name, recordings in ROWS.items():
        person = PERSON[name]
        write_person(lake, person, len(recordings))
        for number, row in enumerate(recordings, 1):
            frames: list[Row] = [{"frame": n, "timestamp_s": n / FPS} | AT_REST | row(n) for n in range(FRAMES)]
            write_feature(lake, recording_name(person, number), AU_FRAMES, frames)
    change(lake, recording("no frames"), "au_frames", lambda frame: frame.clear())
    sidecar = lake / pseudonym(PERSON["no reading"]) / "recordings" / f"{recording('no reading')}.json"
    only = json.loads(sidecar.read_text())
    only["tasks"] = [task for task in only["tasks"] if task["name"] != "reading"]
    sidecar.write_text(json.dumps(only))
    return lake


Asks = Callable[[str], list[tuple[Any, ...]]]


def published(lake: Path, params: PublishParams, name: str) -> Asks:
    file = publish(lake, lake.parent / name, VersionRecord(1, "0.1.0"), [], params)

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with open_warehouse(file) as connection:
            return connection.execute(sql).fetchall()

    return ask


@pytest.fixture(scope="module")
def ask(lake: Path) -> Asks:
    """Asks the warehouse as it is published by default."""
    return published(lake, PublishParams(), "usual")


@pytest.fixture(scope="module")
def ask_otherwise(lake: Path) -> Asks:
    """Asks the warehouse of the same lake with other thresholds."""
    return published(lake, OTHERWISE, "other")


def summary(ask: Asks, name: str, columns: str, task: str = "whole") -> tuple[Any, ...]:
    (row,) = ask(f"SELECT {columns} FROM recording_features WHERE recording = '{recording(name)}' AND task = '{task}'")  # noqa: S608 - of this file
    return row


def test_presence_is_the_engines_own_or_the_intensity_against_a_threshold(ask: Asks, ask_otherwise: Asks) -> None:
    columns = "AU12_c_share, AU04_c_share, AU45_c_share"
    assert summary(ask, "presence", columns) == (0.5, 1.0, 0.0)
    assert summary(ask_otherwise, "presence", columns) == (0.25, 1.0, 1.0)


def test_an_unmeasured_unit_is_neither_present_nor_absent(ask: Asks) -> None:
    sql = f"SELECT count(AU12_c), count(AU06_c) FROM au_frames WHERE recording = '{recording('unmeasured')}'"  # noqa: S608 - of this file
    assert ask(sql) == [(0, FRAMES)]


@pytest.mark.parametrize(("measure", "bad"), BAD)
def test_a_frame_out_of_bounds_counts_in_no_summary(ask: Asks, measure: str, bad: float) -> None:
    found = summary(ask, f"{measure} {bad}", "frames, usable_share, AU06_r_mean, AU06_r_max")
    assert found == (FRAMES, 0.5, 2.0, 2.0)


def test_a_missing_measure_excludes_no_frame_and_a_missing_face_does(ask: Asks) -> None:
    assert summary(ask, "missing", "usable_share, face_share") == (0.75, 0.75)


def test_without_usable_frames_summaries_are_missing_and_never_zero(ask: Asks) -> None:
    columns = "usable_share, frames, AU06_r_mean, AU06_cal_mean, pspi_above_share, blinks_per_min, head_speed_mean"
    assert summary(ask, "unusable", columns) == (0.0, FRAMES, None, None, None, None, None)


def test_another_threshold_gives_other_numbers(ask: Asks, ask_otherwise: Asks) -> None:
    columns = "usable_share, pspi_mean"
    assert summary(ask, "turning", columns) == (1.0, 2.5)
    assert summary(ask_otherwise, "turning", columns) == pytest.approx((81 / 200, 4.0))


def test_another_threshold_leaves_the_lake_and_the_key_of_every_unit_of_work_as_they_are(lake: Path) -> None:
    stored = {path: hashlib.sha256(path.read_bytes()).digest() for path in lake.rglob("*.parquet")}
    published(lake, OTHERWISE, "again")
    assert {path: hashlib.sha256(path.read_bytes()).digest() for path in lake.rglob("*.parquet")} == stored
    for stage in MEDIA_STAGES:
        assert stage.key("inputs", Params()) == stage.key("inputs", Params(publish=OTHERWISE))


def neutral(ask: Asks, name: str, unit: str = "AU09") -> tuple[Any, ...]:
    sql = f"SELECT neutral_r, cause FROM au_neutral WHERE participant = '{pseudonym(PERSON[name])}' AND action_unit = '{unit}'"  # noqa: S608 - of this file
    (row,) = ask(sql)
    return row


def test_a_neutral_face_is_a_low_quantile_of_reading_and_the_median_over_recordings(
    ask: Asks, ask_otherwise: Asks
) -> None:
    assert neutral(ask, "neutral of two") == (1.0, None)
    assert neutral(ask_otherwise, "neutral of two") == (2.0, None)


def test_how_many_recordings_a_person_has_does_not_show_in_a_neutral_face(ask: Asks) -> None:
    assert neutral(ask, "neutral of one") == neutral(ask, "neutral of two")
    assert AU_NEUTRAL.names == ("participant", "action_unit", "neutral_r", "cause")


def test_each_recording_has_a_neutral_face_of_its_own(ask: Asks) -> None:
    sql = f"SELECT neutral_r, cause FROM au_neutral_by_recording WHERE recording LIKE '{pseudonym(PERSON['neutral of two'])}%' AND action_unit = 'AU09' ORDER BY recording"  # noqa: S608 - of this file
    assert ask(sql) == [(0.5, None), (1.5, None)]
    assert AU_NEUTRAL_BY_RECORDING.names == ("recording", "action_unit", "neutral_r", "cause")


def test_over_recordings_a_calibrated_value_does_not_tell_whether_there_are_others(lake: Path, ask: Asks) -> None:
    apart = published(lake, PublishParams(neutral=NeutralParams(over="recording")), "apart")
    (first, second), (alone,) = (
        [recording_name(PERSON[name], number) for number in range(1, count + 1)]
        for name, count in (("neutral of two", 2), ("neutral of one", 1))
    )

    def zeros(ask: Asks, name: str) -> int:
        sql = f"SELECT count(*) FROM au_frames_calibrated WHERE recording = '{name}' AND frame < 75 AND AU09_cal = 0"  # noqa: S608 - of this file
        return int(ask(sql)[0][0])

    assert zeros(apart, first) == zeros(apart, second) == zeros(apart, alone) == 15
    assert zeros(ask, alone) == 15
    assert (zeros(ask, first), zeros(ask, second)) == (30, 0), "the median lies between the two days"
    summed = (
        "SELECT AU09_cal_mean, AU09_cal_p95, AU09_cal_max FROM au_summaries WHERE task = 'reading' AND recording = '{}'"
    )
    assert apart(summed.format(first)) == apart(summed.format(second)) == apart(summed.format(alone))


def test_a_neutral_face_rests_on_usable_frames_and_says_why_it_is_missing(ask: Asks, ask_otherwise: Asks) -> None:
    assert neutral(ask, "few frames", "AU04") == (0.0, None)
    assert neutral(ask, "few frames") == (None, "TOO_FEW_USABLE_FRAMES")
    assert neutral(ask_otherwise, "few frames") == (3.0, None)
    assert neutral(ask, "unusable") == (None, "TOO_FEW_USABLE_FRAMES")
    assert neutral(ask, "no reading") == (None, "NO_READING_TASK")


def test_calibrated_values_stand_beside_raw_ones_and_do_not_fall_below_zero(ask: Asks) -> None:
    columns = "AU06_r_mean, AU06_cal_mean, AU06_r_max, AU06_cal_max, AU06_cal_p95"
    odd, even = 63, 62
    assert summary(ask, "calibrated", columns, "free_speech") == pytest.approx(
        ((odd * 3.0 + even * 0.5) / 125, odd * 2.0 / 125, 3.0, 2.0, 2.0)
    )
    sql = f"SELECT AU06_cal, AU09_cal, pspi_cal FROM au_frames_calibrated WHERE recording = '{recording('calibrated')}' AND frame IN (76, 151) ORDER BY frame"  # noqa: S608 - of this file
    assert ask(sql) == [(0.0, 0.0, 0.0), (2.0, None, None)]


def test_where_closed_eyes_are_not_measured_the_calibrated_pain_score_has_blinks_in_their_place(ask: Asks) -> None:
    sql = f"SELECT AU43_cal, pspi_cal FROM au_frames_calibrated WHERE recording = '{recording('blinks for closed eyes')}' AND frame IN (10, 100) ORDER BY frame"  # noqa: S608 - of this file
    assert ask(sql) == [(None, 0.0), (None, 0.5)]


def test_events_have_their_task_peak_and_length(ask: Asks, ask_otherwise: Asks) -> None:
    sql = f"SELECT * EXCLUDE recording FROM au_events WHERE recording = '{recording('events')}'"  # noqa: S608 - of this file
    (row,) = ask(sql)
    assert row == ("free_speech", "AU04", 3.2, 3.24, pytest.approx(3.32), pytest.approx(0.12), 3.0, False)
    assert ask_otherwise(sql) == []


def test_an_engine_that_measures_each_third_frame_finds_the_same_events_and_times(ask: Asks) -> None:
    sql = "SELECT * EXCLUDE recording FROM au_events WHERE recording = '{}'"
    (often,) = ask(sql.format(recording("in every frame")))
    assert often == ("free_speech", "AU04", 3.6, 3.6, pytest.approx(4.8), pytest.approx(1.2), 3.0, False)
    assert ask(sql.format(recording("in each third frame"))) == [pytest.approx(often)]
    columns = (
        "pspi_valid_s, pspi_above_share, pspi_area, pspi_mean, AU04_r_mean, AU04_c_share, usable_share, blinks_per_min"
    )
    assert summary(ask, "in every frame", columns, "reading") == pytest.approx((3.0, 0, 0, 0, 0, 0, 1.0, 0))
    expected = (5.0, 0.24, 7.2, 1.44, 0.72, 0.24, 1.0, 0)
    assert summary(ask, "in every frame", columns, "free_speech") == pytest.approx(expected)
    # One of 42 measured frames more or less at the edges.
    assert summary(ask, "in each third frame", columns, "free_speech") == pytest.approx(expected, rel=0.025)


def test_blinks_are_counted_a_minute_of_usable_frames(ask: Asks) -> None:
    assert summary(ask, "blinks", "blinks_per_min", "reading") == pytest.approx((2 * 60 / 3,))
    assert summary(ask, "blinks", "blinks_per_min") == pytest.approx((3 * 60 / 6,))


def test_the_pain_score_is_summed_up_over_the_time_in_which_it_was_measured(ask: Asks) -> None:
    columns = "pspi_mean, pspi_max, pspi_valid_s, pspi_above_share, pspi_area"
    assert summary(ask, "pain", columns, "free_speech") == pytest.approx((3.5, 6.0, 4.0, 0.5, 14.0))


def test_a_turning_head_has_speed_and_range(ask: Asks) -> None:
    row = summary(ask, "head", "head_speed_mean, head_speed_sd, pose_Ry_range, pose_Rx_range, mouth_open_mean")
    assert row == pytest.approx((0.025, 0.0, 0.199, 0.0, 0.1), abs=1e-6)


def test_units_that_come_together_do_so_for_a_share_of_the_time(ask: Asks) -> None:
    pair = f"SELECT both_share, jaccard FROM au_cooccurrence WHERE recording = '{recording('together')}' AND task = 'whole' AND action_unit_a = '{{}}' AND action_unit_b = '{{}}'"  # noqa: S608 - of this file
    assert ask(pair.format("AU04", "AU07")) == [pytest.approx((0.25, 0.25))]
    assert ask(pair.format("AU01", "AU02")) == [(0.0, None)]
    pairs = len(AU_NAMES) * (len(AU_NAMES) - 1) // 2
    assert ask("SELECT DISTINCT n FROM (SELECT count(*) AS n FROM au_cooccurrence GROUP BY recording, task)") == [
        (pairs,)
    ]


def test_a_recording_without_frames_makes_no_rows(ask: Asks) -> None:
    for table in ("au_events", "au_cooccurrence", "au_summaries"):
        assert ask(f"SELECT count(*) FROM {table} WHERE recording = '{recording('no frames')}'") == [(0,)]  # noqa: S608 - of this file
    assert summary(ask, "no frames", "frames, AU06_cal_mean") == (None, None)


def test_published_twice_the_derived_tables_are_the_same(lake: Path, ask: Asks) -> None:
    again = published(lake, PublishParams(), "twice")
    for table in (*DERIVED, AU_SUMMARIES):
        assert again(f"FROM {table.name}") == ask(f"FROM {table.name}")
