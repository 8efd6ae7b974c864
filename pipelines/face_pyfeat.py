"""The face engine `pyfeat`: MediaPipe finds and tracks the face in every frame, py-feat measures its action units.

py-feat alone looks for faces anew in every frame, which takes it longer than measuring them. Here its model gets the
face where MediaPipe has it, in each n-th frame; box, pose, mouth, gaze, frame quality and blinks are MediaPipe's, in
every frame. In the frames between, action units are NULL.
"""

import importlib.metadata
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.action_units import pspi
from pipelines.action_units import support as mediapipe_support
from pipelines.engine import Engine
from pipelines.errors import UserError
from pipelines.face_mediapipe import MediaPipe
from pipelines.face_model import load_model
from pipelines.params_face import FaceParams, PyFeatParams
from pipelines.pyfeat_weights import digest, find_weights
from schemas.face import AU_NAMES, AU_SUPPORT, PRESENCE_ONLY

if TYPE_CHECKING:
    from pipelines.pyfeat_model import Model

ENGINE = "pyfeat"
_OF_MEDIAPIPE = frozenset({"AU45"})
"""Measured by MediaPipe in every frame: py-feat's released model has no blink, and each n-th frame would miss some."""
_OF_PYFEAT = tuple(unit for unit in AU_NAMES if unit not in _OF_MEDIAPIPE)
_PRESENT = 0.5
"""The probability from which a classifier says yes."""
_LIBRARIES = {
    "detectorv2": ("py-feat", "torch", "timm", "ai-edge-litert"),
    "detectorv1": ("py-feat", "torch", "scikit-learn", "xgboost", "ai-edge-litert"),
}
"""Whose versions can change a number."""

Values = NDArray[np.float64]


class PyFeat:
    """py-feat's models on faces that MediaPipe has found."""

    name = ENGINE

    def identity(self, params: FaceParams) -> Engine:
        """See `FaceEngine.identity`; the model hash is that of py-feat's weights."""
        load_model(params)
        try:
            first, *others = [(each, importlib.metadata.version(each)) for each in _LIBRARIES[params.pyfeat.model]]
        except importlib.metadata.PackageNotFoundError as error:
            raise UserError(
                f"face.engine: pyfeat wants the extra `painlake[pyfeat]`: {error.name} is not installed"
            ) from error
        version = f"{first[1]} ({', '.join(' '.join(each) for each in others)})"
        return Engine(ENGINE, version, digest(find_weights(params.pyfeat)))

    def along(self, params: FaceParams) -> None:
        """See `FaceEngine.along`: it takes frames many at once."""

    def support(self) -> pl.DataFrame:
        """See `FaceEngine.support`."""
        return support()

    def try_out(self, params: FaceParams) -> None:
        """See `FaceEngine.try_out`: look for a face in a grey picture, and measure the picture as if it were one."""
        self.identity(params)
        MediaPipe().try_out(params)
        model = _model(params.pyfeat)
        image = np.full((120, 160, 3), 128, dtype=np.uint8)
        model.read([model.crop(image, (40.0, 20.0, 120.0, 100.0))])

    def measure(self, media: bytes, recording: str, params: FaceParams) -> pl.DataFrame:
        """See `FaceEngine.measure`."""
        frames = MediaPipe().measure(media, recording, params)
        return frames.with_columns(_columns(_said(media, frames, params.pyfeat), params.pyfeat))


def _model(params: PyFeatParams) -> "Model":
    # py-feat must not ask the hub for anything, whatever it is given: workers have no network.
    os.environ["HF_HUB_OFFLINE"] = "1"
    from pipelines.pyfeat_model import open_model  # noqa: PLC0415 - torch is an extra, and takes seconds to load

    return open_model(find_weights(params), params.au_model)


def _said(media: bytes, frames: pl.DataFrame, params: PyFeatParams) -> dict[str, Values]:
    """What py-feat's model says of each action unit in n frames: 0-1, NaN in frames without a face and those between."""
    said = {unit: np.full(frames.height, np.nan) for unit in _OF_PYFEAT}
    found = frames["face_found"].to_numpy()
    if not found[:: params.every_n_frames].any():
        return said
    from pipelines.media import video_frames  # noqa: PLC0415 - publication asks this module what it supports, and decodes nothing

    model = _model(params)
    boxes = frames.select("face_x", "face_y", "face_w", "face_h").to_numpy()
    crops: list[object] = []
    numbers: list[int] = []

    def read() -> None:
        if crops:
            values = model.read(crops)
            for unit in _OF_PYFEAT:
                said[unit][numbers] = values[unit]
            crops.clear()
            numbers.clear()

    # A second decoding, in pixels of its own: the tracker is content with smaller pictures than the model was made for.
    for frame in video_frames(media, pixels="rgb", max_width=params.max_width_px, every=params.every_n_frames):
        if not found[frame.index]:
            continue
        height, width = frame.image.shape[:2]
        scale = (width / frame.shown_width_px, height / frame.shown_height_px)
        crops.append(model.crop(frame.image, _corners(boxes[frame.index], scale)))
        numbers.append(frame.index)
        if len(crops) == params.batch_size:
            read()
    read()
    return said


def _corners(box: Values, scale: Sequence[float]) -> tuple[float, float, float, float]:
    """x, y, width, height as x1, y1, x2, y2 in a picture that was scaled."""
    x, y, w, h = (float(each) for each in box * np.tile(scale, 2))
    return x, y, x + w, y + h


def _columns(said: dict[str, Values], params: PyFeatParams) -> list[pl.Series]:
    """The columns of `au_frames` that py-feat fills, NULL where it has nothing to say."""
    decides_alone = params.model == "detectorv1" and params.au_model == "svm"
    intensities = {unit: np.full_like(p, np.nan) if decides_alone else 5 * p for unit, p in said.items()}
    filled = {f"{unit}_r": values for unit, values in intensities.items() if unit not in PRESENCE_ONLY}
    filled |= {f"{unit}_c": np.where(np.isnan(p), np.nan, p >= _PRESENT) for unit, p in said.items()}
    filled["pspi"] = pspi(intensities)
    return [pl.Series(name, values, dtype=pl.Float64, nan_to_null=True) for name, values in filled.items()]


_CAVEATS = {
    "AU04": "Part of PSPI, which is here a sum of probabilities times 5 and no sum of intensities.",
    "AU25": "Rises in speech.",
    "AU26": "Rises in speech.",
    "AU28": "Presence only, as in OpenFace.",
    "AU43": "In each n-th frame, so that short blinks go unseen: they are AU45.",
}
_OF_ALL = (
    "A probability, and no intensity: a sure trace and a sure maximum both read 5, so compare a unit with itself. Not "
    "calibrated for patients or for the crop from MediaPipe's box in place of RetinaFace's. NULL between the frames of "
    "face.pyfeat.every_n_frames. With face.pyfeat.au_model svm, {unit}_c is decided and {unit}_r is NULL."
)


def support() -> pl.DataFrame:
    """The engine's rows of `au_support`: for every action unit its method, formula and caveat, one row each in their order."""
    rows: list[dict[str, object]] = []
    for row in mediapipe_support().iter_rows(named=True):
        unit = row["action_unit"]
        if unit in _OF_MEDIAPIPE:
            caveat = f"MediaPipe's, in every frame: py-feat's released model has no {unit}. {row['caveat']}"
            rows.append({**row, "engine": ENGINE, "caveat": caveat})
            continue
        graded = "" if unit in PRESENCE_ONLY else f"{unit}_r = 5 p, "
        source = (
            f"{graded}{unit}_c = p >= {_PRESENT}, with p what py-feat has for the probability of {unit} (0-1). Detectorv2: cosine "
            "similarity to the unit's prototype, multitask model face_multitask_v28 (ConvNeXt V2; after ME-GraphAU, Luo et al., "
            "IJCAI 2022); Detectorv1: boosted trees on HOG and landmarks (Cheong et al. 2023, doi:10.1007/s42761-023-00191-4)"
        )
        caveat = " ".join((_CAVEATS.get(unit, ""), _OF_ALL.format(unit=unit))).strip()
        rows.append({"engine": ENGINE, "action_unit": unit, "method": "model", "source": source, "caveat": caveat})
    return AU_SUPPORT.frame(rows)
