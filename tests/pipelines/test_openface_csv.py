"""OpenFace's CSV, old and new, of one face or several; what is not one is refused by what is wrong with it."""

import numpy as np
import pytest

from pipelines.errors import Rejection
from pipelines.openface_csv import read_faces
from tests.pipelines.openface_factory import HEADER, Row, csv_of, face, lost


def complaint(content: bytes) -> str:
    with pytest.raises(Rejection) as caught:
        read_faces(content)
    assert caught.value.code == "ENGINE_INPUT_UNFIT"
    return caught.value.detail


def test_the_header_of_openface_with_its_spaces_is_read_by_name() -> None:
    content = csv_of([face(1, AU04_r=1.5, AU04_c=1, pose_Rx=0.25), face(2)])
    assert content.startswith(b"frame, face_id, timestamp, confidence, success, gaze_0_x, ")
    faces = read_faces(content)
    assert (faces.frames, faces.several) == (2, False)
    assert faces.index.tolist() == [0, 1]
    assert faces.units["AU04_r"].tolist() == [1.5, 0]
    assert faces.units["AU04_c"].tolist() == [1, 0]
    assert faces.pose[0].tolist() == [0.25, 0, 0]
    assert faces.points.shape == (2, 68, 2)
    assert faces.points[0, 36].tolist() == [40, 40]


def test_openface_2_0_wrote_neither_face_id_nor_gaze_angle() -> None:
    header = [
        name for name in HEADER if name not in {"face_id", "gaze_angle_x", "gaze_angle_y"} and "eye_lmk" not in name
    ]
    assert read_faces(csv_of([face(1)], header)).frames == 1


def test_without_gaze_its_direction_is_missing() -> None:
    header = [name for name in HEADER if "gaze" not in name]
    assert np.isnan(read_faces(csv_of([face(1)], header)).gaze).all()


def test_an_eye_of_which_nothing_was_found_has_no_direction() -> None:
    faces = read_faces(csv_of([face(1, gaze_0_z=0.0)]))
    assert np.isnan(faces.gaze[0, 0]).all()
    assert faces.gaze[0, 1].tolist() == [0, 0, -1]


@pytest.mark.parametrize("word", ["nan", "-nan", "-nan(ind)", "inf", "1.#QNAN"])
def test_what_is_no_number_in_any_spelling_is_missing(word: str) -> None:
    content = csv_of([face(1, AU04_r=4.321)]).replace(b"4.321", word.encode())
    assert np.isnan(read_faces(content).units["AU04_r"]).all()


def test_columns_may_come_in_any_order_and_after_a_byte_order_mark() -> None:
    content = b"\xef\xbb\xbf" + csv_of([face(1, AU12_r=2.0)], HEADER[::-1]).replace(b"\n", b"\r\n")
    assert read_faces(content).units["AU12_r"].tolist() == [2.0]


def test_frames_without_success_or_with_too_little_confidence_have_no_face() -> None:
    rows = [face(1), lost(2), face(3, confidence=0.6), face(4)]
    assert read_faces(csv_of(rows)).index.tolist() == [0, 2, 3]
    assert read_faces(csv_of(rows), 0.8).index.tolist() == [0, 3]


def test_what_counts_from_0_is_taken_so() -> None:
    assert read_faces(csv_of([face(0), face(1)])).frames == 2


def test_a_file_in_which_no_face_was_found_is_none_the_worse() -> None:
    faces = read_faces(csv_of([lost(1), lost(2)]))
    assert (faces.frames, len(faces.index), faces.heights_px) == (2, 0, {})


# --- several faces ---


def test_the_main_face_is_the_one_found_most_often() -> None:
    rows = [face(1, 0, x=200, size=90), face(1, 1), face(2, 1), face(3, 1), face(3, 0, x=200, size=90)]
    faces = read_faces(csv_of(rows))
    assert faces.several
    assert faces.index.tolist() == [0, 1, 2]
    assert faces.points[:, 0, 0].tolist() == [40, 40, 40]
    assert {frame: sorted(heights) for frame, heights in faces.heights_px.items()} == {
        0: [60, 90],
        1: [60],
        2: [60, 90],
    }


def test_of_two_found_equally_often_the_main_face_is_the_larger() -> None:
    rows = [face(frame, face_id, x=face_id * 200, size=40 + 50 * face_id) for frame in (1, 2) for face_id in (0, 1)]
    assert read_faces(csv_of(rows)).points[:, 0, 0].tolist() == [200, 200]


def test_of_several_faces_a_frame_without_any_has_no_row() -> None:
    faces = read_faces(csv_of([face(1, 0), face(1, 1), face(3, 0)]))
    assert (faces.frames, faces.index.tolist()) == (3, [0, 2])


# --- what is no such file ---


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is no CSV"),
        (b"\x00\xff\xfe\x01", "it lacks"),
        (b"frame, success\n1, 1\n", "it lacks 174 columns, such as pose_Rx: run FeatureExtraction with -2Dfp -pose -gaze -aus"),
        (csv_of([]), "it has no rows"),
        (csv_of([face(1), face(3)]), "1 of its 3 frames are missing, the first after frame 1"),
        (csv_of([face(1), face(1)]), "a frame stands in it twice for one face"),
        (csv_of([face(1, AU04_r=7.0)]), "AU04_r is 7, should be 0 to 5"),
        (csv_of([face(1, AU28_c=0.5)]), "AU28_c is 0.5"),
        (csv_of([face(1, success=2)]), "success is 2"),
        (csv_of([face(1.5)]), "frame is 1.5, should be a whole number"),
        (csv_of([face(1), face(2, AU04_r=4.321)]).replace(b"4.321", b"x"), "AU04_r in line 3 is no number"),
        (csv_of([face(1)])[:-40], "AU"),
    ],
    ids=["empty", "binary", "columns", "rows", "a frame", "twice", "range", "presence", "success", "half", "word", "cut"],
)  # fmt: skip
def test_what_is_not_openfaces_says_what_is_wrong(content: bytes, said: str) -> None:
    assert complaint(content).startswith("OpenFace's CSV: ")
    assert said in complaint(content)


def test_a_column_twice_is_no_such_file() -> None:
    row: Row = face(1)
    assert "it has the column AU04_r twice" in complaint(csv_of([row], [*HEADER, "AU04_r"]))
