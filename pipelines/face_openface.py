"""The face engine `openface`: the CSV of OpenFace 2.x as the columns of `au_frames`.

OpenFace's frames are matched to ours by their number; times, and how well each frame shows the face, come from our own
decoder. FeatureExtraction follows one face and says nothing of others: MediaPipe counts them then, so that a second
person does not pass unseen.
"""

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.action_units import pspi
from pipelines.engine import Engine
from pipelines.errors import Rejection
from pipelines.frame_quality import Region, centre_speed, face_region
from pipelines.openface_csv import GRADED, PRESENT, Faces, read_faces
from pipelines.openface_input import check_set_up, find_csv
from pipelines.openface_support import OPENFACE, openface_support
from pipelines.params_face import FaceParams
from schemas.face import AU_NAMES, PRESENCE_ONLY

if TYPE_CHECKING:
    from pipelines.landmarker import Landmarker

_EYE_R, _EYE_L, _LIP_UPPER, _LIP_LOWER = 36, 45, 62, 66
_LIDS_HALF_CLOSED = 1.5
"""Intensity of AU45 from which lids cover so much that the engine only guesses where the iris is."""

_BOX = ("face_x", "face_y", "face_w", "face_h")


class OpenFace:
    """OpenFace 2.x: CSV files that it wrote, or its program FeatureExtraction."""

    name = OPENFACE

    def identity(self, params: FaceParams) -> Engine:
        """See `FaceEngine.identity`; the version is what `face.openface.version` states, since no CSV says it."""
        check_set_up(params.openface)
        return Engine(OPENFACE, params.openface.version, None)

    def along(self, params: FaceParams) -> None:
        """See `FaceEngine.along`: it compares with a file or a program that has seen the whole."""

    def support(self) -> pl.DataFrame:
        """See `FaceEngine.support`."""
        return openface_support()

    def try_out(self, params: FaceParams) -> None:
        """See `FaceEngine.try_out`: whether folder or program are there, and MediaPipe counts faces."""
        from pipelines.landmarker import open_landmarker  # noqa: PLC0415 - loading it is what is tried

        check_set_up(params.openface)
        open_landmarker(params).count(np.full((120, 160, 3), 128, dtype=np.uint8), params.second_face_min_size)

    def measure(self, media: bytes, recording: str, params: FaceParams) -> pl.DataFrame:
        """See `FaceEngine.measure`.

        Raises:
            Rejection: `ENGINE_INPUT_MISSING`: there is no CSV and no program; `ENGINE_INPUT_UNFIT`: the CSV is
                malformed or has another number of frames; `ENGINE_FAILED`, `DECODER_TIMEOUT`: of the program.
        """
        return _as_frames(_faces(media, recording, params), media, params)


def _faces(media: bytes, recording: str, params: FaceParams) -> Faces:
    path = find_csv(recording, params.openface)
    if path is not None:
        return read_faces(path.read_bytes(), params.openface.min_confidence)
    if params.openface.binary is None:
        raise Rejection("ENGINE_INPUT_MISSING", f"no {recording}.csv in face.openface.csv_folder")
    from pipelines.openface_run import run_openface  # noqa: PLC0415 - only who runs it needs it

    try:
        return read_faces(run_openface(media, params.openface), params.openface.min_confidence)
    except Rejection as error:
        if error.code != "ENGINE_INPUT_UNFIT":
            raise
        # Nobody can put another file in its place: the program itself is at fault.
        raise Rejection("ENGINE_FAILED", error.detail) from error


def _as_frames(faces: Faces, media: bytes, params: FaceParams) -> pl.DataFrame:
    """The rows of `au_frames`, of every frame that our decoder gives."""
    from pipelines.media import video_frames  # noqa: PLC0415 - publication asks what is supported, and decodes nothing

    boxes_px = np.concatenate([faces.points.min(axis=1), np.ptp(faces.points, axis=1)], axis=1)
    at = {int(frame): row for row, frame in enumerate(faces.index)}
    times_s: list[float] = []
    sizes_px: list[tuple[int, int]] = []
    counts: list[float] = []
    regions: dict[int, Region] = {}
    landmarker = None if faces.several else _landmarker(params)
    next_count_s = -math.inf
    for frame in video_frames(media, pixels="rgba", max_width=params.max_width_px):
        times_s.append(frame.timestamp_s)
        size_px = (frame.shown_width_px, frame.shown_height_px)
        sizes_px.append(size_px)
        due = frame.timestamp_s >= next_count_s
        if due:
            next_count_s = frame.timestamp_s + params.count_every_s
        counts.append(_count(faces, frame.index, frame.image, landmarker, params) if due else math.nan)
        row = at.get(frame.index)
        if row is not None:
            regions[frame.index] = face_region(frame.image, boxes_px[row] / np.tile(size_px, 2))
    _check_length(faces.frames, len(times_s), params.openface.max_frame_difference)
    kept = faces.index < len(times_s)
    index = faces.index[kept]
    measured = {
        **_geometry(faces, boxes_px, params, kept),
        **_quality(faces, boxes_px, kept, np.array(sizes_px, dtype=np.float64).reshape(-1, 2)[index]),
        "face_brightness": np.array([regions[frame].brightness for frame in index.tolist()]),
        "face_sharpness": np.array([regions[frame].sharpness for frame in index.tolist()]),
        **_units({name: values[kept] for name, values in faces.units.items()}),
    }
    everywhere = {name: _spread(values, index, len(times_s)) for name, values in measured.items()}
    boxes = np.stack([everywhere[name] for name in _BOX], axis=1)
    everywhere["face_speed"] = centre_speed(boxes, np.array(times_s, dtype=np.float64))
    return pl.DataFrame(
        {
            "frame": np.arange(len(times_s)),
            "timestamp_s": np.array(times_s, dtype=np.float64),
            "face_found": np.isin(np.arange(len(times_s)), index),
            "face_count": _or_null(np.array(counts, dtype=np.float64)),
            **{name: _or_null(values) for name, values in everywhere.items()},
        }
    )


def _landmarker(params: FaceParams) -> "Landmarker":
    from pipelines.landmarker import open_landmarker  # noqa: PLC0415 - publication needs no landmarker

    return open_landmarker(params)


def _count(
    faces: Faces, frame: int, image: NDArray[np.uint8], landmarker: "Landmarker | None", params: FaceParams
) -> int:
    """How many faces a frame shows that are at least a given share of the largest one's height."""
    if landmarker is not None:
        return landmarker.count(image, params.second_face_min_size)
    heights = faces.heights_px.get(frame, [])
    return sum(height >= params.second_face_min_size * max(heights) for height in heights)


def _check_length(of_csv: int, of_video: int, most: int) -> None:
    if abs(of_csv - of_video) > most:
        raise Rejection(
            "ENGINE_INPUT_UNFIT",
            f"OpenFace's CSV goes through {of_csv} frames, the video has {of_video}; they may differ by {most}",
        )


def _geometry(
    faces: Faces, boxes_px: NDArray[np.float64], params: FaceParams, kept: NDArray[np.bool_]
) -> dict[str, NDArray[np.float64]]:
    """Pose, gaze, mouth and box of the kept rows."""
    pose, points = faces.pose[kept], faces.points[kept]
    facing = np.all(np.abs(pose[:, :2]) <= params.max_turn_rad, axis=1)
    eyes_open = faces.units["AU45_r"][kept] < _LIDS_HALF_CLOSED
    gaze_rad = np.where((facing & eyes_open)[:, np.newaxis], gaze_in_head(faces.gaze[kept], pose), np.nan)
    gap = np.linalg.norm(points[:, _LIP_UPPER] - points[:, _LIP_LOWER], axis=1)
    eyes = np.linalg.norm(points[:, _EYE_R] - points[:, _EYE_L], axis=1)
    openness = np.divide(gap, eyes, out=np.full(len(gap), np.nan), where=facing & (eyes > 0))
    return {
        **dict(zip(_BOX, boxes_px[kept].T, strict=True)),
        **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), pose.T, strict=True)),
        "mouth_open": openness,
        "gaze_x": gaze_rad[:, 0],
        "gaze_y": gaze_rad[:, 1],
    }


def gaze_in_head(gaze: NDArray[np.float64], pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """OpenFace's directions of gaze, which are the camera's, turned into the head's axes; the mean of both eyes.

    Args:
        gaze: n x 2 x 3, each eye's direction; x right, y down, z away from the camera.
        pose: n x 3 (pitch, yaw, roll), rad; R = Rx Ry Rz turns the head's axes into the camera's.

    Returns:
        n x 2 (across: positive to the right of the picture; down) angles in radians, NaN where either eye's is.

    >>> from math import sin, cos
    >>> straight_ahead = np.array([[[sin(-0.3), 0, -cos(-0.3)]] * 2])
    >>> gaze_in_head(straight_ahead, np.array([[0, 0.3, 0]])).round(6).tolist()
    [[0.0, 0.0]]
    """
    (cx, cy, cz), (sx, sy, sz) = np.cos(pose).T, np.sin(pose).T
    nought, one = np.zeros(len(pose)), np.ones(len(pose))
    turn_x = np.stack([one, nought, nought, nought, cx, -sx, nought, sx, cx], axis=1).reshape(-1, 3, 3)
    turn_y = np.stack([cy, nought, sy, nought, one, nought, -sy, nought, cy], axis=1).reshape(-1, 3, 3)
    turn_z = np.stack([cz, -sz, nought, sz, cz, nought, nought, nought, one], axis=1).reshape(-1, 3, 3)
    mean = gaze.mean(axis=1)
    unit = mean / np.linalg.norm(mean, axis=1, keepdims=True)
    within = np.einsum("nji,nj->ni", turn_x @ turn_y @ turn_z, unit)
    # Adding 0 turns -0.0 into 0.0.
    return np.asarray(np.arcsin(np.clip(within[:, :2], -1, 1)), dtype=np.float64) + 0.0


def _quality(
    faces: Faces, boxes_px: NDArray[np.float64], kept: NDArray[np.bool_], sizes_px: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    points = faces.points[kept]
    outside = np.any((points < 0) | (points > sizes_px[:, np.newaxis]), axis=2)
    return {
        "face_size": boxes_px[kept][:, 3] / sizes_px[:, 1],
        "face_outside": outside.mean(axis=1),
    }


def _units(units: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Action units as delivered; NaN what OpenFace has not. PSPI has AU45 in place of AU43."""
    nothing = np.full(len(units["AU45_r"]), np.nan)
    found = {
        f"{unit}_r": units[f"{unit}_r"] if unit in GRADED else nothing for unit in AU_NAMES if unit not in PRESENCE_ONLY
    }
    found |= {f"{unit}_c": units[f"{unit}_c"] if unit in PRESENT else nothing for unit in AU_NAMES}
    score = pspi(
        {unit: found[f"{unit}_r"] for unit in ("AU04", "AU06", "AU07", "AU09", "AU10")} | {"AU43": units["AU45_r"]}
    )
    return {**found, "pspi": score}


def _spread(values: NDArray[np.float64], index: NDArray[np.int64], frames: int) -> NDArray[np.float64]:
    """Values of some frames, among all of them; NaN elsewhere."""
    everywhere = np.full(frames, np.nan)
    everywhere[index] = values
    return everywhere


def _or_null(values: NDArray[np.float64]) -> pl.Series:
    return pl.Series(values, nan_to_null=True)
