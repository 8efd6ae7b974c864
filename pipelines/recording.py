"""A recording as every stage after pseudonymisation sees it: no name, no date, no path of the hospital's."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Task:
    """What the person did from `start_s` to `end_s` (seconds from the start of the recording)."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Recording:
    """The pseudonymised sidecar, `lake/<participant>/recordings/<recording>.json`.

    `media_sha256` is that of the stripped recording before encryption: the input of every later stage.
    `declared_duration_s` is what the delivered container claimed, which stripping replaces by the truth.
    """

    recording: str
    participant: str
    visit: str
    study_day: int
    time_of_day_min: int
    study_minute: int
    device: str | None
    language: str | None
    tasks: tuple[Task, ...]
    media_sha256: str
    declared_duration_s: float | None = None
    flags: tuple[str, ...] = ()
    superseded: bool = False

    def to_json(self) -> bytes:
        """Stable bytes: the same recording gives the same file."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True) + "\n").encode()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a sidecar back.

        Raises:
            FileNotFoundError: there is none.
        """
        values: dict[str, Any] = json.loads(path.read_bytes())
        values["tasks"] = tuple(Task(**task) for task in values["tasks"])
        values["flags"] = tuple(values["flags"])
        return cls(**values)
