"""`params.yaml` as frozen, typed blocks, one a stage; a wrong key names the nearest right one."""

import difflib
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from pipelines.errors import UserError
from schemas.landing import CONSENT_SCOPES


class Block(BaseModel):
    """A frozen block of parameters that knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StudyParams(Block):
    """Of the study as a whole."""

    name: str = "PainLake study"
    landing: str = "landing"
    """A folder (relative ones stand in the study) or s3://bucket/prefix."""
    timezone: str = "Europe/Amsterdam"
    """The hospital's time zone: study days and times of day are its."""
    workers: int = Field(default=0, ge=0)
    """Worker processes; 0 takes one a core."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"no time zone is called {value!r}")
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
    max_file_mb: float = Field(default=2000.0, gt=0)

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


class FaceParams(Block):
    """The face stage."""


class VoiceParams(Block):
    """The voice stage."""

    sample_rate_hz: int = Field(default=16_000, ge=8_000)
    """One rate for all, since jitter and shimmer shift with it."""


class AlignParams(Block):
    """The common grid."""

    grid_hz: float = Field(default=25.0, gt=0, le=100)


class ValidateParams(Block):
    """What the gate lets through."""


class PublishParams(Block):
    """The warehouse."""

    nrs_window_h: float = Field(default=24.0, gt=0)
    """The nearest pain score must lie within this of the recording."""
    keep_warehouses: int = Field(default=3, ge=1)


class VersionParams(Block):
    """The dataset's versions."""

    push: bool = True


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


def read_params(path: Path) -> Params:
    """Read `params.yaml`.

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
        return Params.model_validate(values)
    except ValidationError as error:
        raise UserError(f"{path}: {_explain(error)}") from error


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
