"""Action units from distances between MediaPipe's landmarks, where its expression scores say nothing.

`cheekSquint*` and `noseSneer*` are always about 0, so the cheek raiser (AU06) and the nose wrinkler (AU09) are
measured here, and parted lips (AU25), for which no score exists. The brow lowerer (AU04) and the upper lip raiser
(AU10) have scores that miss many faces; what is measured here adds to them where it shows more. A frame is judged by
itself: distances are ratios of one face and compared with a population's neutral face, so no frame's value depends on
what else was recorded. The price is an offset between persons, about 0.5 for AU06 and 1.5 for AU09: compare within a
person. For AU04 and AU10, whose distances differ more between persons than an expression changes them, the neutral is
that of a low brow and a short face, so that few read high at rest, and many need a clear movement to be seen.

The constants come from MediaPipe's canonical face model and the faces of ten adults; the slopes over pitch of AU06 and
AU09 are a linear fit over 472 frames of one adult whose head moves by 0.4 rad, that of AU04 over those of them that do
not frown. All distances are in three dimensions, but the engine's depth is a guess that falls short for tilted heads:
that is what the slopes correct. So few faces are no calibration: no constant here is a coder's grade.

Sources: which skin moves where: Ekman, Friesen and Hager, Facial Action Coding System, 2002. Distances between brow,
eye, nose and lip over a length that no muscle moves, as measures of it: Tian, Kanade and Cohn, IEEE PAMI 2001,
23:97-115, doi:10.1109/34.908962.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_EYE_R, _EYE_L = 33, 263
_CHEEK_R, _CHEEK_L = 101, 330
_NOSE_TIP, _NOSE_TIP_FRONT, _NOSE_BASE, _NOSE_BRIDGE = 1, 4, 2, 6
_WING_R, _WING_L = 129, 358
_LIP_UPPER, _LIP_LOWER = 13, 14
_EYE_R_INNER, _EYE_L_INNER = 133, 362
_IRIS_R, _IRIS_L = 468, 473
_BROW_R, _BROW_L = 66, 296
_NASION, _LIP_TOP = 168, 0

LANDMARKS = (
    _EYE_R, _EYE_L, _CHEEK_R, _CHEEK_L, _NOSE_TIP, _NOSE_TIP_FRONT, _NOSE_BASE, _NOSE_BRIDGE, _WING_R, _WING_L, _LIP_UPPER, _LIP_LOWER,
    _EYE_R_INNER, _EYE_L_INNER, _IRIS_R, _IRIS_L, _BROW_R, _BROW_L, _NASION, _LIP_TOP,
)  # fmt: skip
"""The landmarks used, in the order in which the functions here take them (R and L are the person's own sides)."""

_CHEEK_NEUTRAL, _CHEEK_PER_RAD = 0.406, 0.21
_NOSE_NEUTRAL, _NOSE_PER_RAD = 0.442, 0.19
_NOSE_PER_SMILE = 0.03
_BROW_LOW, _BROW_PER_RAD, _BROW_SOFTNESS = 0.35, -0.12, 0.02
_LIP_SHORT, _LIP_PER_SMILE, _LIP_SOFTNESS = 0.70, 0.05, 0.02
_FULL_SHORTENING = 0.20
_CHEEK_SOFTNESS, _NOSE_SOFTNESS = 0.02, 0.03
_NOSE_ENDS = (_NOSE_BASE, _NOSE_TIP_FRONT, _WING_R, _WING_L)
_LIPS_CLOSED, _LIPS_WIDE = 0.015, 0.30


class Geometry(NamedTuple):
    """How an action unit follows from distances: its formula and what to beware of."""

    formula: str
    caveat: str


_HINGE = "h(x, s) = s ln(1 + exp(x / s))"
_EYES = f"|outer eye corners| ({_EYE_R}-{_EYE_L})"
_TURNED = "NULL for heads turned away."

GEOMETRY = {
    "AU06": Geometry(
        formula=f"min(5, {5 / _FULL_SHORTENING:g} h(1 - r / {_CHEEK_NEUTRAL}, {_CHEEK_SOFTNESS})); {_HINGE}; "
        f"r = |outer eye corner, cheek| ({_EYE_R}-{_CHEEK_R}, {_EYE_L}-{_CHEEK_L}) / |outer eye corner, nose tip| "
        f"({_EYE_R}-{_NOSE_TIP}, {_EYE_L}-{_NOSE_TIP}) (1 + {_CHEEK_PER_RAD} pitch)",
        caveat="Against a population's neutral face: persons differ by about 0.5 at rest. The engine infers the cheek "
        f"from the mouth, so it follows smiles and misses a cheek that rises alone, which shows in AU07. {_TURNED}",
    ),
    "AU09": Geometry(
        formula=f"min(5, {5 / _FULL_SHORTENING:g} h(1 - r / {_NOSE_NEUTRAL} - {_NOSE_PER_SMILE} mean(mouthSmileLeft, "
        f"mouthSmileRight), {_NOSE_SOFTNESS})); {_HINGE}; r = mean distance from nose bridge ({_NOSE_BRIDGE}) to base, tip and "
        f"wings ({', '.join(map(str, _NOSE_ENDS))}) / {_EYES} (1 + {_NOSE_PER_RAD} pitch)",
        caveat="Against a population's neutral face: short noses read about 1.5 high, long ones low. A weak measure: "
        f"wrinkles are not seen, only shortening, and AU10 shortens too; compare within a person. {_TURNED}",
    ),
    "AU25": Geometry(
        formula=f"5 clip((g - {_LIPS_CLOSED}) / {_LIPS_WIDE - _LIPS_CLOSED:g}, 0, 1); "
        f"g = gap of the inner lips ({_LIP_UPPER}-{_LIP_LOWER}) / {_EYES}",
        caveat=f"Rises in speech. {_TURNED}",
    ),
}
"""The action units measured here alone."""

BESIDE_SCORES = {
    "AU04": f"min(5, {5 / _FULL_SHORTENING:g} h(1 - r / {_BROW_LOW}, {_BROW_SOFTNESS})); {_HINGE}; r = |brow, inner eye corner| "
    f"({_BROW_R}-{_EYE_R_INNER}, {_BROW_L}-{_EYE_L_INNER}) / {_EYES} (1 - {-_BROW_PER_RAD} pitch)",
    "AU10": f"min(5, {5 / _FULL_SHORTENING:g} h(1 - r / {_LIP_SHORT} - {_LIP_PER_SMILE} mean(mouthSmileLeft, mouthSmileRight), "
    f"{_LIP_SOFTNESS})); {_HINGE}; r = |nose root, upper lip's edge| ({_NASION}-{_LIP_TOP}) / {_EYES}",
}
"""The formulas of the action units whose scores are added to here."""


def brow_lower(points: NDArray[np.float64], pitch_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity of AU04: how far the brow has come down to the inner corner of the eye.

    Their distance over that between the outer eye corners, mean of both sides. The eye corner lies on no lid, so a
    blink hardly counts.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes.
        pitch_rad: n head pitches.

    Returns:
        n intensities of 0-5; 5 is 20 % less than a low brow's distance at rest.
    """
    brow = (_distance(points, _BROW_R, _EYE_R_INNER) + _distance(points, _BROW_L, _EYE_L_INNER)) / 2
    ratio = brow / _distance(points, _EYE_R, _EYE_L) * (1 + _BROW_PER_RAD * pitch_rad)
    return _intensity(1 - ratio / _BROW_LOW, _BROW_SOFTNESS)


def lip_raise(points: NDArray[np.float64], smile: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity of AU10: how far the edge of the upper lip has come up to the root of the nose.

    Their distance over that between the outer eye corners: unlike the one from the nose's base to the lip it hardly
    follows pitch. A smile lifts the lip by 5 %, which is taken off.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes.
        smile: n scores of 0-1 (`mouthSmile`).

    Returns:
        n intensities of 0-5; 5 is 20 % less than a short face's distance at rest.
    """
    ratio = _distance(points, _NASION, _LIP_TOP) / _distance(points, _EYE_R, _EYE_L)
    return _intensity(1 - ratio / _LIP_SHORT - _LIP_PER_SMILE * smile, _LIP_SOFTNESS)


def cheek_raise(points: NDArray[np.float64], pitch_rad: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity of AU06: how far the cheek has come up to the outer corner of the eye.

    The distance from outer eye corner to infraorbital cheek over that from outer eye corner to nose tip, mean of both
    sides: neither end lies on a lid, so a blink does not count as a raised cheek.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes.
        pitch_rad: n head pitches.

    Returns:
        n intensities of 0-5; 5 is a shortening by 20 %.
    """
    cheek = (_distance(points, _EYE_R, _CHEEK_R) + _distance(points, _EYE_L, _CHEEK_L)) / 2
    nose = (_distance(points, _EYE_R, _NOSE_TIP) + _distance(points, _EYE_L, _NOSE_TIP)) / 2
    ratio = cheek / nose * (1 + _CHEEK_PER_RAD * pitch_rad)
    return _intensity(1 - ratio / _CHEEK_NEUTRAL, _CHEEK_SOFTNESS)


def nose_wrinkle(
    points: NDArray[np.float64], pitch_rad: NDArray[np.float64], smile: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Intensity of AU09: how far base, tip and wings of the nose have come up to its bridge.

    The mean distance from the bridge between the eyes to these four, over that between the outer eye corners. A smile
    flattens the nose by 3 %, which is taken off.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes.
        pitch_rad: n head pitches.
        smile: n scores of 0-1 (`mouthSmile`).

    Returns:
        n intensities of 0-5; 5 is a shortening by 20 %.
    """
    nose = sum(_distance(points, _NOSE_BRIDGE, end) for end in _NOSE_ENDS) / len(_NOSE_ENDS)
    ratio = nose / _distance(points, _EYE_R, _EYE_L) * (1 + _NOSE_PER_RAD * pitch_rad)
    return _intensity(1 - ratio / _NOSE_NEUTRAL - _NOSE_PER_SMILE * smile, _NOSE_SOFTNESS)


def lips_apart(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intensity of AU25: the gap between the inner lips over the distance between the outer eye corners.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes.

    Returns:
        n intensities of 0-5, linear from closed lips (1.5 %) to a gap of 30 %.
    """
    gap = mouth_openness(points)
    return np.clip(5 * (gap - _LIPS_CLOSED) / (_LIPS_WIDE - _LIPS_CLOSED), 0, 5)


def mouth_openness(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The gap between the inner lips over the distance between the outer eye corners.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes.

    Returns:
        n shares; about 0.01 with closed lips, 0.5 with the mouth wide open.
    """
    return _distance(points, _LIP_UPPER, _LIP_LOWER) / _distance(points, _EYE_R, _EYE_L)


def gaze(points: NDArray[np.float64], rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """Direction of the eyes within the head: how far each iris lies from the middle of its eye's corners.

    An eyeball of 12 mm radius behind a lid opening of 30 mm turns by the arc sine of the offset over 0.4 of the
    opening. Both eyes look the same way, so their mean halves the landmarks' noise.

    Args:
        points: n x len(LANDMARKS) x 3, in one unit for all axes; x right, y down, z away from the camera.
        rotations: n x 3 x 3, from the face's axes to the camera's.

    Returns:
        n x 2 (across: positive to the right of the picture; down) angles in radians.
    """
    offsets = []
    for outer, inner, iris in ((_EYE_R, _EYE_R_INNER, _IRIS_R), (_EYE_L, _EYE_L_INNER, _IRIS_L)):
        corners = points[:, [LANDMARKS.index(outer), LANDMARKS.index(inner)]]
        away = points[:, LANDMARKS.index(iris)] - corners.mean(axis=1)
        within = np.einsum("nji,nj->ni", rotations, away)
        offsets.append(within[:, :2] / (_EYEBALL_PER_WIDTH * _distance(points, outer, inner))[:, np.newaxis])
    return np.asarray(np.arcsin(np.clip(np.mean(offsets, axis=0), -1, 1)), dtype=np.float64)


_EYEBALL_PER_WIDTH = 0.4


def _distance(points: NDArray[np.float64], one: int, other: int) -> NDArray[np.float64]:
    span = points[:, LANDMARKS.index(one)] - points[:, LANDMARKS.index(other)]
    return np.asarray(np.linalg.norm(span, axis=1), dtype=np.float64)


def _intensity(shortening: NDArray[np.float64], softness: float) -> NDArray[np.float64]:
    # A hard cut at the population's neutral would blind the measure to persons whose own neutral lies beyond it.
    return np.minimum(5 * softness * np.logaddexp(0, shortening / softness) / _FULL_SHORTENING, 5)
