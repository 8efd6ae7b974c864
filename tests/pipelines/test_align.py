"""Face and voice on one grid: regular, within the inputs' range, and honest about what is missing."""

from random import Random
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from pipelines.align import align
from pipelines.params import AlignParams
from pipelines.recording import Recording, Task
from schemas.aligned import ALIGNED_FRAMES, DESCRIBED, INTERPOLATED, NEAREST
from schemas.core import Table
from schemas.face import AU_FRAMES
from schemas.voice import F0, VOICE_FRAMES

NAME = "P000000000-00000000"
PARAMS = AlignParams()


def recording(*tasks: Task) -> Recording:
    return Recording(NAME, "P000000000", "v1", 0, 0, 0, None, "en", tasks, "0" * 64)


def face_of(times: list[float], values: list[float | None]) -> pl.DataFrame:
    """Frames at these times with one value in every measured column; None is a frame without a face."""
    columns: dict[str, object] = dict.fromkeys(AU_FRAMES.names) | dict.fromkeys(INTERPOLATED, values)
    columns |= {name: [None if v is None else int(v > 1) for v in values] for name in NEAREST}
    columns |= {"frame": range(len(times)), "timestamp_s": times, "face_found": [v is not None for v in values]}
    return table_of(AU_FRAMES, columns, len(times))


def voice_of(values: list[float | None], start_s: float = 0.0) -> pl.DataFrame:
    """10 ms frames with one value in every column; None is an unvoiced frame, where what needs voice is NULL."""
    columns: dict[str, object] = dict.fromkeys(VOICE_FRAMES.names) | dict.fromkeys(DESCRIBED, values)
    columns |= {name: [0.0 if v is None else v for v in values] for name in DESCRIBED if not name.endswith("nz")}
    columns |= {"frame": range(len(values)), "timestamp_s": [start_s + i * 0.01 for i in range(len(values))]}
    return table_of(VOICE_FRAMES, columns, len(values))


def table_of(table: Table, columns: dict[str, object], rows: int) -> pl.DataFrame:
    series = {name: [None] * rows if column is None else column for name, column in columns.items()}
    return pl.DataFrame(series | {"recording": [NAME] * rows}, schema=table.polars_schema())


def steps(table: pl.DataFrame, column: str) -> list[Any]:
    return table[column].to_list()


def test_between_two_frames_a_value_changes_steadily() -> None:
    table = align(face_of([0.0, 0.16], [0.0, 4.0]), voice_of([]), recording(), PARAMS)
    assert steps(table, "t_s") == pytest.approx([0.0, 0.04, 0.08, 0.12, 0.16])
    assert steps(table, "AU04_r") == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0])
    assert steps(table, "AU04_c") == [0, 0, 0, 1, 1]


def test_a_gap_too_long_is_not_bridged() -> None:
    table = align(face_of([0.0, 0.04, 0.36, 0.4], [1.0, 1.0, 2.0, 2.0]), voice_of([]), recording(), PARAMS)
    assert steps(table, "face_valid") == [True, True, *[False] * 7, True, True]
    assert steps(table, "pspi")[2] is None


def test_frames_without_a_face_are_bridged_when_few_and_missing_when_many() -> None:
    times = [i * 0.04 for i in range(11)]
    few = align(face_of(times, [1.0] * 4 + [None] * 3 + [1.0] * 4), voice_of([]), recording(), PARAMS)
    many = align(face_of(times, [1.0] * 3 + [None] * 5 + [1.0] * 3), voice_of([]), recording(), PARAMS)
    assert few["face_valid"].all()
    assert many["face_valid"].sum() == 6


def test_nothing_is_extrapolated() -> None:
    table = align(face_of([0.1, 0.14], [1.0, 1.0]), voice_of([1.0] * 40), recording(), PARAMS)
    assert table.filter("face_valid")["t_s"].to_list() == pytest.approx([0.12])


def test_voice_is_the_mean_over_the_windows_centred_in_the_step() -> None:
    table = align(face_of([], []), voice_of([float(i) for i in range(20)]), recording(), PARAMS)
    # Spectral windows last 20 ms: frames 1 to 4 are centred at 20 to 50 ms, within [20, 60) ms.
    assert steps(table, "Loudness_sma3")[1] == pytest.approx(np.mean([1, 2, 3, 4]))
    # Those for pitch last 60 ms and so are centred 20 ms later.
    assert steps(table, F0)[2] == pytest.approx(np.mean([3, 4, 5, 6]))


def test_unvoiced_frames_leave_voice_valid_and_not_voiced() -> None:
    table = align(face_of([], []), voice_of([None] * 20), recording(), PARAMS)
    assert table["voice_valid"][:4].all()
    assert steps(table, "voiced")[:4] == [False] * 4
    assert table[F0].null_count() == len(table)


def test_where_there_is_no_sound_voiced_is_unknown() -> None:
    table = align(face_of([0.0, 0.04], [1.0, 1.0]), voice_of([]), recording(), PARAMS)
    assert steps(table, "voice_valid") == [False, False]
    assert steps(table, "voiced") == [None, None]


def test_steps_know_their_task() -> None:
    tasks = (Task("reading", 0.0, 0.08), Task("free_speech", 0.12, 0.2))
    table = align(face_of([0.0, 0.2], [1.0, 1.0]), voice_of([]), recording(*tasks), PARAMS)
    assert steps(table, "task") == ["reading", "reading", None, "free_speech", "free_speech", None]


def test_a_column_that_the_engine_never_gives_spoils_no_frame() -> None:
    face = face_of([0.0, 0.04], [1.0, 1.0]).with_columns(pl.lit(None, pl.Float32).alias("AU17_r"))
    table = align(face, voice_of([]), recording(), PARAMS)
    assert table["face_valid"].all()
    assert table["AU17_r"].null_count() == len(table)


def test_an_action_unit_not_measured_in_a_turned_face_takes_no_other_with_it() -> None:
    times = [i * 0.04 for i in range(12)]
    face = face_of(times, [1.0] * 12).with_columns(
        pl.when(pl.col("frame").is_between(3, 8)).then(None).otherwise("AU06_r").cast(pl.Float32).alias("AU06_r")
    )
    table = align(face, voice_of([]), recording(), PARAMS)
    assert table["face_valid"].all()
    assert table["AU04_r"].null_count() == 0
    assert [i for i, value in enumerate(steps(table, "AU06_r")) if value is None] == [3, 4, 5, 6, 7, 8]


def test_the_mask_tells_measured_from_interpolated_from_missing() -> None:
    table = align(face_of([0.04, 0.12, 0.2, 0.44], [1.0] * 4), voice_of([]), recording(), PARAMS)
    assert steps(table, "face_mask") == [0, 2, 1, 2, 1, 2, *[0] * 5, 2]
    assert steps(table, "face_gap_s")[:6] == [None, 0.0, pytest.approx(0.08), 0.0, pytest.approx(0.08), 0.0]
    assert steps(table, "face_gap_s")[6:] == [*[None] * 5, 0.0]


def test_action_units_of_each_second_frame_are_interpolated_and_say_so() -> None:
    face = face_of([i * 0.04 for i in range(5)], [float(i) for i in range(5)])
    passed_over = pl.col("frame") % 2 == 1
    face = face.with_columns(
        pl.when(~passed_over).then(name).cast(AU_FRAMES.polars_schema()[name]).alias(name)
        for name in (*INTERPOLATED, *NEAREST)
        if not name.startswith("pose")
    )
    table = align(face, voice_of([]), recording(), PARAMS)
    assert steps(table, "AU04_r") == pytest.approx([0.0, 1.0, 2.0, 3.0, 4.0])
    assert steps(table, "face_mask") == [2] * 5
    assert steps(table, "au_gap_s") == pytest.approx([0.0, 0.08, 0.0, 0.08, 0.0])


def test_without_action_units_there_is_no_gap_between_them() -> None:
    face = face_of([0.0, 0.04], [1.0, 1.0]).with_columns(pl.lit(None).alias(n) for n in (*INTERPOLATED, *NEAREST))
    assert steps(align(face, voice_of([]), recording(), PARAMS), "au_gap_s") == [None, None]


def test_how_many_windows_a_voice_value_is_the_mean_of_is_told() -> None:
    table = align(face_of([], []), voice_of([1.0] * 21), recording(), PARAMS)
    # The first window is centred at 10 ms: of the step around 0 only half is there; the last one, at 210 ms, at 200.
    assert steps(table, "voice_windows") == [1, 4, 4, 4, 4, 4]
    silent = align(face_of([0.0, 0.04], [1.0, 1.0]), voice_of([]), recording(), PARAMS)
    assert steps(silent, "voice_windows") == [0, 0]


def test_no_face_is_carried_from_one_task_into_the_next() -> None:
    tasks = (Task("reading", 0.0, 0.1), Task("free_speech", 0.1, 0.4))
    times = [0.0, 0.06, 0.14, 0.2]
    table = align(face_of(times, [0.0, 0.0, 4.0, 4.0]), voice_of([]), recording(*tasks), PARAMS)
    assert steps(table, "task")[:6] == ["reading"] * 3 + ["free_speech"] * 3
    assert steps(table, "AU04_r") == [0.0, 0.0, None, None, 4.0, 4.0]
    assert steps(table, "face_mask") == [2, 1, 0, 0, 1, 2]


def test_no_sound_is_carried_from_one_task_into_the_next() -> None:
    tasks = (Task("reading", 0.0, 0.1), Task("free_speech", 0.1, 0.4))
    # Frame 9 is centred at 100 ms, where free speech begins; the step at 80 ms reaches up to 100 ms, that at 120 from there.
    loud_from_there: list[float | None] = [0.0 if i < 9 else 4.0 for i in range(30)]
    table = align(face_of([], []), voice_of(loud_from_there), recording(*tasks), PARAMS)
    assert steps(table, "Loudness_sma3")[2:4] == [0.0, 4.0]
    shifted = (Task("reading", 0.0, 0.11), Task("free_speech", 0.11, 0.4))
    later = align(face_of([], []), voice_of(loud_from_there), recording(*shifted), PARAMS)
    # The window centred at 100 ms is of the reading task now, in which no step is nearest to it.
    assert steps(later, "Loudness_sma3")[2:4] == [0.0, 4.0]
    assert steps(later, "voice_windows")[2:4] == [4, 3]


def test_without_face_and_voice_there_are_no_rows() -> None:
    table = align(face_of([], []), voice_of([]), recording(), PARAMS)
    assert table.is_empty()
    assert table.schema == pl.Schema(ALIGNED_FRAMES.polars_schema())


LEVEL = st.floats(0, 5, width=32)
FACES = st.lists(st.tuples(st.floats(0, 3), st.none() | LEVEL), max_size=25, unique_by=lambda row: round(row[0], 6))
VOICES = st.tuples(st.floats(0, 1), st.lists(st.none() | LEVEL, max_size=80))
GRIDS = st.sampled_from([10.0, 25.0, 30.0, 100.0])


@settings(max_examples=50, deadline=None)
@given(faces=FACES, voices=VOICES, grid_hz=GRIDS, shuffle=st.randoms(use_true_random=False))
def test_what_holds_for_any_input(
    faces: list[tuple[float, float | None]],
    voices: tuple[float, list[float | None]],
    grid_hz: float,
    shuffle: Random,
) -> None:
    faces = sorted(faces)
    face = face_of([t for t, _ in faces], [v for _, v in faces])
    voice = voice_of(voices[1], voices[0])
    params = AlignParams(grid_hz=grid_hz)
    table = align(face, voice, recording(), params)

    # The grid is regular and reaches from 0 to the last frame of the longer one.
    assert np.allclose(table["t_s"].to_numpy(), np.arange(len(table)) / grid_hz, atol=1e-9)
    ends = [*face["timestamp_s"][-1:], *voice["timestamp_s"][-1:]]
    if ends:
        assert -1e-6 < max(ends) - table["t_s"][-1] < 1 / grid_hz + 1e-6

    # No value lies outside the range of the input's.
    found = face.filter("face_found")
    for name, source in [(n, found) for n in (*INTERPOLATED, *NEAREST)] + [(n, voice) for n in DESCRIBED]:
        given_values = table[name].drop_nulls()
        if len(given_values):
            assert source[name].min() <= given_values.min()  # type: ignore[operator]
            assert given_values.max() <= source[name].max()  # type: ignore[operator]

    # The masks tell exactly where values are.
    for name in ("AU04_r", "pose_Rx", "pspi", "AU04_c"):
        assert_frame_equal(table.select(pl.col(name).is_not_null().alias("m")), table.select(m="face_valid"))
    assert_frame_equal(table.select(m=pl.col("Loudness_sma3").is_not_null()), table.select(m="voice_valid"))
    assert_frame_equal(
        table.select(m=pl.col(F0).is_not_null()), table.select(m=pl.col("voiced").fill_null(value=False))
    )

    # The order of the rows does not matter.
    order = list(range(len(face)))
    shuffle.shuffle(order)
    assert_frame_equal(align(face[order], voice.reverse(), recording(), params), table)


SLOPE_PER_S = 3.0
WAVE_HZ = 1.5


@settings(max_examples=40, deadline=None)
@given(gaps_ms=st.lists(st.integers(5, 190), min_size=3, max_size=40), grid_hz=GRIDS)
def test_a_known_signal_comes_back_from_uneven_frames(gaps_ms: list[int], grid_hz: float) -> None:
    times = [round(sum(gaps_ms[:n]) / 1000, 6) for n in range(len(gaps_ms) + 1)]
    params = AlignParams(grid_hz=grid_hz)

    def wave(time_s: np.ndarray[Any, np.dtype[np.float64]]) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(2.0 + np.sin(2 * np.pi * WAVE_HZ * time_s))

    line = align(
        face_of(times, [SLOPE_PER_S * t % 5 if t < 1 else 0.0 for t in times]), voice_of([]), recording(), params
    )
    curve = align(face_of(times, list(wave(np.array(times)))), voice_of([]), recording(), params)
    # All gaps are within the window, so every step from the first to the last frame is there.
    assert curve["face_mask"].min() != 0
    assert line["face_valid"].all()
    # A straight line between points of a curve is off by at most its bend times the square of their distance over 8.
    bend = (2 * np.pi * WAVE_HZ) ** 2
    allowed = bend * curve["face_gap_s"].to_numpy() ** 2 / 8 + 1e-5
    assert np.all(np.abs(curve["pspi"].to_numpy() - wave(curve["t_s"].to_numpy())) <= allowed)
    # Where a frame stands at the step, its value is the step's.
    measured = curve.filter(pl.col("face_mask") == 2)
    assert measured["pspi"].to_numpy() == pytest.approx(wave(measured["t_s"].to_numpy()), abs=1e-5)


@settings(max_examples=40, deadline=None)
@given(
    gaps_ms=st.lists(st.integers(5, 600), min_size=2, max_size=25),
    border_s=st.floats(0.05, 3.0),
    max_gap_s=st.sampled_from([0.05, 0.2, 0.5]),
)
def test_nothing_crosses_a_long_gap_or_a_task(gaps_ms: list[int], border_s: float, max_gap_s: float) -> None:
    times = np.array([round(sum(gaps_ms[:n]) / 1000, 6) for n in range(len(gaps_ms) + 1)])
    border_s = round(border_s, 3)
    tasks = (Task("reading", 0.0, border_s), Task("free_speech", border_s, 60.0))
    # What is measured in the reading task is 1, and in free speech 4: any other value is a mixture.
    values: list[float | None] = [1.0 if time_s < border_s else 4.0 for time_s in times]
    voice = voice_of([1.0 if (i + 1) / 100 < border_s else 4.0 for i in range(100)])
    table = align(face_of(list(times), values), voice, recording(*tasks), AlignParams(max_gap_s=max_gap_s))
    own = pl.when(pl.col("task") == "reading").then(1.0).otherwise(4.0)
    for name in ("AU04_r", "pose_Rx", "Loudness_sma3"):
        assert table.filter(pl.col(name) != own).is_empty()
    for t_s, mask in table.select("t_s", "face_mask").iter_rows():
        before, after = times[times <= t_s + 1e-9], times[times >= t_s - 1e-9]
        bridged = len(before) and len(after) and after[0] - before[-1] <= max_gap_s + 1e-9
        same_task = bridged and (before[-1] < border_s) == (after[0] < border_s)
        assert (mask > 0) == bool(same_task)
