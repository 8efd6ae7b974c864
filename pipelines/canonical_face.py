"""How a face is turned: MediaPipe's canonical face, brought onto landmarks by weighted orthogonal Procrustes analysis."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

_FIELD_OF_VIEW_RAD = math.radians(63)
"""Of the camera that is assumed, vertically."""
_FLOATS_A_VERTEX = 5
"""x, y, z, and two of its texture."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CanonicalFace:
    """The landmarks that tell how a face is turned: their numbers (k), where they lie (k x 3, cm), their weights (k)."""

    landmarks: NDArray[np.intp]
    points: Points
    weights: Points

    def rotations(self, points: Points, depth: Points) -> Points:
        """From the canonical face to the camera's space.

        The depth of landmarks has no unit of its own, and a picture tells no distance: so the size is estimated
        twice, each time on points put behind the picture according to the last one.
        Source: Akca 2003, Generalized Procrustes analysis, doi:10.3929/ethz-a-004656648, section 2.4; and
        MediaPipe, geometry_pipeline.cc.

        Args:
            points: n x k x 3, of `landmarks` alone, from the middle of the picture (x right, y down, z away), in heights
                of the picture.
            depth: n, the mean depth of all of a face's landmarks, likewise.

        Returns:
            n x 3 x 3; x right, y up, z towards the camera.
        """
        # At the near plane, at distance 1, the picture is this high.
        height = 2 * math.tan(_FIELD_OF_VIEW_RAD / 2)
        flat = points * (height, -height, height)
        offset = depth[:, np.newaxis] * height
        sizes, _ = self._onto(flat * (1, 1, -1))
        again, _ = self._onto(_behind(flat, offset, sizes))
        return self._onto(_behind(flat, offset, sizes * again))[1]

    def _onto(self, targets: Points) -> tuple[Points, Points]:
        """The sizes (n) and rotations (n x 3 x 3) that bring the canonical face onto n x k x 3 points."""
        share = self.weights / self.weights.sum()
        own = self.points - share @ self.points
        # k x 3 in each; what is not weighted by roots twice is weighted once.
        products = np.einsum("nki,kj->nij", targets, own * self.weights[:, np.newaxis])
        left, _, right = np.linalg.svd(products)
        mirrored = np.linalg.det(left) * np.linalg.det(right) < 0
        left[mirrored, :, 2] *= -1
        rotations = left @ right
        sizes = np.einsum("nij,nij->n", rotations, products) / float(self.weights @ np.square(own).sum(axis=1))
        return sizes, rotations


def _behind(flat: Points, offset: Points, sizes: Points) -> Points:
    """Points of the near plane, as far behind it as their depth says, on their rays through the camera."""
    z = (flat[..., 2] - offset + 1) / sizes[:, np.newaxis]
    return np.stack((flat[..., 0] * z, flat[..., 1] * z, -z), axis=-1)


def read_canonical_face(metadata: bytes) -> CanonicalFace:
    """Take the canonical face from a model's bundle.

    Args:
        metadata: `geometry_pipeline_metadata_landmarks.binarypb`, a message of protocol buffers: field 1 the mesh, of
            which field 3 are the vertices; each field 2 a landmark (1) and its weight (2).

    Raises:
        ValueError: it is something else.
    """
    inner = [(tag, list(_fields(value))) for tag, value in _fields(metadata) if isinstance(value, bytes)]
    vertices = [_float(value) for tag, mesh in inner if tag == 1 for number, value in mesh if number == 3]
    basis = [dict(fields) for tag, fields in inner if tag == 2]
    if not basis or not vertices or len(vertices) % _FLOATS_A_VERTEX:
        raise ValueError("the face model's bundle has no canonical face")
    numbers = np.array([each.get(1, 0) for each in basis], dtype=np.intp)
    points = np.array(vertices).reshape(-1, _FLOATS_A_VERTEX)[numbers, :3]
    return CanonicalFace(numbers, points, np.array([_float(each[2]) for each in basis]))


def _float(value: int | bytes) -> float:
    return float(struct.unpack("<f", cast("bytes", value))[0])


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The fields of a message of protocol buffers: number, and a whole number or the bytes of what it is."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == 0:
            value: int | bytes
            value, at = _varint(message, at)
        elif kind in _LENGTHS or kind == 2:
            length, at = _varint(message, at) if kind == 2 else (_LENGTHS[kind], at)
            value, at = message[at : at + length], at + length
        else:
            raise ValueError(f"no message of protocol buffers: a field of kind {kind}")
        yield tag >> 3, value


_LENGTHS = {1: 8, 5: 4}


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A whole number and where it ends."""
    value = shift = 0
    while True:
        value |= (message[at] & 127) << shift
        shift += 7
        at += 1
        if message[at - 1] < 128:
            return value, at
