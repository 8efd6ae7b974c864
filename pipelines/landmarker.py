"""MediaPipe's Face Landmarker: its model checked, its log and its telemetry silenced, its results as plain arrays.

MediaPipe's own Python makes an object of each of 478 landmarks in every frame, and hands each call to a thread of its
own; together a tenth of the time. So here its C functions are called directly, and their arrays are read where they lie.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import mediapipe
import numpy as np
from mediapipe.tasks.python import BaseOptions, vision
from mediapipe.tasks.python.components.containers.category_c import MpCategoryC
from mediapipe.tasks.python.components.containers.landmark_c import MpNormalizedLandmarkC
from mediapipe.tasks.python.core.mediapipe_c_bindings import load_raw_library
from mediapipe.tasks.python.core.mediapipe_c_utils import handle_status
from mediapipe.tasks.python.vision.face_landmarker import MpFaceLandmarkerResultC
from numpy.typing import NDArray

from pipelines.face_geometry import LANDMARKS
from pipelines.face_model import load_model
from pipelines.params_face import FaceParams

_MAX_COUNTED = 3


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one image.

    `box`: x, y, width, height of its landmarks, as shares of the image; `outside`: the share of its landmarks that lie
    outside the image; `points`: the landmarks of
    `pipelines.face_geometry.LANDMARKS` x 3, in pixels of the image, depth too; `scores`: 52 expression scores;
    `rotation`: 3 x 3, from MediaPipe's canonical face to its camera space.
    """

    box: NDArray[np.float64]
    outside: float
    points: NDArray[np.float64]
    scores: NDArray[np.float64]
    rotation: NDArray[np.float64]


class Landmarker:
    """A tracker of the one main face through a recording, and a counter of all faces in single frames.

    MediaPipe's VIDEO mode remembers and smooths, so every recording needs one of its own; open it with
    `open_landmarker`.
    """

    def __init__(self, tracker: Any, counter: Any) -> None:
        self._tracker = tracker
        self._counter = counter
        self._last_ms = -1

    def track(self, image: NDArray[np.uint8], timestamp_s: float) -> Face | None:
        """The main face of the next frame.

        Args:
            image: height x width x 3, RGB.
            timestamp_s: its time, counted from any zero that is not later.
        """
        # Whole milliseconds must increase: frames closer than that, or out of order, are moved on by one.
        self._last_ms = max(self._last_ms + 1, round(timestamp_s * 1000))
        with _detected(self._tracker, "MpFaceLandmarkerDetectForVideo", image, self._last_ms) as result:
            if not result.face_landmarks_count:
                return None
            landmarks = _landmarks(result, 0)
            scores = _scores(result)
            rotation = result.facial_transformation_matrixes[0].to_numpy()[:3, :3]
        height, width = image.shape[:2]
        return Face(
            box=_box(landmarks),
            outside=float(np.mean(np.any((landmarks[:, :2] < 0) | (landmarks[:, :2] > 1), axis=1))),
            points=landmarks[list(LANDMARKS)] * (width, height, width),
            scores=scores,
            rotation=np.asarray(rotation, dtype=np.float64),
        )

    def count(self, image: NDArray[np.uint8], min_size: float) -> int:
        """How many faces an image (height x width x 3, RGB) shows, of three at most.

        Args:
            image: the frame.
            min_size: a face counts from this share of the largest one's height on.
        """
        with _detected(self._counter, "MpFaceLandmarkerDetectImage", image) as result:
            heights = [_box(_landmarks(result, face))[3] for face in range(result.face_landmarks_count)]
        return sum(height >= min_size * max(heights) for height in heights)


@contextmanager
def _detected(landmarker: Any, function: str, image: NDArray[np.uint8], *timestamp_ms: int) -> Iterator[Any]:
    """What a C function of a landmarker finds in an image; it is there until the block ends.

    Raises:
        RuntimeError: MediaPipe could not do it (or one of the errors that it translates its codes to).
    """
    library: Any = load_raw_library(())
    # Kept until the block ends: MediaPipe frees the pixels with it.
    seen = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=image)
    result, said = MpFaceLandmarkerResultC(), ctypes.c_char_p()
    # The handles that MediaPipe's own methods pass to the same functions; it has no other way to them.
    status = getattr(library, function)(
        landmarker._handle,  # noqa: SLF001 - see above
        seen._image_ptr,  # noqa: SLF001 - see above
        None,
        *timestamp_ms,
        ctypes.byref(result),
        ctypes.byref(said),
    )
    try:
        handle_status(status, said)
    finally:
        if said.value is not None:
            library.MpErrorFree(said)
    try:
        yield result
    finally:
        library.MpFaceLandmarkerCloseResult(ctypes.byref(result))


def _fields(struct: Any, *names: str) -> np.dtype[Any]:
    """Some numbers of a C struct, as numpy reads an array of them."""
    fields = [getattr(struct, name) for name in names]
    formats = {"x": "f4", "y": "f4", "z": "f4", "score": "f4", "index": "i4"}
    return np.dtype(
        {
            "names": names,
            "formats": [formats[name] for name in names],
            "offsets": [field.offset for field in fields],
            "itemsize": ctypes.sizeof(struct),
        }
    )


_POINT = _fields(MpNormalizedLandmarkC, "x", "y", "z")
_CATEGORY = _fields(MpCategoryC, "index", "score")


def _read(pointer: Any, struct: Any, count: int, fields: np.dtype[Any]) -> NDArray[Any]:
    """An array of C structs, where it lies."""
    return np.frombuffer((struct * count).from_address(ctypes.addressof(pointer.contents)), dtype=fields)


def _landmarks(result: Any, face: int) -> NDArray[np.float64]:
    """The landmarks of a face, n x 3, as shares of the image."""
    found = result.face_landmarks[face]
    points = _read(found.landmarks, MpNormalizedLandmarkC, found.landmarks_count, _POINT)
    return np.stack([points[axis].astype(np.float64) for axis in "xyz"], axis=1)


def _scores(result: Any) -> NDArray[np.float64]:
    """The expression scores of the first face, in the order of their numbers."""
    found = result.face_blendshapes[0]
    categories = _read(found.categories, MpCategoryC, found.categories_count, _CATEGORY)
    return np.asarray(categories["score"][np.argsort(categories["index"], kind="stable")], dtype=np.float64)


@contextmanager
def open_landmarker(params: FaceParams) -> Iterator[Landmarker]:
    """A landmarker for one recording; it opens no connection and computes on the CPU.

    Raises:
        UserError: the model is missing or another one than stated.
    """
    model = load_model(params)
    with ExitStack() as stack:
        stack.enter_context(_without_telemetry())
        with _silent_stderr():
            tracker = stack.enter_context(_create(model, params, vision.RunningMode.VIDEO, faces=1))
            counter = stack.enter_context(_create(model, params, vision.RunningMode.IMAGE, faces=_MAX_COUNTED))
        yield Landmarker(tracker, counter)


def _create(model: bytes, params: FaceParams, mode: Any, *, faces: int) -> Any:
    tracks = mode == vision.RunningMode.VIDEO
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=model, delegate=BaseOptions.Delegate.CPU),
        running_mode=mode,
        num_faces=faces,
        min_face_detection_confidence=params.min_detection_confidence,
        min_face_presence_confidence=params.min_presence_confidence,
        min_tracking_confidence=params.min_tracking_confidence,
        output_face_blendshapes=tracks,
        output_facial_transformation_matrixes=tracks,
    )
    return vision.FaceLandmarker.create_from_options(options)


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Keep MediaPipe from reporting its use to its maker.

    It does so for every landmarker since 0.10.35 and has no switch (google-ai-edge/mediapipe issue 6291). Its uploader
    asks the environment for a proxy, and a proxy of no known scheme makes it give up before it looks up a name.
    """
    before = {name: os.environ.pop(name, None) for name in ("https_proxy", "no_proxy", "NO_PROXY")}
    os.environ["https_proxy"] = "none://off"
    try:
        yield
    finally:
        del os.environ["https_proxy"]
        os.environ.update({name: value for name, value in before.items() if value is not None})


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keep the native libraries' greetings out of the log: no environment variable silences them."""
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


def _box(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = landmarks[:, :2].min(axis=0), landmarks[:, :2].max(axis=0)
    return np.concatenate([low, high - low])
