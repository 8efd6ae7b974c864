"""The Face Landmarker: one face tracked through a recording, and all faces counted in single frames.

It does what MediaPipe's graph does with one face in VIDEO mode: a face is looked for where there was none in the frame
before, and its landmarks tell where to look in the next one. Source: MediaPipe, face_landmarker_graph.cc and
face_landmarks_detector_graph.cc; Grishchenko et al. 2020, arXiv:2006.10962.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.canonical_face import read_canonical_face
from pipelines.face_crop import Region, around, crop, squared
from pipelines.face_detector import Detection, detect, overlaps
from pipelines.face_geometry import LANDMARKS
from pipelines.face_networks import LANDMARKS_SIDE_PX, SCORED, Networks, open_networks
from pipelines.one_euro import OneEuroFilter
from pipelines.params_face import FaceParams

_MAX_COUNTED = 3
_LEFT_EYE, _RIGHT_EYE = 33, 263
"""Their outer corners, as they lie in the picture."""
_SAME_FACE = 0.3
"""A detection that overlaps the tracked face by more (intersection over union) is that face."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Face:
    """One face in one image.

    `box`: x, y, width, height of its landmarks, as shares of the image; `outside`: the share of its landmarks that lie
    outside the image; `points`: the landmarks of `pipelines.face_geometry.LANDMARKS` x 3, in pixels of the image, depth
    too; `scored`: what `Landmarker.scores` takes; `stance`: what `Landmarker.rotations` takes.
    """

    box: Points
    outside: float
    points: Points
    scored: NDArray[np.float32]
    stance: Points


class Landmarker:
    """A tracker of the one main face through a recording, and a counter of all faces in single frames.

    It remembers and smooths, so every recording needs one of its own.

    Args:
        networks: the model's.
        params: from what probability on a face is one.
    """

    def __init__(self, networks: Networks, params: FaceParams) -> None:
        self._networks = networks
        self._canonical = read_canonical_face(networks.geometry)
        self._params = params
        self._smooth = OneEuroFilter(min_cutoff_hz=0.05, beta=80.0, speed_cutoff_hz=1.0)
        self._where: Region | None = None
        self._last_ms = -1

    def track(self, image: NDArray[np.uint8], timestamp_s: float) -> Face | None:
        """The main face of the next frame.

        Args:
            image: height x width x 3 or 4, RGB.
            timestamp_s: its time, counted from any zero that is not later.
        """
        # Whole milliseconds must increase: frames closer than that, or out of order, are moved on by one.
        self._last_ms = max(self._last_ms + 1, round(timestamp_s * 1000))
        where = self._where or self._look(image)
        points = None if where is None else self._landmarks(image, where)
        if points is None:
            self._where = None
            self._smooth.reset()
            return None
        box = _box(points)
        self._where = squared(around(box, points[_LEFT_EYE, :2], points[_RIGHT_EYE, :2]))
        return self._face(self._smooth(points, self._last_ms / 1000, float(box[2:].mean())), image)

    def count(self, image: NDArray[np.uint8], min_size: float, tracked: Face | None = None) -> int:
        """How many faces an image shows, of three at most.

        Args:
            image: the frame, height x width x 3 or 4, RGB.
            min_size: a face counts from this share of the largest one's height on.
            tracked: the face that is known to be in this image.
        """
        height, width = image.shape[:2]
        known = None if tracked is None else tracked.box * (width, height, width, height)
        found = detect(self._networks, image, self._params.min_detection_confidence)[:_MAX_COUNTED]
        boxes = [box for each in found if (box := self._box_of(each, image, known)) is not None]
        heights = [float(box[3]) for box in boxes]
        return sum(height >= min_size * max(heights) for height in heights)

    def scores(self, faces: Sequence[Face]) -> Points:
        """The expression scores of faces, best of many at once: the network then finds its weights in the cache.

        Args:
            faces: n of them, one at least.

        Returns:
            n x 52, 0 to 1.
        """
        return np.stack([self._networks.scores(face.scored) for face in faces])

    def rotations(self, stances: Points) -> Points:
        """From MediaPipe's canonical face to its camera space: x right, y up, z towards the viewer.

        Args:
            stances: of n faces, one at least, one upon the other.

        Returns:
            n x 3 x 3.
        """
        return self._canonical.rotations(stances[:, :-1], stances[:, -1, 2])

    def _look(self, image: NDArray[np.uint8]) -> Region | None:
        found = detect(self._networks, image, self._params.min_detection_confidence)
        return found[0].region() if found else None

    def _landmarks(self, image: NDArray[np.uint8], where: Region) -> Points | None:
        """478 x 3 in px of the image, or None where there is no face."""
        points, presence = self._networks.landmarks(crop(image, where, LANDMARKS_SIDE_PX))
        return where.to_picture(points) if presence >= self._params.min_presence_confidence else None

    def _box_of(self, found: Detection, image: NDArray[np.uint8], known: Points | None) -> Points | None:
        """The box of a face's landmarks, in px; None where the second look sees no face."""
        if known is not None and overlaps(_corners(known)[np.newaxis], _corners(found.box))[0] > _SAME_FACE:
            return known
        points = self._landmarks(image, found.region())
        return None if points is None else _box(points)

    def _face(self, points: Points, image: NDArray[np.uint8]) -> Face:
        height, width = image.shape[:2]
        sides = (width, height)
        stance = np.concatenate((points[self._canonical.landmarks], points.mean(axis=0, keepdims=True)))
        beyond = np.any((points[:, :2] < 0) | (points[:, :2] > sides), axis=1)
        return Face(
            box=_box(points) / (*sides, *sides),
            outside=float(beyond.mean()),
            points=points[list(LANDMARKS)],
            scored=points[SCORED, :2].astype(np.float32),
            stance=(stance - (width / 2, height / 2, 0)) / height,
        )


def open_landmarker(params: FaceParams) -> Landmarker:
    """A landmarker for one recording; it opens no connection and computes on the CPU.

    Raises:
        UserError: the model is missing or another one than stated.
    """
    return Landmarker(open_networks(params), params)


def _box(points: Points) -> Points:
    """x, y, width, height of n x 3 points."""
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return np.concatenate([low, high - low])


def _corners(box: Points) -> Points:
    """x, y, width, height as left, top, right, bottom."""
    return np.concatenate((box[:2], box[:2] + box[2:]))
