"""The three networks of MediaPipe's Face Landmarker, run by LiteRT: where faces are, 478 landmarks, 52 expression scores.

MediaPipe's own graph around them took half as long again as the networks. What it does between them is done by
`pipelines.landmarker` and what that imports; `tests/pipelines/test_landmarker.py` holds it against MediaPipe itself.
"""

import io
import math
import os
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.face_model import load_model
from pipelines.params_face import FaceParams

DETECTOR_SIDE_PX = 128
LANDMARKS_SIDE_PX = 256
LANDMARK_COUNT = 478

# fmt: off
SCORED = (
    0, 1, 4, 5, 6, 7, 8, 10, 13, 14, 17, 21, 33, 37, 39, 40, 46, 52, 53, 54, 55, 58, 61, 63, 65, 66, 67, 70, 78, 80, 81, 82,
    84, 87, 88, 91, 93, 95, 103, 105, 107, 109, 127, 132, 133, 136, 144, 145, 146, 148, 149, 150, 152, 153, 154, 155, 157,
    158, 159, 160, 161, 162, 163, 168, 172, 173, 176, 178, 181, 185, 191, 195, 197, 234, 246, 249, 251, 263, 267, 269, 270,
    276, 282, 283, 284, 285, 288, 291, 293, 295, 296, 297, 300, 308, 310, 311, 312, 314, 317, 318, 321, 323, 324, 332, 334,
    336, 338, 356, 361, 362, 365, 373, 374, 375, 377, 378, 379, 380, 381, 382, 384, 385, 386, 387, 388, 389, 390, 397, 398,
    400, 402, 405, 409, 415, 454, 466, 468, 469, 470, 471, 472, 473, 474, 475, 476, 477,
)
# fmt: on
"""The landmarks that the network of expression scores takes, in its order (MediaPipe, face_blendshapes_graph.cc)."""


_PARTS = (
    "face_detector.tflite",
    "face_landmarks_detector.tflite",
    "face_blendshapes.tflite",
    "geometry_pipeline_metadata_landmarks.binarypb",
)


class Networks:
    """The networks of one model's bundle, on one thread of the CPU.

    Args:
        bundle: a Face Landmarker model (`.task`), a ZIP archive.

    Raises:
        UserError: it is none.
    """

    def __init__(self, bundle: bytes) -> None:
        try:
            with zipfile.ZipFile(io.BytesIO(bundle)) as files:
                detector, landmarks, scores, self.geometry = (files.read(name) for name in _PARTS)
        except (zipfile.BadZipFile, KeyError) as error:
            raise UserError(f"the face model is no bundle of MediaPipe's Face Landmarker: {error}") from error
        with _silent_stderr():
            self._detector, self._landmarks, self._scores = map(_Network, (detector, landmarks, scores))

    def detect(self, picture: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Boxes and scores of all anchors.

        Args:
            picture: 128 x 128 x 3 or 4, RGB.

        Returns:
            896 x 16: box and six points against the anchor, in px of the picture; 896 scores, before the sigmoid.
        """
        boxes, scores = self._detector.run(picture[..., :3] / np.float32(127.5) - np.float32(1))
        return boxes.reshape(-1, 16), scores.reshape(-1)

    def landmarks(self, face: NDArray[np.uint8]) -> tuple[NDArray[np.float64], float]:
        """The landmarks of a face.

        Args:
            face: 256 x 256 x 3 or 4, RGB.

        Returns:
            478 x 3, as shares of the picture's sides; and the probability that there is a face.
        """
        rgb = face if face.shape[2] == 3 else cv2.cvtColor(face, cv2.COLOR_RGBA2RGB)
        points, presence, _ = self._landmarks.run(rgb, times=np.float32(1 / 255))
        shares = points.reshape(LANDMARK_COUNT, 3).astype(np.float64) / LANDMARKS_SIDE_PX
        return shares, 1 / (1 + math.exp(-float(presence.reshape(()))))

    def scores(self, scored_px: NDArray[np.float32]) -> NDArray[np.float64]:
        """The 52 expression scores (0 to 1) of a face.

        Args:
            scored_px: 146 x 2, the landmarks of `SCORED` in px of any picture.
        """
        (scores,) = self._scores.run(scored_px)
        return scores.astype(np.float64)


_AS_IT_IS = np.float32(1)


class _Network:
    """One network, with one input."""

    def __init__(self, model: bytes) -> None:
        self._interpreter: Any = Interpreter(model_content=model, num_threads=1)
        self._interpreter.allocate_tensors()
        (given,) = self._interpreter.get_input_details()
        self._given = self._interpreter.tensor(given["index"])
        self._found = [each["index"] for each in self._interpreter.get_output_details()]

    def run(self, given: NDArray[Any], *, times: np.float32 = _AS_IT_IS) -> list[NDArray[np.float32]]:
        # Straight to where the network reads it: one way through memory instead of three.
        np.multiply(given, times, out=self._given()[0])
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._found]


def open_networks(params: FaceParams) -> Networks:
    """The networks of the model that the parameters name; they open no connection.

    Raises:
        UserError: the model is missing, another one than stated, or no bundle.
    """
    return Networks(load_model(params))


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep LiteRT's greeting out of the log: no environment variable silences it."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
