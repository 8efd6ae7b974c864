"""Head pose: OpenFace's angles from MediaPipe's facial transformation matrices."""

import numpy as np
from numpy.typing import NDArray

_FLIP_Y_Z = np.diag([1.0, -1.0, -1.0])


def openface_angles(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pitch, yaw and roll with OpenFace's axes, order and signs.

    MediaPipe turns its canonical face into a camera space with x to the right of the picture, y up and z towards the
    viewer; OpenFace has x to the right, y down and z away from the camera, and R = Rx Ry Rz. In its signs a lowered
    chin is positive pitch, a turn to the person's own right (the picture's left) positive yaw, and a clockwise tilt
    in the picture positive roll.

    Args:
        rotations: n x 3 x 3, from canonical to camera space; the upper left of MediaPipe's 4 x 4 matrices.

    Returns:
        n x 3 angles (Rx, Ry, Rz) in radians, within +-pi, +-pi/2 and +-pi.

    Source:
        https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format (pose_R; signs confirmed in its issue 966);
        Baltrusaitis et al., OpenFace 2.0, FG 2018, 59-66.

    >>> openface_angles(np.eye(3)[np.newaxis]).round(6).tolist()
    [[0.0, 0.0, 0.0]]
    """
    turned = openface_rotations(rotations)
    pitch = np.arctan2(-turned[:, 1, 2], turned[:, 2, 2])
    yaw = np.arcsin(np.clip(turned[:, 0, 2], -1.0, 1.0))
    roll = np.arctan2(-turned[:, 0, 1], turned[:, 0, 0])
    # Adding 0 turns -0.0 into 0.0.
    return np.stack([pitch, yaw, roll], axis=1) + 0.0


def openface_rotations(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotations from the face's axes to the camera's, with OpenFace's axes: x right, y down, z away from the camera.

    Args:
        rotations: n x 3 x 3, as MediaPipe gives them.

    Returns:
        n x 3 x 3.
    """
    # A scale in the matrix would bias the arc sine; the columns of a rotation have length 1.
    unit = rotations / np.linalg.norm(rotations, axis=1, keepdims=True)
    return np.asarray(_FLIP_Y_Z @ unit @ _FLIP_Y_Z, dtype=np.float64)
