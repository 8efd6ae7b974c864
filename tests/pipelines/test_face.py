"""The face stage: one row a frame, each expression in its own action unit, missing where there is no face."""

import io
import os
import socket
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from pipelines.engine import Engine
from pipelines.errors import UserError
from pipelines.face import face_reasons, measure_face
from pipelines.face_engine import face_engine
from pipelines.params_face import FaceParams
from schemas.face import AU_FRAMES, AU_NAMES
from schemas.faults import FAULTS
from tests.pipelines.video_factory import RECORDING, Image, plain, video

pytest.importorskip("skimage", reason="the synthetic face is scikit-image's photograph")
from pipelines.synthetic.face import FaceModel

PARAMS = FaceParams()
RECORDINGS = Path(__file__).parents[2] / "../shared/recordings"
HOLD = 10
"""Frames that an expression is held: the tracker smooths over the first few."""
SHOWN = ("AU01", "AU02", "AU04", "AU07", "AU09", "AU12", "AU26", "AU43")
MEASURES = AU_FRAMES.names[AU_FRAMES.names.index("face_x") :]
AT_PUBLICATION = {name for name in MEASURES if name.endswith("_c")} - {"AU28_c"}
"""What this engine leaves to publication."""


def engine(params: FaceParams) -> Engine:
    return face_engine(params.engine).identity(params)


def smooth(frames: pl.DataFrame) -> dict[str, float]:
    """The mean intensities of the last frames of a held expression."""
    last = frames.tail(4)
    return {
        name: float(np.mean(last[name].to_numpy()))
        for name in AU_FRAMES.names
        if name.startswith(("AU", "pspi", "pose")) and not name.endswith("_c")
    }


@pytest.fixture(scope="module")
def person() -> FaceModel:
    return FaceModel(2, width=480, height=360)


@pytest.fixture(scope="module")
def at_rest(person: FaceModel) -> Image:
    return person.render({"AU12": -1.0})


@pytest.fixture(scope="module")
def expressions(person: FaceModel, at_rest: Image) -> dict[str, dict[str, float]]:
    """What is measured of one person at rest ('') and with each of some action units."""
    pictures = {"": at_rest, **{unit: person.render({"AU12": -1.0} | {unit: 1.0}) for unit in SHOWN}}
    frames = measure_face(video([image for image in pictures.values() for _ in range(HOLD)]), RECORDING, PARAMS)
    return {name: smooth(frames[HOLD * i : HOLD * (i + 1)]) for i, name in enumerate(pictures)}


def gain(expressions: dict[str, dict[str, float]], shown: str, unit: str) -> float:
    return expressions[shown][f"{unit}_r"] - expressions[""][f"{unit}_r"]


@pytest.mark.parametrize("unit", SHOWN)
def test_an_expression_moves_its_own_action_unit(expressions: dict[str, dict[str, float]], unit: str) -> None:
    assert gain(expressions, unit, unit) > 0.5


UPPER = {"AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU43", "AU45"}
RELATED = {
    "AU01": {"AU01", "AU02"},
    "AU02": {"AU01", "AU02", "AU05"},
    "AU12": {"AU06", "AU12", "AU14", "AU25"},
    "AU26": set(AU_NAMES) - UPPER,
    "AU43": {"AU43", "AU45"},
}
"""Units that the same movement is bound to show in: neighbours in the brow, at the lids, around the mouth."""


@pytest.mark.parametrize("unit", RELATED)
def test_brow_lip_jaw_and_lid_move_their_own_unit_more_than_unrelated_ones(
    expressions: dict[str, dict[str, float]], unit: str
) -> None:
    unrelated = set(AU_NAMES) - RELATED[unit] - {"AU28"}
    assert gain(expressions, unit, unit) > max(gain(expressions, unit, other) for other in unrelated)


def test_lowered_brow_tight_and_closed_lids_raise_the_pain_score(expressions: dict[str, dict[str, float]]) -> None:
    for unit in ("AU04", "AU07", "AU43"):
        assert expressions[unit]["pspi"] > expressions[""]["pspi"]


def test_a_head_tilted_clockwise_has_a_positive_roll(person: FaceModel) -> None:
    frames = measure_face(video([person.render({}, (0.0, 0.0, 0.15))] * 5), RECORDING, PARAMS)
    upright = measure_face(video([person.render({})] * 5), RECORDING, PARAMS)
    assert smooth(frames)["pose_Rz"] - smooth(upright)["pose_Rz"] == pytest.approx(0.15, abs=0.04)


def test_a_mirrored_face_turns_and_tilts_the_other_way(person: FaceModel) -> None:
    picture = person.render({}, (0.0, 0.0, 0.15))
    plainly, mirrored = (
        smooth(measure_face(video([image] * 5), RECORDING, PARAMS)) for image in (picture, picture[:, ::-1])
    )
    assert mirrored["pose_Rz"] == pytest.approx(-plainly["pose_Rz"], abs=0.03)
    assert mirrored["pose_Ry"] == pytest.approx(-plainly["pose_Ry"], abs=0.06)
    assert mirrored["pose_Rx"] == pytest.approx(plainly["pose_Rx"], abs=0.06)


def test_frames_without_a_face_are_missing_and_never_zero(at_rest: Image) -> None:
    empty = plain(90, width=480, height=360)
    frames = measure_face(video([empty] * 4 + [at_rest] * 4), RECORDING, PARAMS)
    assert frames["face_found"].to_list() == [False] * 4 + [True] * 4
    assert all(frames[name].head(4).null_count() == 4 for name in MEASURES)
    # The speed of a face needs the frame before.
    missing = {name: frames[name].tail(4).null_count() for name in MEASURES}
    assert {name: n for name, n in missing.items() if n} == {"face_speed": 1} | dict.fromkeys(AT_PUBLICATION, 4)
    assert frames["face_count"].to_list() == [0, *[None] * 7]


def test_rows_follow_the_decoded_frames_and_their_true_times(at_rest: Image) -> None:
    times_s = [0.0, 0.04, 0.05, 0.2, 0.21, 0.5]
    frames = measure_face(video([at_rest] * 6, times_s), RECORDING, PARAMS)
    assert frames["frame"].to_list() == list(range(6))
    assert frames["timestamp_s"].to_list() == pytest.approx(times_s, abs=1e-4)
    assert frames["recording"].unique().to_list() == [RECORDING.recording]
    assert AU_FRAMES.conform(frames).equals(frames)


def test_frames_closer_than_a_millisecond_are_all_measured(at_rest: Image) -> None:
    frames = measure_face(video([at_rest] * 6, [i / 2400 for i in range(6)]), RECORDING, PARAMS)
    assert frames["face_found"].to_list() == [True] * 6


def test_the_face_is_placed_in_pixels_of_the_frame_as_shown(person: FaceModel) -> None:
    picture = person.render({})
    small = measure_face(video([picture] * 3), RECORDING, FaceParams(max_width_px=240))
    large = measure_face(video([picture] * 3), RECORDING, PARAMS)
    turned = measure_face(video([np.rot90(picture, -1)] * 3, rotation_deg=90), RECORDING, PARAMS)
    for side in ("face_x", "face_y", "face_w", "face_h"):
        assert small[side][2] == pytest.approx(large[side][2], abs=5)
        assert turned[side][2] == pytest.approx(large[side][2], abs=5)


def test_the_same_bytes_give_the_same_frame_twice(expressions: dict[str, dict[str, float]], at_rest: Image) -> None:
    media = video([np.roll(at_rest, shift, axis=1) for shift in range(8)])
    assert_frame_equal(measure_face(media, RECORDING, PARAMS), measure_face(media, RECORDING, PARAMS), check_exact=True)


def test_each_frame_says_how_well_it_shows_its_face(person: FaceModel) -> None:
    dark = (person.render({}) * 0.3).astype(np.uint8)
    cut_off = np.roll(person.render({}), 190, axis=1)
    frames = measure_face(video([person.render({})] * 4 + [dark] * 4), RECORDING, PARAMS)
    assert frames["face_size"].to_numpy() == pytest.approx(frames["face_h"].to_numpy() / 360)
    assert frames["face_brightness"][7] == pytest.approx(0.3 * frames["face_brightness"][3], abs=3)
    assert frames["face_outside"].to_list() == [0.0] * 8
    assert frames["face_speed"].drop_nulls().max() < 0.5  # type: ignore[operator] # numbers, with frames
    outside = measure_face(video([cut_off] * 3), RECORDING, PARAMS)["face_outside"].drop_nulls()
    assert all(share > 0 for share in outside)


def test_an_open_mouth_is_measured_and_a_shut_one_is_about_nothing(person: FaceModel) -> None:
    pictures = [person.render({"AU12": -1.0} | extra) for extra in ({}, {"AU26": 1.0}) for _ in range(HOLD)]
    openness = measure_face(video(pictures), RECORDING, PARAMS)["mouth_open"].to_numpy()
    assert openness[HOLD - 1] < 0.05
    assert openness[-1] > openness[HOLD - 1] + 0.1


def test_eyes_look_somewhere_only_while_they_are_open(person: FaceModel) -> None:
    pictures = [person.render({"AU43": closed}) for closed in (0.0, 1.0) for _ in range(HOLD)]
    frames = measure_face(video(pictures), RECORDING, PARAMS)
    assert frames["gaze_x"].head(HOLD).null_count() == 0
    assert frames["gaze_x"].tail(3).null_count() == 3


def test_sound_alone_has_no_rows() -> None:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(bytes(3200))
    frames = measure_face(buffer.getvalue(), RECORDING, PARAMS)
    assert frames.is_empty()
    assert frames.columns == list(AU_FRAMES.names)
    assert face_reasons(frames, PARAMS) == []


def test_a_video_whose_frames_all_fail_to_show_a_face_is_measured_too() -> None:
    frames = measure_face(video([plain(90, width=160, height=120)] * 3), RECORDING, PARAMS)
    assert frames.height == 3
    assert [reason.code for reason in face_reasons(frames, PARAMS)] == ["NO_FACE"]


def test_a_second_person_is_counted_and_quarantines(person: FaceModel) -> None:
    other = FaceModel(5, width=480, height=360)
    pair = np.concatenate([person.render({}), other.render({})], axis=1)
    frames = measure_face(video([pair] * 4, [0.0, 0.5, 1.0, 1.5]), RECORDING, PARAMS)
    assert frames["face_count"].to_list() == [2, None, 2, None]
    (reason,) = face_reasons(frames, PARAMS)
    assert (reason.code, reason.detail) == ("MULTI_PERSON", "a second face in 2 of 2 counts")


def rows(found: list[bool], counts: list[int | None]) -> pl.DataFrame:
    return AU_FRAMES.frame(
        [
            {"recording": RECORDING.recording, "frame": i, "timestamp_s": i / 25, "face_found": f, "face_count": c}
            for i, (f, c) in enumerate(zip(found, counts, strict=True))
        ]
    )


@pytest.mark.parametrize(
    ("found", "counts", "codes"),
    [
        ([True] * 10, [1] * 10, []),
        ([False] * 10, [0] * 10, ["NO_FACE"]),
        ([True] * 7 + [False] * 3, [1] * 10, ["LOW_FACE_COVERAGE"]),
        ([True] * 8 + [False] * 2, [1] * 10, []),
        ([True] * 10, [2] + [1] * 9, []),
        ([True] * 10, [2, 2] + [1] * 8, ["MULTI_PERSON"]),
        ([True] * 10, [2] + [None] * 9, ["MULTI_PERSON"]),
        ([True] * 30, [2, 2] + [1] * 28, []),
        ([True] * 5 + [False] * 5, [3] * 10, ["LOW_FACE_COVERAGE", "MULTI_PERSON"]),
    ],
)
def test_reasons_follow_the_thresholds(found: list[bool], counts: list[int | None], codes: list[str]) -> None:
    reasons = face_reasons(rows(found, counts), PARAMS)
    assert [reason.code for reason in reasons] == codes
    assert all(reason.code in FAULTS and any(letter.isdigit() for letter in reason.detail) for reason in reasons)


def test_the_engine_is_named_with_its_version_and_model() -> None:
    found = engine(PARAMS)
    assert found.name == "mediapipe"
    assert found.version.startswith("litert-2.")
    assert found.model_sha256 == PARAMS.model_sha256


def test_another_model_than_stated_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "other.task"
    other.write_bytes(b"no model")
    with pytest.raises(UserError, match=r"other\.task has SHA-256 [0-9a-f]{64}, not face\.model_sha256"):
        engine(FaceParams(model_path=str(other)))


def test_a_missing_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.task cannot be read"):
        engine(FaceParams(model_path=str(tmp_path / "nowhere.task")))


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A place on this machine where anything sent over HTTPS would come by."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(1.0)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{server.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "localhost")
        yield server


def test_the_engine_reports_to_nobody_and_writes_no_log(
    proxy: socket.socket, at_rest: Image, capfd: pytest.CaptureFixture[str]
) -> None:
    measure_face(video([at_rest] * 30), RECORDING, PARAMS)
    with pytest.raises(TimeoutError):
        proxy.accept()
    assert capfd.readouterr().err == ""


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch, at_rest: Image) -> None:
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "localhost")
    monkeypatch.delenv("no_proxy", raising=False)
    before = dict(os.environ)
    measure_face(video([at_rest]), RECORDING, PARAMS)
    assert dict(os.environ) == before


def real(name: str) -> bytes:
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{name} is not here")
    return path.read_bytes()


def test_a_man_who_starts_to_smile_pulls_his_lip_corners() -> None:
    frames = measure_face(real("man_smiling_2s.mp4"), RECORDING, PARAMS)
    before, during = frames[:15], frames[30:60]
    for unit, margin in (("AU12_r", 3.0), ("AU06_r", 1.0), ("AU25_r", 1.0)):
        assert float(during[unit].to_numpy().mean()) > float(before[unit].to_numpy().mean()) + margin
    assert face_reasons(frames, PARAMS) == []


def test_a_woman_in_distress_has_a_row_for_each_of_her_frames() -> None:
    frames = measure_face(real("woman_distress.mp4"), RECORDING, PARAMS)
    assert frames.height == 472
    assert frames["timestamp_s"].diff().drop_nulls().to_numpy() == pytest.approx(1 / 23.976, abs=1e-3)
    assert float(frames["face_found"].to_numpy().mean()) > 0.95
    assert frames["pspi"].drop_nulls().is_between(0, 16).all()


def test_a_mirrored_face_looks_and_turns_to_the_other_side(at_rest: Image) -> None:
    seen, mirrored = (
        measure_face(video([picture] * HOLD), RECORDING, PARAMS)
        .tail(4)
        .select("gaze_x", "gaze_y", "pose_Ry")
        .mean()
        .row(0)
        for picture in (at_rest, at_rest[:, ::-1])
    )
    assert mirrored == pytest.approx((-seen[0], seen[1], -seen[2]), abs=0.05)
    assert abs(seen[0]) > 0.05, "this person looks to one side, else it proves nothing"


def test_a_woman_who_weeps_lowers_her_brow_and_raises_her_lip_and_one_who_looks_up_or_laughs_keeps_her_brow() -> None:
    frames = measure_face(real("woman_distress.mp4"), RECORDING, PARAMS)
    calm, weeping, pleading, laughing = frames[:25], frames[50:150], frames[170:200], frames[280:400]

    def mean(part: pl.DataFrame, unit: str) -> float:
        return float(np.nanmean(part[unit].cast(pl.Float64).fill_null(float("nan")).to_numpy()))

    assert mean(weeping, "AU04_r") > max(mean(part, "AU04_r") for part in (calm, pleading, laughing)) + 1
    assert mean(weeping, "AU10_r") > max(mean(part, "AU10_r") for part in (calm, pleading)) + 1
    assert mean(weeping, "pspi") > mean(laughing, "pspi") + 1
