"""A hospital that delivers, and a study without git, DVC or workers that takes in what it delivers."""

import csv
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import av
import numpy as np

from pipelines.deliveries import Delivery
from pipelines.desk import Desk
from pipelines.discover import Discovery
from pipelines.land import Accepted, Judge
from pipelines.landing_zone import FolderLanding
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.params import Params
from pipelines.pseudonymise import Source, pseudonymise
from pipelines.quarantine import Quarantine
from pipelines.recording import Recording
from pipelines.study import Study
from pipelines.tables import take_tables
from pipelines.unsettled import settle
from pipelines.vault import Vault
from schemas.landing import DELIVERED_TABLES
from tests.pipelines.video_factory import plain, video

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ENROLLED = "2026-03-01"
RECORDED_AT = "2026-03-15T10:30:00+01:00"
ID = "MRN-4711007"
"""A hospital ID that nothing else holds by chance, to be looked for in bytes."""
NAME = "Annemarie-Grootenboer"
"""A name in a file's name, to be looked for in bytes."""

Row = Mapping[str, str]
_COLUMNS = {table.name: tuple(table.fields) for table in DELIVERED_TABLES}
_PERSON = {
    "participant_id": ID,
    "birth_date": "1961-05-04",
    "sex": "V",
    "group": "pain",
    "site": "north",
    "language": "NL",
    "tumour_type": "breast",
    "enrolled_at": ENROLLED,
}


def small_mp4(level: int = 90) -> bytes:
    """A third of a second of grey; each level gives other bytes."""
    return video([plain(level)] * 8)


def wav(seconds: float = 1.0, rate_hz: int = 8_000) -> bytes:
    """A quiet tone as 16-bit PCM."""
    count = round(seconds * rate_hz)
    samples: bytes = (3000 * np.sin(np.arange(count) * 0.3)).astype("<i2").tobytes()
    head = b"RIFF" + (36 + len(samples)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    form = (1).to_bytes(2, "little") * 2 + rate_hz.to_bytes(4, "little") + (2 * rate_hz).to_bytes(4, "little")
    return head + form + b"\x02\x00\x10\x00data" + len(samples).to_bytes(4, "little") + samples


def remuxed(media: bytes, container: str, **options: str) -> bytes:
    """The same packets in another container."""
    # In a file, since moving an MP4's index to the front reads it back.
    with tempfile.NamedTemporaryFile(suffix=f".{container}") as out:
        with (
            av.open(io.BytesIO(media), "r") as source,
            av.open(out.name, "w", format=container, options=options) as sink,
        ):
            copies = {stream.index: sink.add_stream_from_template(stream) for stream in source.streams}
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = copies[packet.stream.index]
                    sink.mux_one(packet)
        return Path(out.name).read_bytes()


@dataclass(slots=True)
class Hospital:
    """Delivers files; every writing gets a later time, as on a clock."""

    folder: Path
    at: datetime = NOW - timedelta(days=1)
    _tables: dict[str, list[Row]] = field(default_factory=dict)

    def write(self, path: str, content: bytes) -> Path:
        """A file as it is."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        self.at += timedelta(seconds=1)
        os.utime(target, (self.at.timestamp(), self.at.timestamp()))
        return target

    def table(self, name: str, *rows: Row, columns: Sequence[str] = (), delimiter: str = ";") -> None:
        """A table with these rows alone; columns that a row does not name are empty."""
        text = io.StringIO()
        writer = csv.DictWriter(text, columns or _COLUMNS[name], restval="", delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        self.write(f"{name}.csv", text.getvalue().encode())

    def _add(self, name: str, *rows: Row) -> None:
        self._tables.setdefault(name, []).extend(rows)
        self.table(name, *self._tables[name])

    def register(self, participant_id: str = ID, **facts: str) -> None:
        """A person, as `participants.csv` has them."""
        self._add("participants", {**_PERSON, "participant_id": participant_id, **facts})

    def consent(
        self,
        status: str = "given",
        at: str = "2026-03-01T09:00:00+01:00",
        scopes: Sequence[str] = ("recording", "ai_research"),
        participant_id: str = ID,
    ) -> None:
        """Consent given or taken back."""
        event = {"participant_id": participant_id, "recorded_at": at, "status": status}
        self._add("consent", *({**event, "scope": scope} for scope in scopes))

    def admit(self, participant_id: str = ID, **facts: str) -> None:
        """Register a person who consents."""
        self.register(participant_id, **facts)
        self.consent(participant_id=participant_id)

    def score(self, nrs: str, at: str = "2026-03-15T09:00:00+01:00", participant_id: str = ID) -> None:
        """A pain score."""
        self._add("clinical", {"participant_id": participant_id, "observed_at": at, "nrs_now": nrs})

    def film(
        self,
        media: bytes,
        name: str = f"{NAME}.mp4",
        *,
        participant_id: str = ID,
        visit: str = "V1",
        sidecar: Mapping[str, object] | None = None,
    ) -> str:
        """A media file and its sidecar, with the given keys changed (None leaves one out); returns the file's path."""
        path = f"recordings/{participant_id}/{visit}/{name}"
        self.write(path, media)
        self.describe(path, {"sha256": hashlib.sha256(media).hexdigest(), **(sidecar or {})})
        return path

    def describe(self, path: str, keys: Mapping[str, object] | None = None) -> None:
        """The sidecar of a media file."""
        _, participant_id, visit, _ = path.split("/")
        whole: dict[str, object] = {
            "participant_id": participant_id,
            "visit": visit,
            "recorded_at": RECORDED_AT,
            "device": "Sony FDR-AX43",
            "language": "nl",
            "tasks": [{"name": "reading", "start_s": 0.0, "end_s": 0.1}],
        } | dict(keys or {})
        kept = {key: value for key, value in whole.items() if value is not None}
        self.write(str(Path(path).with_suffix(".json")), json.dumps(kept).encode())


@dataclass(slots=True)
class LightStudy:
    """A study whose nights end after landing and pseudonymising."""

    study: Study
    vault: Vault
    ledger: Ledger
    params: Params
    now: datetime = NOW

    @property
    def landing(self) -> FolderLanding:
        return FolderLanding(self.study.root / "landing")

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.study.quarantine, self.vault)

    @property
    def desk(self) -> Desk:
        return Desk(self.landing, self.study.lake, self.vault, self.ledger, self.quarantine, self.params, self.now)

    @property
    def judge(self) -> Judge:
        return Judge(self.desk)

    def look(self) -> Discovery:
        return self.desk.look()

    def land(self) -> list[Accepted]:
        """Take in the tables and judge what is new; what was accepted is not yet in the lake."""
        found = self.look()
        settle(self.desk, found)
        if found.tables_changed:
            take_tables(self.desk, found.tables)
        judged = [self.judge.judge(candidate) for candidate in found.candidates]
        return [accepted for accepted in judged if accepted is not None]

    def bring_in(self, accepted: Accepted) -> Recording:
        """Put an accepted delivery into the lake."""
        person = self.vault.of_pseudonym(accepted.recording.participant)
        source = Source(self.desk.source.holder(accepted.path), accepted.path, accepted.suffix, accepted.sha256)
        return pseudonymise(source, accepted.recording, person.recipient, self.study.lake)

    def night(self) -> list[Recording]:
        """Land, and bring in what was accepted."""
        return [self.bring_in(accepted) for accepted in self.land()]

    def publish(self) -> None:
        """Enter that a version has all that was accepted."""
        recordings = [entry.recording for entry in self.ledger.accepted() if entry.recording is not None]
        self.ledger.publish_version(len(self.ledger.versions()) + 1, "0" * 40, recordings, self.now.isoformat())

    def entries(self, path: str) -> list[Delivery]:
        """All that the ledger has under a name, oldest first."""
        return self.ledger.by_name(self.vault.digest("name", path))

    def entry(self, path: str) -> Delivery:
        """The one delivery under a name."""
        (entry,) = self.entries(path)
        return entry

    def rows(self, table: str) -> dict[str, int]:
        """Counts of a delivered table's rows by fate."""
        found: dict[str, int] = counts(self.ledger)["tables"].get(table, {})
        return found
