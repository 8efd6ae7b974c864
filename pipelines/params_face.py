"""The block `face` of `params.yaml`: which engine measures faces, and how."""

import difflib
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from pipelines.params_block import Block

FACE_ENGINES = ("mediapipe", "pyfeat", "openface")
"""What `pipelines.face_engine` knows."""

_SHA256 = "^[0-9a-f]{64}$"


class PyFeatParams(Block):
    """The engine `pyfeat`: which of py-feat's models, on which frames, and where its weights are."""

    model: Literal["detectorv2", "detectorv1"] = "detectorv2"
    """detectorv2: the multitask model; detectorv1: classifiers on HOG and landmarks."""
    au_model: Literal["xgb", "svm"] = "xgb"
    """Which classifiers detectorv1 has: xgb gives probabilities, svm decides alone and leaves AUnn_r NULL."""
    every_n_frames: int = Field(default=2, ge=1)
    """Action units are measured in each n-th frame, NULL in those between; box, pose, mouth and blinks in all. Keep n
    frames below publish.events.max_gap_s and align.max_gap_s (0.2 s), or there are no events and nothing on the grid."""
    max_width_px: int = Field(default=1280, ge=160)
    """Wider frames are scaled down to this before the face is cropped; the crop has 256 px."""
    batch_size: int = Field(default=2, ge=1, le=64)
    """How many crops go through the model at once; on a CPU more are slower and take more memory."""
    weights_folder: str | None = None
    """A folder with the files of the weights; null: the user's Hugging Face cache, or py-feat's own. Nothing is fetched."""
    multitask_sha256: str | None = Field(default=None, pattern=_SHA256)
    """If stated, detectorv2's weights must have this SHA-256."""
    landmarks_sha256: str | None = Field(default=None, pattern=_SHA256)
    """The same of detectorv1's landmark model."""
    classifiers_sha256: str | None = Field(default=None, pattern=_SHA256)
    """The same of detectorv1's classifiers."""


class OpenFaceParams(Block):
    """Of the engine `openface`: where its CSV files are, or the program that makes them."""

    csv_folder: str | None = None
    """A folder with `<recording>.csv` or `<recording>/*.csv` as FeatureExtraction writes them; an absolute path."""
    binary: str | None = None
    """FeatureExtraction, by path or by its name on the PATH: it is run where a recording has no CSV."""
    version: str = Field(default="2.x", pattern=r"^[0-9A-Za-z.+_-]+$")
    """OpenFace's version, for provenance: its CSV does not say. Another one measures all recordings again."""
    min_confidence: float = Field(default=0.0, ge=0, le=1)
    """A face is found where `success` is 1, OpenFace's own verdict, and `confidence` at least this."""
    max_frame_difference: int = Field(default=2, ge=0)
    """How many frames a CSV may have more or fewer than the video, at its end; more is ENGINE_INPUT_UNFIT."""
    timeout_s: float = Field(default=600.0, gt=0)
    """How long the program may take for a recording; `study.unit_timeout_s` holds too."""

    @field_validator("csv_folder")
    @classmethod
    def _absolute(cls, value: str | None) -> str | None:
        if value is not None and not Path(value).is_absolute():
            raise ValueError("give the folder's absolute path: runs start in different places")
        return value


class FaceParams(Block):
    """How faces are found and measured."""

    engine: str = "mediapipe"
    """What measures faces. A dataset version holds one engine's faces: see `validate.allow_mixed_engines`."""
    model_path: str | None = None
    """Another Face Landmarker model than the packaged one; state its `model_sha256` too."""
    model_sha256: str = Field(
        default="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff", pattern=_SHA256
    )
    max_width_px: int = Field(default=640, ge=160)
    """Wider frames are scaled down to this before the landmarker sees them."""
    min_detection_confidence: float = Field(default=0.5, ge=0, le=1)
    min_presence_confidence: float = Field(default=0.5, ge=0, le=1)
    min_tracking_confidence: float = Field(default=0.5, ge=0, le=1)
    """Without effect: it tells several faces apart, and one is tracked."""
    max_turn_rad: float = Field(default=0.7, gt=0, le=1.6)
    """Action units from geometry are NULL where the head is pitched or turned further than this."""
    min_coverage: float = Field(default=0.8, ge=0, le=1)
    """LOW_FACE_COVERAGE where a smaller share of the frames shows a face."""
    count_every_s: float = Field(default=1.0, gt=0)
    """How often faces are counted."""
    second_face_min_size: float = Field(default=0.4, gt=0, le=1)
    """A further face counts from this share of the largest one's height on."""
    second_face_min_share: float = Field(default=0.1, gt=0, le=1)
    """MULTI_PERSON where at least this share of the counts (and two of them, if there are two) shows a second face."""
    pyfeat: PyFeatParams = PyFeatParams()
    """Of the engine `pyfeat`."""
    openface: OpenFaceParams = OpenFaceParams()
    """Of the engine `openface`."""

    def idle(self) -> frozenset[str]:
        """The blocks of engines that are not chosen, and what has no effect."""
        unused = frozenset({"min_tracking_confidence"})
        return unused | frozenset(FACE_ENGINES) & frozenset(type(self).model_fields) - {self.engine}

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value not in FACE_ENGINES:
            near = difflib.get_close_matches(value, FACE_ENGINES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(FACE_ENGINES)}"
            raise ValueError(f"no face engine is called {value!r}; {hint}")
        return value
