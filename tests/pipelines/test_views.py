from pathlib import Path

import pytest

from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from pipelines.warehouse import open_warehouse
from schemas.clinical import CLINICAL_OBSERVATIONS, MEDICATIONS
from schemas.face import AU_FRAMES
from tests.pipelines.lake_factory import (
    FPS,
    FRAMES,
    RECORDED_AT_MIN,
    change,
    recording_name,
    write_clinical,
    write_feature,
    write_lake,
    write_recording,
)

FIRST, SECOND = recording_name(1, 1), recording_name(1, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake")


def features(lake: Path, columns: str, where: str = "true", nrs_window_h: float = 24.0) -> list[tuple[object, ...]]:
    file = publish(
        lake, lake.parent / "warehouse", VersionRecord(1, "0.1.0"), [], PublishParams(nrs_window_h=nrs_window_h)
    )
    with open_warehouse(file) as connection:
        return connection.execute(f"SELECT {columns} FROM recording_features WHERE {where}").fetchall()  # noqa: S608 - of this file


def observed(lake: Path, *scores: tuple[int, float | None]) -> None:
    """Pain scores so many minutes after the first recording."""
    write_clinical(lake, 1, CLINICAL_OBSERVATIONS, [
        {"study_minute": RECORDED_AT_MIN + lag, "nrs_now": score} for lag, score in scores
    ])  # fmt: skip


def given(lake: Path, *medicines: tuple[int, str]) -> None:
    write_clinical(lake, 1, MEDICATIONS, [
        {"study_minute": RECORDED_AT_MIN + lag, "atc_code": atc, "drug": f"drug{lag}", "dose_mg": 5.0, "route": "oral"}
        for lag, atc in medicines
    ])  # fmt: skip


def nearest(lake: Path, **params: float) -> tuple[object, ...]:
    (row,) = features(lake, "nrs_now, nrs_lag_min", f"recording = '{FIRST}' AND task = 'whole'", **params)
    return row


def last_analgesic(lake: Path) -> tuple[object, ...]:
    columns = "analgesic_atc_code, analgesic_drug, analgesic_dose_mg, analgesic_lag_min"
    (row,) = features(lake, columns, f"recording = '{FIRST}' AND task = 'whole'")
    return row


def test_one_row_a_task_and_one_for_the_whole_of_current_recordings_alone(lake: Path) -> None:
    superseded = write_recording(lake, 1, 3, superseded=True)
    rows = features(lake, 'recording, task, task_duration_s, "group", visit')
    assert len(rows) == 3 * 3
    assert [row[1:] for row in rows if row[0] == FIRST] == [
        ("whole", 8.0, "pain", "day1"),
        ("reading", 3.0, "pain", "day1"),
        ("free_speech", 5.0, "pain", "day1"),
    ]
    assert superseded not in {row[0] for row in rows}


def test_action_units_are_summed_up_within_each_task(lake: Path) -> None:
    write_feature(lake, FIRST, AU_FRAMES, [
        {"frame": n, "timestamp_s": n / FPS, "face_found": n % 2 == 0,
         "AU06_r": None if n % 2 else (1.0 if n / FPS < 3 else 3.0), "AU06_c": None if n % 2 else int(n / FPS >= 3),
         "pspi": None if n % 2 else (0.0 if n / FPS < 3 else 8.0)}
        for n in range(FRAMES)
    ])  # fmt: skip
    rows = features(
        lake, "task, frames, face_share, AU06_r_mean, AU06_r_max, AU06_c_share, pspi_mean", f"recording = '{FIRST}'"
    )
    assert rows == [
        ("whole", 200, 0.5, 2.24, 3.0, 0.62, 4.96),
        ("reading", 75, pytest.approx(38 / 75), 1.0, 1.0, 0.0, 0.0),
        ("free_speech", 125, pytest.approx(62 / 125), 3.0, 3.0, 1.0, 8.0),
    ]


def test_a_recording_without_faces_or_measures_has_nulls_and_keeps_its_rows(lake: Path) -> None:
    change(lake, FIRST, "quality_measures", lambda frame: frame.filter(measure="duration_s"))
    change(lake, FIRST, "au_frames", lambda frame: frame.clear())
    assert features(lake, "snr_db, AU06_r_mean, frames", f"recording = '{FIRST}'") == [(None, None, None)] * 3


def test_functionals_are_those_of_the_same_task(lake: Path) -> None:
    (row,) = features(lake, 'count("F0semitoneFrom27.5Hz_sma3nz_amean"), count(DISTINCT "F0semitoneFrom27.5Hz_sma3nz_amean")',
                      f"recording = '{FIRST}'")  # fmt: skip
    assert row == (3, 3)


def test_the_nearest_score_is_signed_by_after_minus_before(lake: Path) -> None:
    observed(lake, (-50, 2.0), (40, 7.0))
    assert nearest(lake) == (7.0, 40)
    observed(lake, (-30, 2.0), (40, 7.0))
    assert nearest(lake) == (2.0, -30)


def test_of_two_equally_near_scores_the_earlier_counts(lake: Path) -> None:
    observed(lake, (60, 7.0), (-60, 2.0))
    assert nearest(lake) == (2.0, -60)


def test_a_score_outside_the_window_does_not_count_and_one_on_its_edge_does(lake: Path) -> None:
    observed(lake, (90, 7.0))
    assert nearest(lake, nrs_window_h=1.5) == (7.0, 90)
    assert nearest(lake, nrs_window_h=1.4) == (None, None)


def test_an_observation_without_a_score_is_passed_over(lake: Path) -> None:
    observed(lake, (5, None), (100, 3.0))
    assert nearest(lake) == (3.0, 100)


def test_the_last_analgesic_is_the_nearest_before_of_atc_group_n02(lake: Path) -> None:
    given(lake, (-600, "N02AA01"), (-120, "N02BE01"), (-10, "A03FA01"), (5, "N02AA01"))
    assert last_analgesic(lake) == ("N02BE01", "drug-120", 5.0, 120)


def test_an_analgesic_in_the_same_minute_counts(lake: Path) -> None:
    given(lake, (0, "N02AA01"))
    assert last_analgesic(lake) == ("N02AA01", "drug0", 5.0, 0)


def test_without_analgesics_before_there_is_none(lake: Path) -> None:
    given(lake, (1, "N02AA01"))
    assert last_analgesic(lake) == (None, None, None, None)
