"""OpenFace's rows beside our own decoder's: its values in its signs, our times and our look at each frame."""

import math
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.errors import Rejection, UserError
from pipelines.face import face_reasons, measure_face
from pipelines.face_engine import face_engine
from pipelines.face_openface import gaze_in_head
from pipelines.params_face import FaceParams, OpenFaceParams
from schemas.face import AU_FRAMES, AU_NAMES
from tests.pipelines.openface_factory import Row, csv_of, face, lost
from tests.pipelines.video_factory import RECORDING, plain, video

NAME = RECORDING.recording
WIDTH, HEIGHT = 160, 120


def film(frames: int, times_s: list[float] | None = None) -> bytes:
    return video([plain(90, WIDTH, HEIGHT)] * frames, times_s)


def measured(folder: Path, rows: list[Row], media: bytes | None = None, **openface: float) -> pl.DataFrame:
    (folder / f"{NAME}.csv").write_bytes(csv_of(rows))
    return measure_face(media or film(len({row["frame"] for row in rows})), RECORDING, params_of(folder, **openface))


def params_of(folder: Path, **openface: object) -> FaceParams:
    settings = OpenFaceParams.model_validate({"csv_folder": str(folder), **openface})
    return FaceParams(engine="openface", openface=settings)


def test_action_units_and_pose_are_as_delivered(tmp_path: Path) -> None:
    values = {"AU04_r": 1.5, "AU04_c": 0, "AU12_c": 1, "AU28_c": 1, "pose_Rx": 0.1, "pose_Ry": -0.2, "pose_Rz": 0.3}
    row = measured(tmp_path, [face(1, **values)]).row(0, named=True)
    assert {name: round(row[name], 4) for name in values} == values


def test_what_openface_has_not_is_missing_and_pspi_has_the_blink_in_place_of_closed_eyes(tmp_path: Path) -> None:
    values = {"AU04_r": 1.0, "AU06_r": 0.5, "AU07_r": 2.0, "AU09_r": 1.0, "AU10_r": 0.25, "AU45_r": 2.5}
    row = measured(tmp_path, [face(1, **values)]).row(0, named=True)
    assert row["AU43_r"] is None
    assert row["AU43_c"] is None
    assert row["pspi"] == pytest.approx(1 + 2 + 1 + 0.5)


def test_times_are_those_of_the_video_and_frames_are_matched_by_number(tmp_path: Path) -> None:
    times_s = [0.0, 0.04, 0.1, 0.3]
    rows = [face(number, AU01_r=number) for number in (4, 2, 1, 3)]
    frames = measured(tmp_path, rows, film(4, times_s))
    assert frames["timestamp_s"].to_list() == pytest.approx(times_s, abs=1e-4)
    assert frames["AU01_r"].to_list() == [1, 2, 3, 4]


def test_a_frame_in_which_the_face_was_lost_has_nothing(tmp_path: Path) -> None:
    frames = measured(tmp_path, [face(1), lost(2), face(3, x=60)])
    assert frames["face_found"].to_list() == [True, False, True]
    measures = AU_FRAMES.names[AU_FRAMES.names.index("face_x") :]
    assert all(frames[name][1] is None for name in measures)
    assert frames["face_speed"].to_list() == [None, None, None]


def test_a_threshold_of_confidence_leaves_frames_out(tmp_path: Path) -> None:
    rows = [face(1), face(2, confidence=0.5)]
    assert measured(tmp_path, rows)["face_found"].to_list() == [True, True]
    assert measured(tmp_path, rows, min_confidence=0.75)["face_found"].to_list() == [True, False]


def test_the_box_is_that_of_the_landmarks_and_speed_is_its_centres(tmp_path: Path) -> None:
    frames = measured(tmp_path, [face(1), face(2, x=46.0)])
    first = frames.row(0, named=True)
    assert [first[name] for name in ("face_x", "face_y", "face_w", "face_h")] == [40, 30, 60, 60]
    assert first["face_size"] == pytest.approx(60 / HEIGHT)
    assert frames["face_speed"].to_list() == [None, pytest.approx(6 / 60 / 0.04, rel=1e-4)]
    assert frames["face_outside"].to_list() == [0, 0]


def test_landmarks_beyond_the_picture_are_a_hint_of_occlusion(tmp_path: Path) -> None:
    assert measured(tmp_path, [face(1, x=-40.0)])["face_outside"][0] == pytest.approx(0.5, abs=0.05)


def test_the_picture_of_the_face_is_looked_at_in_the_video(tmp_path: Path) -> None:
    left = plain(60, WIDTH, HEIGHT)
    left[:, 80:] = 180
    frames = measured(tmp_path, [face(1, x=4, size=50), face(2, x=100, size=50)], video([left, left]))
    assert frames["face_brightness"].to_list() == pytest.approx([60, 180], abs=4)


def test_mouth_openness_is_the_gap_of_the_lips_over_the_eyes_distance(tmp_path: Path) -> None:
    frames = measured(tmp_path, [face(1), face(2, y_66=100.0), face(3, pose_Ry=0.9)])
    assert frames["mouth_open"].to_list() == [pytest.approx(0.1), pytest.approx(0.5), None]


def test_gaze_is_that_of_the_eyes_within_the_head(tmp_path: Path) -> None:
    """A head turned to the picture's left by 0.3 rad, eyes on the camera: they look right in the head."""
    turned = {"pose_Ry": 0.3}
    rows = [face(1), face(2, **turned), face(3, gaze_0_x=0.2, gaze_1_x=0.2), face(4, AU45_r=3), face(5, pose_Ry=0.9)]
    frames = measured(tmp_path, rows)
    assert frames["gaze_x"].to_list()[:3] == pytest.approx([0, 0.3, math.atan(0.2)], abs=1e-4)
    assert frames["gaze_y"].to_list()[:3] == pytest.approx([0, 0, 0], abs=1e-6)
    assert frames["gaze_x"].to_list()[3:] == [None, None]


def test_gaze_within_the_head_is_undone_by_the_heads_own_rotation() -> None:
    """Independent of the order of axes: what the head's turn does to a direction is taken back."""
    rng = np.random.default_rng(1)
    within = np.array([0.2, -0.1, -1.0]) / np.linalg.norm([0.2, -0.1, -1.0])
    for pitch, yaw, roll in rng.uniform(-0.6, 0.6, (20, 3)):
        x = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
        y = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
        z = np.array([[math.cos(roll), -math.sin(roll), 0], [math.sin(roll), math.cos(roll), 0], [0, 0, 1]])
        seen = x @ y @ z @ within
        found = gaze_in_head(np.array([[seen, seen]]), np.array([[pitch, yaw, roll]]))
        assert found[0] == pytest.approx(np.arcsin(within[:2]))


# --- several faces ---


def test_several_faces_are_counted_from_a_share_of_the_largest_on(tmp_path: Path) -> None:
    rows = [row for n in range(1, 4) for row in (face(n, 0), face(n, 1, x=100, size=50), face(n, 2, x=5, size=10))]
    frames = measured(tmp_path, rows, film(3, [0.0, 0.5, 1.0]))
    assert frames["face_count"].to_list() == [2, None, 2]
    assert [reason.code for reason in face_reasons(frames, params_of(tmp_path))] == ["MULTI_PERSON"]


def test_where_openface_follows_one_face_mediapipe_counts(tmp_path: Path) -> None:
    assert measured(tmp_path, [face(1), face(2)])["face_count"].to_list() == [0, None]


# --- what does not fit ---


@pytest.mark.parametrize(("in_csv", "in_video"), [(4, 5), (6, 5), (3, 5), (7, 5)])
def test_a_frame_or_two_at_the_end_may_differ(tmp_path: Path, in_csv: int, in_video: int) -> None:
    frames = measured(tmp_path, [face(number + 1) for number in range(in_csv)], film(in_video))
    assert frames.height == in_video
    assert frames["face_found"].sum() == min(in_csv, in_video)


@pytest.mark.parametrize("in_csv", [2, 8])
def test_more_is_no_csv_of_this_video(tmp_path: Path, in_csv: int) -> None:
    with pytest.raises(Rejection) as caught:
        measured(tmp_path, [face(number + 1) for number in range(in_csv)], film(5))
    assert caught.value.code == "ENGINE_INPUT_UNFIT"
    assert caught.value.detail == f"OpenFace's CSV goes through {in_csv} frames, the video has 5; they may differ by 2"


def test_without_a_csv_and_a_program_the_recording_waits(tmp_path: Path) -> None:
    with pytest.raises(Rejection) as caught:
        measure_face(film(2), RECORDING, params_of(tmp_path))
    assert (caught.value.code, caught.value.detail) == (
        "ENGINE_INPUT_MISSING",
        f"no {NAME}.csv in face.openface.csv_folder",
    )


def stand_in(folder: Path, csv: bytes) -> FaceParams:
    (folder / "made.csv").write_bytes(csv)
    path = folder / "FeatureExtraction"
    made = f"import shutil, sys\nshutil.copy({str(folder / 'made.csv')!r}, sys.argv[4] + '/faces.csv')\n"
    path.write_text(f"#!{sys.executable}\n{made}")
    path.chmod(0o755)
    return FaceParams(engine="openface", openface=OpenFaceParams(binary=str(path)))


def test_the_program_is_run_where_there_is_no_csv(tmp_path: Path) -> None:
    params = stand_in(tmp_path, csv_of([face(1, AU01_r=2), face(2, AU01_r=3)]))
    assert measure_face(film(2), RECORDING, params)["AU01_r"].to_list() == [2, 3]


def test_nonsense_from_the_program_is_the_programs_failure(tmp_path: Path) -> None:
    with pytest.raises(Rejection) as caught:
        measure_face(film(2), RECORDING, stand_in(tmp_path, b"frame\n1\n"))
    assert caught.value.code == "ENGINE_FAILED"


# --- who it is ---


def test_it_is_tried_out_without_a_recording(tmp_path: Path) -> None:
    face_engine("openface").try_out(params_of(tmp_path))
    with pytest.raises(UserError, match=r"face\.openface\.csv_folder"):
        face_engine("openface").try_out(FaceParams(engine="openface"))


def test_its_version_is_what_the_parameters_state(tmp_path: Path) -> None:
    found = face_engine("openface").identity(params_of(tmp_path, version="2.2.0"))
    assert (found.name, found.version, found.model_sha256) == ("openface", "2.2.0", None)


def test_every_action_unit_but_closed_eyes_has_a_model_and_its_paper() -> None:
    rows = face_engine("openface").support()
    assert rows["action_unit"].to_list() == list(AU_NAMES)
    assert dict(rows.filter(pl.col("method") != "model").select("action_unit", "method").iter_rows()) == {
        "AU43": "none"
    }
    assert all("doi:10.1109/FG.2018.00019" in source for source in rows.filter(method="model")["source"])
