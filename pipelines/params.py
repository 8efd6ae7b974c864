"""`params.yaml` as frozen, typed blocks, one a stage; a wrong key names the nearest right one."""

import difflib
from pathlib import Path
from typing import Any, Literal, Self
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from pipelines.errors import UserError
from pipelines.params_block import Block
from pipelines.params_face import FaceParams
from pipelines.params_night import NightParams
from pipelines.params_publish import PublishParams
from pipelines.params_runner import DaskParams, RayParams, fit_exchange
from pipelines.params_s3 import S3Params
from schemas.landing import CONSENT_SCOPES
from schemas.people import PARTICIPANTS, QUASI_IDENTIFIERS
from schemas.voice import FEATURE_SET


class StudyParams(Block):
    """Of the study as a whole."""

    name: str = "PainLake study"
    landing: str = "landing"
    """A folder (relative ones stand in the study) or s3://bucket/prefix."""
    timezone: str = "Europe/Amsterdam"
    """The hospital's time zone: study days and times of day are its."""
    workers: int = Field(default=0, ge=0)
    """Worker processes; 0 takes one a core."""
    runner: Literal["process", "dask", "ray"] = "process"
    """Where media stages run: worker processes of this machine, or a cluster of Dask or Ray (docs/cluster.md)."""
    exchange: str | None = None
    """How recordings come to a cluster's workers and features back: null, by a file system that all share; or
    s3://bucket/prefix, for workers that do not see the study's folder."""
    dask: DaskParams = DaskParams()
    ray: RayParams = RayParams()
    unit_timeout_s: float = Field(default=900.0, gt=0)
    """How long one stage of one recording may take in a worker, by the clock."""
    unit_cpu_s: float = Field(default=600.0, ge=1)
    """How long it may compute."""
    worker_memory_mb: int = Field(default=4000, ge=1000)
    """What a worker may take; more is refused (RESOURCE_LIMIT). Stripping a file takes four times its size."""
    max_picture_mpx: float = Field(default=16.0, gt=0)
    """Larger pictures are not decoded; 4K has 8.9."""
    require_isolation: bool = True
    """Do nothing on a machine that cannot limit the memory and the network of workers; false only warns."""
    retries: int = Field(default=3, ge=0, le=10)
    """How often what can pass, such as storage that does not answer, is tried again; a broken file never is."""
    retry_wait_s: float = Field(default=2.0, gt=0)
    """How long before the first of them; each later one waits twice as long."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is called {value!r}")
        return value

    @field_validator("exchange")
    @classmethod
    def _bucket(cls, value: str | None) -> str | None:
        if value is not None:
            fit_exchange(value)
        return value


class ProtocolParams(Block):
    """The study's protocol."""

    max_duration_s: float = Field(default=60.0, gt=0)
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    min_age_a: int = Field(default=18, ge=0)
    languages: tuple[str, ...] = ("nl", "en")
    control_max_nrs: float = 0.0
    control_max_recordings: int = 1
    require_audio: bool = True
    require_video: bool = True


class LandParams(Block):
    """How deliveries are taken in."""

    stable_after_s: float = Field(default=0.0, ge=0)
    """A file younger than this is still being uploaded."""
    orphan_after_days: float = Field(default=7.0, ge=0)
    consent_scopes: tuple[Literal["recording", "ai_research", "sharing"], ...] = ("recording", "ai_research")
    """All of these must stand when a recording is made."""
    max_file_mb: float = Field(default=900.0, gt=0)
    """Stripping takes about four times this in a worker: see `study.worker_memory_mb`."""

    @field_validator("consent_scopes")
    @classmethod
    def _some_scope(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError(f"name at least one of {', '.join(CONSENT_SCOPES)}")
        return value


class PseudonymiseParams(Block):
    """How identities are removed."""

    age_band_years: int = Field(default=10, ge=5)


class QualityParams(Block):
    """Thresholds of the quality measures; units are in the names."""

    min_duration_s: float = Field(default=3.0, ge=0)
    max_missing_s: float = Field(default=0.25, ge=0)
    """What may be missing of the declared length: a few frames and the encoder's padding."""
    max_decode_error_share: float = Field(default=0.1, ge=0, le=1)
    max_frame_gap_s: float = Field(default=5.0, gt=0)
    """A longer interval between frames is no frame rate: the timestamps are wrong."""
    min_fps: float = Field(default=15.0, ge=0)
    """Shorter expressions than two frames of this rate go unseen."""
    max_frame_interval_cv: float = Field(default=0.1, ge=0)
    max_av_length_difference_s: float = Field(default=0.5, ge=0)
    min_width_px: int = Field(default=240, ge=0)
    min_height_px: int = Field(default=240, ge=0)
    min_brightness: float = Field(default=40.0, ge=0, le=255)
    min_sharpness: float = Field(default=20.0, ge=0)
    image_every: int = Field(default=5, ge=1)
    """Picture measures are taken on each n-th frame."""
    image_side_px: int = Field(default=320, ge=64)
    """The longer side is scaled down to this first, so that resolutions compare."""
    min_audio_level_dbfs: float = Field(default=-50.0, le=0)
    max_clipping_share: float = Field(default=0.001, ge=0, le=1)
    min_snr_db: float = 10.0
    min_speech_share: float = Field(default=0.1, ge=0, le=1)
    speech_on: float = Field(default=0.5, gt=0, lt=1)
    """Speech begins at this probability."""
    speech_off: float = Field(default=0.35, gt=0, lt=1)
    """Speech ends below this probability."""
    min_speech_s: float = Field(default=0.25, ge=0)
    min_silence_s: float = Field(default=0.1, ge=0)


class VoiceParams(Block):
    """The voice stage."""

    sample_rate_hz: int = Field(default=16_000, ge=8_000)
    """One rate for all, since jitter and shimmer shift with it."""
    min_segment_s: float = Field(default=0.5, ge=0.1)
    """A shorter stretch of sound has no functionals: they would rest on a handful of frames."""
    feature_sets: tuple[Literal["eGeMAPSv02", "GeMAPSv01b", "ComParE_2016", "emobase"], ...] = ("eGeMAPSv02",)
    """openSMILE's sets: eGeMAPSv02 always, since the grid and recording_features are made of it; others long."""
    levels: tuple[Literal["functionals", "lld"], ...] = ("functionals",)
    """Of the further sets: functionals over each task, low-level descriptors each 10 ms."""
    speech_on: float = Field(default=0.5, gt=0, lt=1)
    """Speech begins at this probability."""
    speech_off: float = Field(default=0.35, gt=0, lt=1)
    """Speech ends below this probability."""
    min_speech_s: float = Field(default=0.25, ge=0)
    min_silence_s: float = Field(default=0.1, ge=0)
    """Shorter silences do not end a stretch of speech."""
    min_pause_s: float = Field(default=0.25, gt=0)
    """Shorter silences between stretches are no pauses: closures of stops are as long."""
    cross_check: Literal["none", "praat"] = "none"
    """Another engine for pitch, jitter, shimmer, HNR and formants; praat needs the extra of that name (GPL-3)."""
    pitch_floor_hz: float = Field(default=75.0, ge=30)
    """Praat's range of pitch."""
    pitch_ceiling_hz: float = Field(default=500.0, le=2000)
    formant_ceiling_hz: float = Field(default=5500.0, gt=0)
    """Where Praat looks for five formants: 5500 suits women, 5000 men."""

    @field_validator("feature_sets")
    @classmethod
    def _the_wide_set(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if FEATURE_SET not in value or len(set(value)) != len(value):
            raise ValueError(f"name {FEATURE_SET} and any further sets, each once")
        return value

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.pitch_floor_hz >= self.pitch_ceiling_hz:
            raise ValueError("pitch_floor_hz must be below pitch_ceiling_hz")
        if self.cross_check == "praat" and self.formant_ceiling_hz > self.sample_rate_hz / 2:
            raise ValueError("formant_ceiling_hz must be at most half of sample_rate_hz")
        return self


class AlignParams(Block):
    """The common grid."""

    grid_hz: float = Field(default=25.0, gt=0, le=100)
    max_gap_s: float = Field(default=0.2, gt=0)
    """Between valid frames further apart than this nothing is interpolated."""
    max_av_offset_s: float = Field(default=0.5, gt=0, le=2)
    """How far sound and picture may be apart where the offset between them is looked for; it is stated, never applied."""


class ValidateParams(Block):
    """What the rules across tables let through; bounds of single columns stand in `schemas/`."""

    control_max_nrs: float = Field(default=0.0, ge=0, le=10)
    """A control's score above this is a warning."""
    control_max_recordings: int = Field(default=1, ge=1)
    """More current recordings of a control are a warning."""
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    """A time this far beyond the end of its recording is a warning."""
    allow_mixed_engines: bool = False
    """Publish recordings that different engines or models measured side by side."""


class VersionParams(Block):
    """The dataset's versions."""

    push: bool = True


class ReleaseParams(Block):
    """What a release must keep to before it leaves the study."""

    k_anonymity: int = Field(default=5, ge=2)
    """Everyone shares their quasi-identifiers with at least k - 1 others."""
    quasi_identifiers: tuple[str, ...] = QUASI_IDENTIFIERS
    """What others may know of a person: columns of the table participants."""
    rare_below: int = Field(default=5, ge=1)
    """A tumour type of fewer people becomes 'other'."""
    min_cell: int = Field(default=5, ge=1)
    """A drug, route, status, visit or reason that fewer people have is suppressed."""
    max_dropped_share: float = Field(default=0.2, ge=0, lt=1)
    """How many may be left out where k cannot be met otherwise; beyond it the release is refused."""

    @field_validator("quasi_identifiers")
    @classmethod
    def _columns_of_participants(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [name for name in PARTICIPANTS.names if name != "participant"]
        unknown = [name for name in value if name not in known]
        if unknown or not value or len(set(value)) != len(value):
            raise ValueError(f"name some of {', '.join(known)}, each once")
        return value


class EraseParams(Block):
    """The right to erasure."""

    on_withdrawal: Literal["wait", "erase"] = "wait"
    """Whether who takes back consent waits in `painlake status` for `painlake erase`, or is erased by that night."""


class Params(Block):
    """The whole of `params.yaml`."""

    study: StudyParams = StudyParams()
    protocol: ProtocolParams = ProtocolParams()
    land: LandParams = LandParams()
    pseudonymise: PseudonymiseParams = PseudonymiseParams()
    quality: QualityParams = QualityParams()
    face: FaceParams = FaceParams()
    voice: VoiceParams = VoiceParams()
    align: AlignParams = AlignParams()
    validation: ValidateParams = Field(default=ValidateParams(), alias="validate")
    publish: PublishParams = PublishParams()
    version: VersionParams = VersionParams()
    release: ReleaseParams = ReleaseParams()
    erase: EraseParams = EraseParams()
    s3: S3Params = S3Params()
    night: NightParams = NightParams()


_NO_STAGE = ("release", "erase", "s3", "night")
"""Blocks that DVC never asks for; a study made before there was one takes its defaults."""


def read_params(path: Path, *, complete: bool = False) -> Params:
    """Read `params.yaml`.

    Args:
        path: the file.
        complete: whether every stage's block must be there, as DVC wants it in a study.

    Raises:
        UserError: the file is missing, is no YAML, or has a key or value that does not fit; one line says which.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: `painlake init` makes one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise UserError(f"{path} holds no blocks of parameters")
    try:
        params = Params.model_validate({name: {} if block is None else block for name, block in values.items()})
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from error
    blocks = [field.alias or name for name, field in Params.model_fields.items()]
    missing = [block for block in blocks if values.get(block) is None and block not in _NO_STAGE]
    if complete and missing:
        raise UserError(f"{path}: the block {missing[0]!r} is missing; `{missing[0]}: {{}}` takes all its defaults")
    return params


def _explain(error: ValidationError) -> str:
    """The first thing that does not fit, in words; a misspelt key gets the nearest right one."""
    first: Any = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] != "extra_forbidden":
        return f"{where}: {first['msg']} (given: {first['input']!r})"
    block: type[BaseModel] = Params
    for part in first["loc"][:-1]:
        block = next(f.annotation for n, f in block.model_fields.items() if (f.alias or n) == part)  # type: ignore[assignment]
    known = [field.alias or name for name, field in block.model_fields.items()]
    near = difflib.get_close_matches(str(first["loc"][-1]), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key {where!r}; {hint}"
