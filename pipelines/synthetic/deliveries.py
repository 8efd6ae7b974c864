"""One delivered recording: its media file, its sidecar, and what was done to them on the way."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from pipelines.recording import Task
from pipelines.synthetic.people import Person, Visit, media_path
from pipelines.synthetic.recording import Filmed, Take

PUBLISHED: Final = "published"

Checksum = Literal["right", "absent", "wrong"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A media file with its sidecar, to be written.

    Args:
        path: of the media file, relative to the landing folder.
        person: whose it is.
        visit: the visit's label.
        recorded_at: when, with its offset.
        take: what was filmed; None where `damage` makes the bytes from nothing.
        expected: `published` or the code that it is to be given.
        damage: from what was filmed to what arrives.
        checksum: what the sidecar says of the file's SHA-256.
        sidecar: whether there is one.
    """

    path: str
    person: Person
    visit: str
    recorded_at: datetime
    take: Take | None
    expected: str = PUBLISHED
    damage: Callable[[bytes], bytes] = bytes
    checksum: Checksum = "right"
    sidecar: bool = True

    def write(self, folder: Path, filmed: Filmed | None) -> None:
        """Write the media file, then its sidecar, as the hospital's uploader does."""
        media = self.damage(filmed.media if filmed is not None else b"")
        path = folder / self.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(media)
        if self.sidecar:
            tasks = filmed.tasks if filmed is not None else (Task("reading", 0.0, 1.0), Task("free_speech", 1.0, 3.0))
            path.with_suffix(".json").write_bytes(self._sidecar(media, tasks))

    def _sidecar(self, media: bytes, tasks: tuple[Task, ...]) -> bytes:
        said: dict[str, object] = {
            "participant_id": self.person.participant_id,
            "visit": self.visit,
            "recorded_at": self.recorded_at.isoformat(timespec="seconds"),
            "device": self.person.device,
            "language": self.person.language,
        }
        if self.checksum != "absent":
            # A wrong one is that of the file before its last byte got lost.
            said["sha256"] = hashlib.sha256(media + b"\0" if self.checksum == "wrong" else media).hexdigest()
        said["tasks"] = [asdict(task) for task in tasks]
        return (json.dumps(said, indent=2) + "\n").encode()


def sound_delivery(person: Person, visit: Visit) -> Delivery:
    """A healthy recording as it should arrive; some uploaders write no checksum."""
    return Delivery(
        path=str(PurePosixPath(media_path(person, visit))),
        person=person,
        visit=visit.label,
        recorded_at=visit.recorded_at,
        take=visit.take,
        checksum="absent" if visit.take.seed % 5 == 0 else "right",
    )
