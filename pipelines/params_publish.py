"""The block `publish` of `params.yaml`: what tables are made from features, and by which thresholds."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipelines.params_block import Block


class PresenceParams(Block):
    """From which intensity on an action unit is present, where the engine has no classifier of its own."""

    present_r: float = Field(default=1.0, gt=0, le=5)
    """FACS's trace level."""
    eyes_closed_r: float = Field(default=2.5, gt=0, le=5)
    """Of AU43 and AU45: lids half closed."""


class UsableParams(Block):
    """Which frames count in summaries. A measure that an engine does not give excludes no frame."""

    min_face_size: float = Field(default=0.1, ge=0, le=1)
    """Height of the face over that of the frame."""
    max_pitch_rad: float = Field(default=0.6, gt=0)
    max_yaw_rad: float = Field(default=0.6, gt=0)
    min_brightness: float = Field(default=40.0, ge=0, le=255)
    max_brightness: float = Field(default=235.0, ge=0, le=255)
    min_sharpness: float = Field(default=0.01, ge=0)
    """Of a face at 64 x 64 px, see au_frames.face_sharpness."""
    max_speed: float = Field(default=3.0, gt=0)
    """Face widths a second: faster ones smear."""
    max_outside: float = Field(default=0.05, ge=0, le=1)
    """Share of landmarks outside the picture."""


class NeutralParams(Block):
    """The neutral face, from what a person reads aloud."""

    quantile: float = Field(default=0.05, ge=0, le=0.5)
    """Of an action unit's intensity over a reading task."""
    min_frames: int = Field(default=25, ge=1)
    """A reading task of fewer usable frames says nothing."""
    over: Literal["person", "recording"] = "person"
    """What calibrated values are taken above: the median over a person's recordings, or each recording's own."""


class EventParams(Block):
    """How events of action units are cut out of their intensities."""

    onset_r: float = Field(default=1.0, gt=0, le=5)
    """An event begins where the intensity reaches this."""
    offset_r: float = Field(default=0.7, gt=0, le=5)
    """It ends where the intensity falls below this."""
    blink_onset_r: float = Field(default=2.0, gt=0, le=5)
    """The same of AU43 and AU45: lower than for presence, since 25 frames a second may miss how deep a blink is."""
    blink_offset_r: float = Field(default=1.2, gt=0, le=5)
    blink_max_s: float = Field(default=0.5, gt=0)
    """Eyes closed for longer are AU43 and no blink (AU45)."""
    min_duration_s: float = Field(default=0.06, ge=0)
    """Shorter ones are noise."""
    max_gap_s: float = Field(default=0.2, gt=0)
    """Frames further apart belong to no event together, and no frame stands for a longer time."""
    pspi_threshold: float = Field(default=2.0, gt=0, le=16)
    """Time in pain is counted from this PSPI on."""

    @model_validator(mode="after")
    def _ends_below_begin(self) -> Self:
        if self.offset_r > self.onset_r or self.blink_offset_r > self.blink_onset_r:
            raise ValueError("an event must end at or below the intensity at which it begins")
        return self


class PublishParams(Block):
    """The warehouse."""

    nrs_window_h: float = Field(default=24.0, gt=0)
    """The nearest pain score must lie within this of the recording."""
    keep_warehouses: int = Field(default=3, ge=1)
    """How many built DuckDB files stay; an older version can always be built again."""
    memory_limit_mb: int = Field(default=1200, ge=256)
    """What DuckDB may take while it builds."""
    grow_from_recordings: int = Field(default=100, ge=1)
    """A published file of at least so many is built upon; a smaller one, or one with a row that changed, anew."""
    presence: PresenceParams = PresenceParams()
    usable: UsableParams = UsableParams()
    neutral: NeutralParams = NeutralParams()
    events: EventParams = EventParams()
