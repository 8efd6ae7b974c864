"""The block `face` of `params.yaml`: which engine measures faces, and how."""

import difflib

from pydantic import Field, field_validator

from pipelines.params_block import Block

FACE_ENGINES = ("mediapipe",)
"""What `pipelines.face_engine` knows."""


class FaceParams(Block):
    """How faces are found and measured."""

    engine: str = "mediapipe"
    """What measures faces. A dataset version holds one engine's faces: see `validate.allow_mixed_engines`."""
    model_path: str | None = None
    """Another Face Landmarker model than the packaged one; state its `model_sha256` too."""
    model_sha256: str = Field(
        default="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff", pattern="^[0-9a-f]{64}$"
    )
    max_width_px: int = Field(default=640, ge=160)
    """Wider frames are scaled down to this before the landmarker sees them."""
    min_detection_confidence: float = Field(default=0.5, ge=0, le=1)
    min_presence_confidence: float = Field(default=0.5, ge=0, le=1)
    min_tracking_confidence: float = Field(default=0.5, ge=0, le=1)
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

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value not in FACE_ENGINES:
            near = difflib.get_close_matches(value, FACE_ENGINES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(FACE_ENGINES)}"
            raise ValueError(f"no face engine is called {value!r}; {hint}")
        return value
