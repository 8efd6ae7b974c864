"""py-feat's own detectors, run whole on the same faces, say the same: the fast path leaves out the search and nothing else."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
import torch
from feat import Detectorv1, Detectorv2
from numpy.typing import NDArray

from pipelines.face import measure_face
from pipelines.media import video_frames
from pipelines.params_face import FaceParams
from schemas.face import AU_NAMES
from tests.pipelines.video_factory import RECORDING
from tests.pyfeat.conftest import FACES
from tests.pyfeat.weights_factory import CLASSIFIERS, LANDMARKS, MULTITASK

UNITS = [unit for unit in AU_NAMES if unit not in {"AU45", "AU28"}]


class Finder:
    """Stands where RetinaFace does, and finds the face where MediaPipe did."""

    def __init__(self, rows: pl.DataFrame) -> None:
        boxes = rows.select("face_x", "face_y", "face_w", "face_h").to_numpy().astype(np.float64)
        self._found = iter([[float(x), float(y), float(x + w), float(y + h), 0.99]] for x, y, w, h in boxes)

    def __call__(self, images: torch.Tensor) -> list[list[list[float]]]:
        return [next(self._found) for _ in range(len(images))]


@pytest.fixture
def rows(film: bytes, params: FaceParams) -> pl.DataFrame:
    every = params.model_copy(update={"pyfeat": params.pyfeat.model_copy(update={"every_n_frames": 1})})
    return measure_face(film, RECORDING, every).head(FACES)


@pytest.fixture
def pictures(film: bytes) -> Any:
    images = [frame.image for frame in video_frames(film, pixels="rgb")][:FACES]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def probabilities(detector: Any, pictures: Any) -> NDArray[np.float64]:
    found = detector.detect(pictures, data_type="tensor", batch_size=1, progress_bar=False)
    return np.asarray(found[UNITS], dtype=np.float64)


def test_detectorv2_gives_the_same_probabilities(rows: pl.DataFrame, pictures: Any, weights: Path) -> None:
    with patch("feat.detector_v2.Retinaface", lambda **_: Finder(rows)):
        detector = Detectorv2(device="cpu", identity_model=None, multitask_weights=str(weights / MULTITASK))
    theirs = probabilities(detector, pictures)
    ours = rows.select(pl.col(f"{unit}_r") / 5 for unit in UNITS).to_numpy()
    assert np.ptp(theirs, axis=0).max() > 1e-4
    assert ours == pytest.approx(theirs, abs=1e-5)


@pytest.fixture(params=["xgb", "svm"])
def classic(request: pytest.FixtureRequest, film: bytes, params: FaceParams, weights: Path) -> Iterator[tuple[str, pl.DataFrame, Any]]:  # fmt: skip
    """The kind of classifiers, the engine's rows with them, and py-feat's own detector of that kind."""
    au_model: str = request.param
    block = params.pyfeat.model_copy(update={"every_n_frames": 1, "model": "detectorv1", "au_model": au_model})
    rows = measure_face(film, RECORDING, params.model_copy(update={"pyfeat": block})).head(FACES)
    with (
        patch("feat.detector.Retinaface", lambda **_: Finder(rows)),
        patch("feat.detector.hf_hub_download", lambda **_: str(weights / LANDMARKS)),
        patch("feat.detector.hf_hub_download_with_fallback", lambda **_: str(weights / CLASSIFIERS[au_model])),
        patch("feat.utils.face_pose_mlp.pose_from_landmarks_mlp", lambda *_: None),
        pytest.warns(UserWarning, match="does not regress 6DoF head pose"),
    ):
        yield (
            au_model,
            rows,
            Detectorv1(au_model=au_model, emotion_model=None, identity_model=None, gaze_model=None, device="cpu"),
        )


def test_detectorv1_gives_the_same(classic: tuple[str, pl.DataFrame, Any], pictures: Any) -> None:
    au_model, rows, detector = classic
    theirs = probabilities(detector, pictures)
    kind = "r" if au_model == "xgb" else "c"
    ours = rows.select(pl.col(f"{unit}_{kind}") / (5 if kind == "r" else 1) for unit in UNITS).to_numpy()
    assert len(np.unique(theirs)) > 1
    assert ours == pytest.approx(theirs, abs=1e-5)
