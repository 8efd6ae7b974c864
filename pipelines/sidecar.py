"""Reading the sidecar that the hospital delivers beside each media file."""

import json
import re
from datetime import datetime
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipelines.errors import Rejection
from pipelines.recording import Task
from schemas.people import TASK_NAMES

_LANGUAGES = {"dutch": "nl", "nederlands": "nl", "nld": "nl", "english": "en", "engels": "en", "eng": "en"}
_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._+/()-]{0,39}")
"""A make and model; anything longer or with other characters may name its owner ("Jan's phone")."""


class SidecarTask(BaseModel):
    """A task's span within the recording."""

    name: str
    start_s: float = Field(ge=0, allow_inf_nan=False)
    end_s: float = Field(ge=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _forward(self) -> "SidecarTask":
        if self.name not in TASK_NAMES:
            raise ValueError(f"a task is one of {', '.join(TASK_NAMES)}")
        if self.end_s <= self.start_s:
            raise ValueError("a task ends after it begins")
        return self


class Sidecar(BaseModel):
    """The delivered sidecar; keys that the contract does not have are ignored, and so never kept."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    participant_id: str
    visit: str
    recorded_at: datetime
    device: str | None = None
    language: str | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{64}$")
    tasks: tuple[SidecarTask, ...] = ()

    @field_validator("tasks")
    @classmethod
    def _each_once(cls, tasks: tuple[SidecarTask, ...]) -> tuple[SidecarTask, ...]:
        if len({task.name for task in tasks}) != len(tasks):
            raise ValueError("a task stands once in a recording")
        return tasks

    @field_validator("recorded_at")
    @classmethod
    def _sane_year(cls, recorded_at: datetime) -> datetime:
        if not 1900 <= recorded_at.year <= 2200:
            raise ValueError("an absurd year")
        return recorded_at

    @property
    def plain_tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of time."""
        return tuple(Task(t.name, t.start_s, t.end_s) for t in sorted(self.tasks, key=lambda task: task.start_s))

    @property
    def safe_device(self) -> str | None:
        """The device if its name can only be a make and model."""
        device = (self.device or "").strip()
        holds_id = self.participant_id.lower() in device.lower() and len(self.participant_id) >= 3
        return device if _DEVICE.fullmatch(device) and not holds_id else None

    @property
    def language_code(self) -> str | None:
        """The language as ISO 639-1."""
        if not self.language:
            return None
        name = self.language.strip().lower()
        return _LANGUAGES.get(name, re.split(r"[-_]", name)[0])


def read_sidecar(content: bytes, zone: ZoneInfo) -> Sidecar:
    """Read a sidecar.

    Args:
        content: its bytes.
        zone: taken for a time that comes without an offset.

    Raises:
        Rejection: `SIDECAR_INVALID`; the detail names the key, never its value.
    """
    try:
        values = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        # ValueError: no Unicode, no JSON, or a number of more digits than Python reads.
        raise Rejection("SIDECAR_INVALID", "no JSON") from error
    try:
        sidecar = Sidecar.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the document"
        raise Rejection("SIDECAR_INVALID", f"{where}: {first['msg']}") from error
    if sidecar.recorded_at.tzinfo is None:
        return sidecar.model_copy(update={"recorded_at": sidecar.recorded_at.replace(tzinfo=zone)})
    return sidecar
