"""What the tests of py-feat share: weights of the right shapes, and a film of a face."""

from pathlib import Path

import numpy as np
import pytest

from pipelines.params_face import FaceParams, PyFeatParams
from pipelines.pyfeat_model import open_model
from pipelines.synthetic.face import FaceModel
from tests.pipelines.video_factory import plain, video
from tests.pyfeat.weights_factory import make_classifiers, make_landmarks, make_multitask

WIDTH, HEIGHT = 480, 360
FACES, WITHOUT = 9, 3
"""Frames that show a face, and those after them that do not."""


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of all models."""
    folder = tmp_path_factory.mktemp("weights")
    make_multitask(folder)
    make_landmarks(folder)
    for au_model in ("xgb", "svm"):
        make_classifiers(folder, au_model)
    return folder


@pytest.fixture(scope="session")
def film() -> bytes:
    """A face that frowns more and more, and then nobody."""
    person = FaceModel(2, width=WIDTH, height=HEIGHT)
    faces = [person.render({"AU04": strength}) for strength in np.linspace(0, 1, FACES)]
    return video([*faces, *[plain(90, WIDTH, HEIGHT)] * WITHOUT])


@pytest.fixture
def params(weights: Path) -> FaceParams:
    """The engine with these weights, and all else as by default."""
    return FaceParams(engine="pyfeat", pyfeat=PyFeatParams(weights_folder=str(weights)))


@pytest.fixture
def anew() -> None:
    """What was loaded before is loaded again."""
    open_model.cache_clear()
