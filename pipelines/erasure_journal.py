"""The journal of an erasure: which steps are done, and what they work on. A killed erasure goes on from here."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipelines.durable import write_durably
from pipelines.errors import PainLakeError
from pipelines.study import Study


@dataclass(slots=True)
class Journal:
    """One erasure, by pseudonym; nothing in it leads to the person once the vault has forgotten them.

    Args:
        pseudonym, digest, erased_at: as on the tombstone.
        reason: as the engineer gave it.
        done: names of the steps that are done, in order.
        recordings: names of the person's recordings.
        deliveries: the person's deliveries, by their random-looking ids.
        rows: digests of rows of delivered tables that were set aside.
        objects: the person's object hashes (md5, as DVC names them) over all versions, and of nobody else.
        shared: object hashes that others have too, and so stay.
        releases: in words, the releases that have the person.
        removed: what was removed, by place.
        published: in words, what became of the dataset.
        notes: what the receipt has to say besides.
    """

    pseudonym: str
    digest: str
    erased_at: str
    reason: str
    done: list[str] = field(default_factory=list)
    recordings: list[str] = field(default_factory=list)
    deliveries: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    objects: list[str] = field(default_factory=list)
    shared: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    removed: dict[str, Any] = field(default_factory=dict)
    published: str = ""
    notes: list[str] = field(default_factory=list)

    def write(self, study: Study) -> None:
        """Write it down, whole or not at all."""
        content = json.dumps(asdict(self), indent=1) + "\n"
        write_durably(journal_file(study, self.pseudonym), content.encode(), mode=0o600)


def journal_file(study: Study, pseudonym: str) -> Path:
    """Where the journal of a person's erasure stands while it is under way."""
    return study.state / "erasures" / f"{pseudonym}.json"


def unfinished(study: Study) -> list[Journal]:
    """The erasures under way, by pseudonym.

    Raises:
        PainLakeError: a journal cannot be read.
    """
    return [_read(path) for path in sorted((study.state / "erasures").glob("[!.]*.json"))]


def _read(path: Path) -> Journal:
    try:
        return Journal(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise PainLakeError(
            f"{path} is no journal of an erasure: remove it, and run the erasure again with the ID"
        ) from error
