"""What the hospital delivers: the CSV files' columns and the media files' names."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["id", "text", "code", "number", "date", "datetime"]

MEDIA_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".wav")


@dataclass(frozen=True, slots=True)
class Field:
    """One delivered column.

    Args:
        kind: how its text is read; `code` is short text without sentences, so no place for a name.
        required: whether an empty cell puts the row in quarantine.
        minimum, maximum: inclusive bounds of a number.
        allowed: the closed set of (lower-case) values, if there is one.
        aliases: other spellings of those values.
        pattern: a regular expression that the whole text matches.
    """

    kind: Kind
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] = ()
    aliases: Mapping[str, str] = field(default_factory=dict)
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveredTable:
    """One delivered CSV file: `landing/<name>.csv`; `key` names its rows."""

    name: str
    fields: Mapping[str, Field]
    key: tuple[str, ...]


_ID = Field("id", required=True)
_WHEN = Field("datetime", required=True)
_NRS = Field("number", minimum=0, maximum=10)

_SEX_ALIASES = {"f": "female", "v": "female", "vrouw": "female", "m": "male", "man": "male", "o": "other", "x": "other"}

DELIVERED_TABLES = (
    DeliveredTable(
        "participants",
        {
            "participant_id": _ID,
            "birth_date": Field("date", required=True),
            "sex": Field("code", allowed=("female", "male", "other"), aliases=_SEX_ALIASES),
            "group": Field("code", required=True, allowed=("pain", "control")),
            "site": Field("code"),
            "language": Field("code", pattern=r"[A-Za-z]{2}"),
            "tumour_type": Field("code"),
            "tumour_stage": Field("code"),
            "admission_reason": Field("code"),
            "enrolled_at": Field("date", required=True),
            "exclusion": Field("code"),
        },
        key=("participant_id",),
    ),
    DeliveredTable(
        "consent",
        {
            "participant_id": _ID,
            "recorded_at": _WHEN,
            "status": Field("code", required=True, allowed=("given", "withdrawn", "expired")),
            "scope": Field("code", required=True),
        },
        key=("participant_id", "recorded_at", "scope"),
    ),
    DeliveredTable(
        "clinical",
        {
            "participant_id": _ID,
            "observed_at": _WHEN,
            "nrs_now": _NRS,
            "nrs_worst_24h": _NRS,
            "nrs_mean_24h": _NRS,
            "ecog": Field("number", minimum=0, maximum=5),
            "clinical_status": Field("code"),
        },
        key=("participant_id", "observed_at"),
    ),
    DeliveredTable(
        "medications",
        {
            "participant_id": _ID,
            "administered_at": _WHEN,
            "atc_code": Field("code", required=True, pattern=r"[A-Z]\d{2}([A-Z]([A-Z](\d{2})?)?)?"),
            "drug": Field("code"),
            "dose_mg": Field("number", minimum=0, maximum=100_000),
            "route": Field("code"),
        },
        key=("participant_id", "administered_at", "atc_code", "route"),
    ),
    DeliveredTable(
        "questionnaires",
        {
            "participant_id": _ID,
            "completed_at": _WHEN,
            "instrument": Field("code", required=True),
            "item": Field("code", required=True),
            "value": Field("number"),
        },
        key=("participant_id", "completed_at", "instrument", "item"),
    ),
)
CONSENT_SCOPES = ("recording", "ai_research", "sharing")
