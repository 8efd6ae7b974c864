"""Face engines are chosen by name, all behind one interface."""

from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.face_engine import FaceEngine, au_support, face_engine
from pipelines.params import read_params
from pipelines.params_face import FACE_ENGINES, FaceParams, OpenFaceParams
from schemas.face import AU_FRAMES, AU_NAMES, AU_SUPPORT
from tests.pipelines.openface_factory import csv_of, face
from tests.pipelines.video_factory import plain, video

RECORDING = "P00000000A-00000000"


def params_of(name: str, folder: Path) -> FaceParams:
    """What an engine needs to measure a film of two frames."""
    if name == "openface":
        (folder / f"{RECORDING}.csv").write_bytes(csv_of([face(1), face(2)]))
        return FaceParams(engine=name, openface=OpenFaceParams(csv_folder=str(folder)))
    return FaceParams(engine=name)


def that_runs(name: str, folder: Path) -> tuple[FaceEngine, FaceParams]:
    """An engine, or else why it cannot be tried on this machine: not every one is part of every installation."""
    engine, params = face_engine(name), params_of(name, folder)
    try:
        engine.identity(params)
    except UserError as lacking:
        pytest.skip(str(lacking))
    return engine, params


@pytest.mark.parametrize("name", FACE_ENGINES)
def test_every_engine_that_parameters_may_name_is_there(name: str) -> None:
    assert face_engine(name).name == name


@pytest.mark.parametrize("name", FACE_ENGINES)
def test_an_engine_says_who_it_is(name: str, tmp_path: Path) -> None:
    engine, params = that_runs(name, tmp_path)
    assert engine.identity(params).name == name


def test_an_unknown_engine_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("face:\n  engine: mediapip\n")
    with pytest.raises(UserError, match="no face engine is called 'mediapip'; did you mean 'mediapipe'"):
        read_params(path)
    with pytest.raises(UserError, match="there are: mediapipe"):
        face_engine("nothing like it")


@pytest.mark.parametrize("name", FACE_ENGINES)
def test_an_engine_gives_every_column_of_the_table_but_the_recording(name: str, tmp_path: Path) -> None:
    engine, params = that_runs(name, tmp_path)
    frames = engine.measure(video([plain(90, width=160, height=120)] * 2), RECORDING, params)
    assert set(frames.columns) == set(AU_FRAMES.names) - {"recording"}
    assert frames.height == 2


def test_support_has_a_row_for_each_engine_and_unit() -> None:
    support = au_support()
    assert support.select("engine", "action_unit").rows() == [(e, u) for e in FACE_ENGINES for u in AU_NAMES]
    assert AU_SUPPORT.conform(support).equals(support)
