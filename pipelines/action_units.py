"""OpenFace's action units from MediaPipe's expression scores, and the pain score from them.

One table of constants says which scores make which unit. A score of 0-1 becomes an intensity of 0-5 on a straight
line between two anchors: `rest`, below which a face at rest stays, and `full`, which strong expressions reach. The
anchors were read off 544 frames and eight pictures of adults; they are no coder's grades, so intensities compare
within a unit and not between units.

Sources: which score is which muscle's work: Apple, ARKit, ARFaceAnchor.BlendShapeLocation (MediaPipe's scores bear its
names), against Ekman, Friesen and Hager, Facial Action Coding System, 2002. Names and ranges: Baltrusaitis et al.,
OpenFace 2.0, FG 2018, 59-66. Pain score: Prkachin and Solomon, Pain 2008, 139:267-274.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.au_response import told
from pipelines.face_geometry import (
    BESIDE_SCORES,
    GEOMETRY,
    brow_lower,
    cheek_raise,
    lip_raise,
    lips_apart,
    nose_wrinkle,
)
from schemas.face import AU_NAMES, AU_SUPPORT, PRESENCE_ONLY

BLENDSHAPES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel",
    "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker",
    "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft",
    "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight",
    "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
"""The engine's expression scores, in its order."""

ENGINE = "mediapipe"


@dataclass(frozen=True, slots=True)
class _Scores:
    """An action unit as the mean of some scores, less a share of another, between two anchors."""

    scores: tuple[str, ...]
    rest: float
    full: float
    caveat: str
    less: tuple[float, str] | None = None

    @property
    def formula(self) -> str:
        mean = self.scores[0] if len(self.scores) == 1 else f"mean({', '.join(self.scores)})"
        lessened = mean if self.less is None else f"{mean} - {self.less[0]} mean({', '.join(_sides(self.less[1]))})"
        return f"5 clip(({lessened} - {self.rest}) / {round(self.full - self.rest, 3)}, 0, 1)"


def _sides(name: str) -> tuple[str, str]:
    return f"{name}Left", f"{name}Right"


_LIDS = "A glance downwards lowers the lid too and raises it; a frame of 25 Hz may miss the depth of a blink."

_FROM_SCORES = {
    "AU01": _Scores(("browInnerUp",), 0.10, 0.80, "Rises with AU02: the engine hardly moves the inner brow alone."),
    "AU02": _Scores(_sides("browOuterUp"), 0.08, 0.75, "Mean of both sides, so one raised brow counts half."),
    "AU04": _Scores(_sides("browDown"), 0.03, 0.60, "Lowering is seen, drawing together hardly. The score is timid and misses whole faces; landmarks see what "
                    "brings the brow nearer to the eye than a low brow at rest: low or deep-set brows read high (by about 1), high ones must "
                    "move far. Where the head is turned away the score is alone. Compare within a person."),
    "AU05": _Scores(_sides("eyeWide"), 0.03, 0.50, "The score is timid: strong widening stays low."),
    "AU07": _Scores(_sides("eyeSquint"), 0.20, 0.65, "Narrow eyes at rest read high, so do a lowered brow and a raised cheek, and raised brows and upper lids read low. "
                    "Closing lids raise the score too: half of theirs is taken off.", less=(0.5, "eyeBlink")),
    "AU10": _Scores(_sides("mouthUpperUp"), 0.08, 0.70, "A smile lifts the upper lip too: 0.6 of its score is taken off, and 5 % of the distance. Lips pressed together or "
                    "pushed up by the chin read up to 0.6, short faces high, long ones low. Where the head is turned away the score is alone. "
                    "Compare within a person.", less=(0.6, "mouthSmile")),
    "AU12": _Scores(_sides("mouthSmile"), 0.05, 0.90, "A bared or stretched mouth in pain, or an open one, can read as a smile."),
    "AU14": _Scores(_sides("mouthDimple"), 0.05, 0.70, "Rises with one-sided movements of the mouth and with a dropped jaw."),
    "AU15": _Scores(_sides("mouthFrown"), 0.03, 0.50, "Heads turned downwards read high."),
    "AU17": _Scores(("mouthShrugLower",), 0.08, 0.80, "Rises in closing the lips for m, b and p."),
    "AU20": _Scores(_sides("mouthStretch"), 0.05, 0.50, "Rises in open vowels."),
    "AU23": _Scores(_sides("mouthPress"), 0.12, 0.60, "The engine does not tell the lip tightener from the lip pressor (AU24)."),
    "AU26": _Scores(("jawOpen",), 0.06, 0.70, "Rises in speech; AU26 and AU27 are not told apart."),
    "AU28": _Scores(("mouthRollLower", "mouthRollUpper"), 0.15, 0.70, "Presence only, as in OpenFace; seldom seen, so hardly tested."),
    "AU43": _Scores(_sides("eyeBlink"), 0.25, 0.75, _LIDS + " The same measure as AU45: how long it lasts tells closure from blink."),
    "AU45": _Scores(_sides("eyeBlink"), 0.25, 0.75, _LIDS + " The same measure as AU43: how long it lasts tells closure from blink."),
}  # fmt: skip


def intensities(
    scores: NDArray[np.float64], points: NDArray[np.float64], angles: NDArray[np.float64], facing: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """The intensity of every action unit in frames that show a face.

    Args:
        scores: n x 52 expression scores of 0-1, in the order of `BLENDSHAPES`.
        points: n x k x 3 landmarks, in the order of `pipelines.face_geometry.LANDMARKS`, in pixels.
        angles: n x 3 of head pose (pitch, yaw, roll), rad.
        facing: n times whether the head is turned little enough for geometry.

    Returns:
        By action unit, n intensities of 0-5; NaN where it cannot be measured.
    """
    pitch, smile = angles[:, 0], _mean(scores, _sides("mouthSmile"))
    found = {unit: _from_scores(rule, scores) for unit, rule in _FROM_SCORES.items()}
    geometry = {
        "AU06": cheek_raise(points, pitch),
        "AU09": nose_wrinkle(points, pitch, smile),
        "AU25": lips_apart(points),
    }
    found.update((unit, np.where(facing, values, np.nan)) for unit, values in geometry.items())
    beside = {"AU04": brow_lower(points, pitch), "AU10": lip_raise(points, smile)}
    # The greater, since either misses what the other sees, and each is low at rest.
    found.update(
        (unit, np.where(facing, np.maximum(found[unit], values), found[unit])) for unit, values in beside.items()
    )
    return {unit: found[unit] for unit in AU_NAMES}


def _mean(scores: NDArray[np.float64], names: tuple[str, ...]) -> NDArray[np.float64]:
    return np.asarray(scores[:, [BLENDSHAPES.index(name) for name in names]].mean(axis=1), dtype=np.float64)


def _from_scores(rule: _Scores, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    score = _mean(scores, rule.scores)
    if rule.less is not None:
        weight, name = rule.less
        score = score - weight * _mean(scores, _sides(name))
    return 5 * np.clip((score - rule.rest) / (rule.full - rule.rest), 0, 1)


def pspi(found: dict[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """The Prkachin and Solomon Pain Intensity: AU04 + max(AU06, AU07) + max(AU09, AU10) + AU43.

    In the original a coder grades the first five 0-5 and AU43 0 or 1; here AU43 is its intensity over 5.

    Args:
        found: intensities of 0-5 by action unit, all of one length.

    Returns:
        Scores of 0-16; NaN where any part is.

    Source:
        Prkachin and Solomon, Pain 2008, 139:267-274.

    >>> units = ("AU04", "AU06", "AU07", "AU09", "AU10", "AU43")
    >>> pspi({unit: np.array([5.0]) for unit in units}).tolist()
    [16.0]
    """
    orbit = np.maximum(found["AU06"], found["AU07"])
    levator = np.maximum(found["AU09"], found["AU10"])
    return found["AU04"] + orbit + levator + found["AU43"] / 5


def columns(found: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Intensities as the columns of `au_frames`: `AUnn_r`, `AUnn_c` and `pspi`.

    `AUnn_c` is NaN where `AUnn_r` tells presence: it is compared with a threshold at publication. AU28 has no intensity
    in `au_frames`, so its presence is judged here, from 1 on.
    """
    graded = {f"{unit}_r": values for unit, values in found.items() if unit not in PRESENCE_ONLY}
    present = {
        f"{unit}_c": np.where(np.isnan(values), np.nan, values >= _TRACE)
        if unit in PRESENCE_ONLY
        else np.full(len(values), np.nan)
        for unit, values in found.items()
    }
    return {**graded, **present, "pspi": pspi(found)}


_TRACE = 1.0
"""FACS's trace level."""


def support() -> pl.DataFrame:
    """The engine's rows of `au_support`: for every action unit its method, formula and caveat, one row each in their order."""
    rows: list[dict[str, object]] = []
    for unit in AU_NAMES:
        rule = GEOMETRY.get(unit) or _FROM_SCORES[unit]
        formula = rule.formula
        method = "geometry" if unit in GEOMETRY else "blendshape"
        if unit in BESIDE_SCORES:
            method = "blendshape and geometry"
            formula = f"the greater of {formula} and, unless the head is turned away, {BESIDE_SCORES[unit]}"
        caveat = f"{rule.caveat} {told(unit)}".rstrip()
        rows.append({"engine": ENGINE, "action_unit": unit, "method": method, "source": formula, "caveat": caveat})
    return AU_SUPPORT.frame(rows)
