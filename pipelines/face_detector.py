"""Where faces are in a whole picture: BlazeFace's short-range detector, its boxes decoded and made one a face."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.face_crop import Region, around, crop, letterbox
from pipelines.face_networks import DETECTOR_SIDE_PX, Networks

_GRIDS = ((16, 2), (8, 6))
"""Cells a side, and anchors in the middle of each."""
_SAME_FACE = 0.5
"""Boxes that overlap by more (intersection over union) are of one face."""


@dataclass(frozen=True, slots=True)
class Detection:
    """A face that was found: x, y, width, height and two eyes (x, y; the left one in an upright picture first), in px."""

    box: NDArray[np.float64]
    eyes: NDArray[np.float64]

    def region(self) -> Region:
        """Where to look for its landmarks."""
        return around(self.box, *self.eyes)


def detect(networks: Networks, image: NDArray[np.uint8], min_confidence: float) -> list[Detection]:
    """The faces in a picture, the surest first.

    Source:
        Bazarevsky et al. 2019, arXiv:1907.05047, whose blending of boxes in place of the suppression of all but one
        keeps the region steady.

    Args:
        networks: the model's.
        image: height x width x 3 or 4, RGB.
        min_confidence: what counts as a face, 0 to 1.
    """
    height, width = image.shape[:2]
    whole = letterbox(width, height)
    boxes, scores = networks.detect(crop(image, whole, DETECTOR_SIDE_PX, beyond=cv2.BORDER_CONSTANT))
    confidence = 1 / (1 + np.exp(-np.clip(scores.astype(np.float64), -100, 100)))
    sure = confidence >= min_confidence
    return [_in_picture(found, whole) for found in blended(_decoded(boxes[sure], _ANCHORS[sure]), confidence[sure])]


def _anchors() -> NDArray[np.float64]:
    """The middles of the anchors, 896 x 2, as shares of the picture."""
    grids = []
    for cells, often in _GRIDS:
        y, x = (np.mgrid[:cells, :cells] + 0.5) / cells
        grids.append(np.repeat(np.stack((x.ravel(), y.ravel()), axis=1), often, axis=0))
    return np.concatenate(grids)


_ANCHORS = _anchors()


def _decoded(boxes: NDArray[np.float32], anchors: NDArray[np.float64]) -> NDArray[np.float64]:
    """N x 8: left, top, right, bottom, and two eyes, as shares of the square."""
    points = boxes.astype(np.float64) / DETECTOR_SIDE_PX
    middle, half = points[:, :2] + anchors, points[:, 2:4] / 2
    return np.concatenate((middle - half, middle + half, points[:, 4:6] + anchors, points[:, 6:8] + anchors), axis=1)


def blended(found: NDArray[np.float64], confidence: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """One box a face: those that overlap the surest one, averaged by how sure they are; then of the rest likewise.

    Args:
        found: n x k; left, top, right, bottom come first.
        confidence: n.

    >>> boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 2.2], [5, 5, 6, 6.0]])
    >>> [box.round(2).tolist() for box in blended(boxes, np.array([0.9, 0.9, 0.6]))]
    [[0.0, 0.0, 2.0, 2.1], [5.0, 5.0, 6.0, 6.0]]
    """
    left = np.argsort(-confidence, kind="stable")
    faces: list[NDArray[np.float64]] = []
    while len(left):
        same = overlaps(found[left], found[left[0]]) > _SAME_FACE
        # A box without an area overlaps nothing, not even itself.
        same[0] = True
        faces.append(np.average(found[left[same]], axis=0, weights=confidence[left[same]]))
        left = left[~same]
    return faces


def overlaps(boxes: NDArray[np.float64], box: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of n boxes (left, top, right, bottom) with one."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:4], box[2:4])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(np.clip(boxes[:, 2:4] - boxes[:, :2], 0, None), axis=1)
    union = areas + float(np.prod(np.clip(box[2:4] - box[:2], 0, None))) - shared
    return np.asarray(np.divide(shared, union, out=np.zeros(len(boxes)), where=union > 0))


def _in_picture(found: NDArray[np.float64], whole: Region) -> Detection:
    corner = np.array([whole.x - whole.width / 2, whole.y - whole.height / 2])
    low, high, left_eye, right_eye = found.reshape(4, 2) * whole.width + corner
    return Detection(np.concatenate((low, high - low)), np.stack((left_eye, right_eye)))
