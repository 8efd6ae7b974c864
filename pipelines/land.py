"""Judging what landed: whole? known person? consent? inside the protocol? seen before? Each file gets its fate."""

import hashlib
import logging
import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import PurePosixPath

import polars as pl

from pipelines.calendar import StudyTime, study_time
from pipelines.consent import check_person
from pipelines.deliveries import Delivery
from pipelines.desk import Desk
from pipelines.discover import Candidate, is_plain
from pipelines.errors import Reason, Rejection
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.set_aside import take_out
from pipelines.sidecar import Sidecar, read_sidecar
from pipelines.tables import clinical_folder, unsettled_tables
from pipelines.unsettled import give_way, in_lake
from pipelines.vault_records import Person
from pipelines.waiting import waited
from schemas.faults import FAULTS, Effect, Fate

log = logging.getLogger("painlake")

_ACCEPTED = Reason("AWAITING_PUBLICATION", "")
_VISIT = re.compile(r"[A-Za-z0-9]+([._-][A-Za-z0-9]+){0,3}")
_DATE_LIKE = re.compile(r"[0-9]{4}")
_SAID_BY_TABLES = frozenset(
    {"UNKNOWN_ID", "NO_CONSENT", "PROTOCOL_UNDERAGE", "PROTOCOL_EXCLUDED", "PROTOCOL_CONTROL_REPEATED"}
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A delivery that is to become a recording.

    `path` is the hospital's and so an identity: it stays in memory.
    """

    delivery: str
    path: str
    suffix: str
    sha256: str
    sidecar: bytes
    recording: Recording
    supersedes: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a delivery; `keep` are its bytes and its sidecar's, for the quarantine."""

    fate: Fate
    reasons: list[Reason]
    sha256: str | None = None
    participant: str | None = None
    recording: str | None = None
    duplicate_of: str | None = None
    keep: tuple[bytes, bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class Judge:
    """Gives candidates their fates and enters them in the ledger."""

    desk: Desk

    def judge(self, candidate: Candidate) -> Accepted | None:
        """Give a candidate its fate.

        Args:
            candidate: from `pipelines.discover`.

        Returns:
            What is to be done with it, if it was accepted.

        Raises:
            TemporaryError: the landing zone does not answer for now; nothing is entered.
        """
        content, sidecar_bytes = b"", None
        earlier = self._earlier(candidate)
        try:
            self._check_place(candidate)
            self._check_pair(candidate, earlier)
            content = self._read(candidate.file.path, candidate.file.stamp, candidate.file.size)
            if candidate.sidecar is not None:
                side = candidate.sidecar
                sidecar_bytes = self._read(side.path, side.stamp, side.size)
            return self._judge_content(candidate, content, sidecar_bytes, earlier)
        except Rejection as error:
            self._refuse(candidate, self._unless_unsettled(error), content, sidecar_bytes, earlier)
            return None

    def defer(self, candidate: Candidate, reason: Reason) -> None:
        """Leave a candidate to the next run, for a reason that is not its own."""
        self._enter(candidate, Verdict(Fate.DEFERRED, [reason]), self._earlier(candidate))

    def _earlier(self, candidate: Candidate) -> list[Delivery]:
        """What the ledger has under a candidate's name, which is about to be judged."""
        earlier = self.desk.ledger.by_name(self.desk.vault.digest("name", candidate.file.path))
        if self.desk.batch is not None:
            self.desk.batch.before(is_new=not earlier)
        return earlier

    def _check_place(self, candidate: Candidate) -> None:
        if any(self.desk.vault.tombstone_of(part) for part in PurePosixPath(candidate.file.path).parts):
            raise Rejection("ERASED_SUBJECT", "delivered again after the erasure; only its hash is kept")
        if not candidate.file.listable:
            raise Rejection("FOLDER_UNREADABLE", "a folder that may hold several deliveries")
        if not is_plain(candidate.file.path) or not candidate.file.regular:
            raise Rejection("UNSAFE_NAME", "a link, or a path of odd characters")
        if candidate.file.size > self.desk.params.land.max_file_mb * 1e6:
            raise Rejection("RESOURCE_LIMIT", f"{candidate.file.size / 1e6:.0f} MB")
        parts = PurePosixPath(candidate.file.path).parts
        if candidate.kind == "other":
            is_sidecar = candidate.suffix == ".json" and parts[0] == "recordings"
            raise Rejection("WAITING_PAIR" if is_sidecar else "UNEXPECTED_FILE")
        if len(parts) != 4 or parts[0] != "recordings":
            raise Rejection("UNEXPECTED_FILE", "not under recordings/<participant>/<visit>/")

    def _check_pair(self, candidate: Candidate, earlier: list[Delivery]) -> None:
        if candidate.sidecar is None:
            raise Rejection("WAITING_PAIR", "no sidecar yet")
        written = max(candidate.file.modified_at, candidate.sidecar.modified_at)
        if not self.desk.is_stable(written, candidate.stamp, earlier):
            raise Rejection("NOT_STABLE", "written a moment ago, or by a clock that runs ahead")

    def _unless_unsettled(self, error: Rejection) -> Rejection:
        """What is refused for what a table says waits where that table is still being written."""
        if error.code not in _SAID_BY_TABLES or not unsettled_tables(self.desk) & {"participants", "consent"}:
            return error
        return Rejection("NOT_STABLE", "participants.csv or consent.csv is still being written")

    def _read(self, path: str, stamp: str, size: int) -> bytes:
        content = self.desk.source.read(path)
        if len(content) != size or self.desk.source.stamp(path) != stamp:
            raise Rejection("NOT_STABLE", "it changed while it was read")
        return content

    def _judge_content(
        self, candidate: Candidate, content: bytes, sidecar_bytes: bytes | None, earlier: list[Delivery]
    ) -> Accepted | None:
        if sidecar_bytes is None:
            raise Rejection("WAITING_PAIR", "no sidecar yet")
        zone = self.desk.zone
        sidecar = read_sidecar(sidecar_bytes, zone)
        if self.desk.vault.tombstone_of(sidecar.participant_id):
            raise Rejection("ERASED_SUBJECT", "delivered again after the erasure; only its hash is kept")
        _, folder_id, folder_visit, _ = PurePosixPath(candidate.file.path).parts
        if sidecar.participant_id != folder_id or sidecar.visit != folder_visit:
            raise Rejection("SIDECAR_INVALID", "participant_id or visit differs from the folder's")
        sha256 = hashlib.sha256(content).hexdigest()
        if sidecar.sha256 is not None and sidecar.sha256.lower() != sha256:
            raise Rejection("CHECKSUM_MISMATCH", f"it is {len(content)} bytes of SHA-256 {sha256[:12]}…")
        person = self.desk.vault.person(sidecar.participant_id)
        if person is None:
            raise Rejection("UNKNOWN_ID", "not in participants.csv")
        check_person(person, self.desk.params.land, self.desk.params.protocol, sidecar.recorded_at, self.desk.now)
        if not content:
            raise Rejection("EMPTY_FILE")
        original = self._original(sha256, candidate)
        if original is not None:
            duplicate = Reason("DUPLICATE", f"of {original.delivery}")
            verdict = Verdict(Fate.DUPLICATE, [duplicate], sha256, person.pseudonym, duplicate_of=original.delivery)
            self._enter(candidate, verdict, earlier)
            return None
        when = study_time(sidecar.recorded_at, person.day_zero_date, zone)
        replaced = self._replaced(earlier, sha256)
        name = f"{person.pseudonym}-{self.desk.vault.label('recording', sha256)}"
        self._check_protocol(person, sidecar, when, name, replaced)
        flags = []
        if sidecar.recorded_at > self.desk.now + timedelta(minutes=10):
            flags.append(Reason("CLOCK_SKEW", "recorded after it landed"))
        if replaced is not None:
            flags.append(Reason("SUPERSEDES", f"{replaced.recording}"))
        recording = Recording(
            recording=name,
            participant=person.pseudonym,
            visit=safe_visit(sidecar.visit, when.study_day, person.participant_id),
            **when._asdict(),
            device=sidecar.safe_device,
            language=sidecar.language_code or (person.register.get("language") or "").lower() or None,
            tasks=sidecar.plain_tasks,
            media_sha256="",
            flags=tuple(reason.code for reason in flags),
        )
        verdict = Verdict(Fate.DEFERRED, [_ACCEPTED, *flags], sha256, person.pseudonym, name)
        entry = self._enter(candidate, verdict, earlier)
        old = None if replaced is None else replaced.recording
        return Accepted(entry.delivery, candidate.file.path, candidate.suffix, sha256, sidecar_bytes, recording, old)

    def _original(self, sha256: str, candidate: Candidate) -> Delivery | None:
        """An accepted delivery of the same bytes under another name."""
        name_digest = self.desk.vault.digest("name", candidate.file.path)
        return next(
            (
                entry
                for entry in self.desk.ledger.with_bytes(sha256)
                if entry.recording is not None and entry.duplicate_of is None and entry.name_digest != name_digest
            ),
            None,
        )

    def _replaced(self, earlier: list[Delivery], sha256: str) -> Delivery | None:
        """The accepted delivery of other bytes that came under this name before."""
        accepted = [e for e in earlier if e.recording is not None and e.duplicate_of is None and e.sha256 != sha256]
        return accepted[-1] if accepted else None

    def _check_protocol(
        self, person: Person, sidecar: Sidecar, when: StudyTime, recording: str, replaced: Delivery | None
    ) -> None:
        protocol = self.desk.params.protocol
        language = sidecar.language_code
        if language is not None and language not in protocol.languages:
            raise Rejection("PROTOCOL_LANGUAGE", f"none of {', '.join(protocol.languages)}")
        if person.register.get("group") != "control":
            return
        if "clinical" in unsettled_tables(self.desk):
            raise Rejection("NOT_STABLE", "clinical.csv, with the pain scores, is still being written")
        highest = self._highest_nrs(person.pseudonym, when.study_day)
        if highest is not None and highest > protocol.control_max_nrs:
            raise Rejection("PROTOCOL_CONTROL_IN_PAIN", f"NRS {highest:g} on that day")
        others = {
            entry.recording
            for entry in self.desk.ledger.of_participant(person.pseudonym)
            if entry.recording is not None and entry.duplicate_of is None
        }
        # Itself does not count: a killed run may have entered it before; nor does what it replaces.
        others -= {recording, None if replaced is None else replaced.recording}
        if len(others) >= protocol.control_max_recordings:
            raise Rejection("PROTOCOL_CONTROL_REPEATED", f"{len(others)} recordings are there already")

    def _highest_nrs(self, pseudonym: str, study_day: int) -> float | None:
        path = clinical_folder(self.desk.lake, pseudonym) / "clinical_observations.parquet"
        if not path.is_file():
            return None
        scores = pl.read_parquet(path).filter(pl.col("study_day") == study_day)["nrs_now"].drop_nulls()
        return max(scores.to_list(), default=None)

    def _refuse(
        self, candidate: Candidate, error: Rejection, content: bytes, sidecar: bytes | None, earlier: list[Delivery]
    ) -> None:
        """Defer or quarantine."""
        reason = Reason(error.code, error.detail)
        effect = FAULTS[error.code].effect
        if error.code == "WAITING_PAIR" and self._waited_too_long(earlier, candidate):
            reason, effect = Reason("ORPHAN", reason.detail), Effect.QUARANTINE
        if effect is Effect.DEFER:
            self._enter(candidate, Verdict(Fate.DEFERRED, [reason]), earlier)
            return
        readable = candidate.file.regular and error.code not in {"UNREADABLE", "RESOURCE_LIMIT"}
        if readable and not content:
            try:
                content = self.desk.source.read(candidate.file.path)
            except Rejection as unreadable:
                reason = Reason(unreadable.code, unreadable.detail)
        if sidecar is None and candidate.sidecar is not None and readable:
            with suppress(Rejection):
                sidecar = self.desk.source.read(candidate.sidecar.path)
        sha256 = hashlib.sha256(content).hexdigest()
        stands = next((e for e in earlier if e.sha256 == sha256 and in_lake(self.desk, e)), None)
        if stands is not None and stands.fate is Fate.PUBLISHED:
            # These bytes have their fate: what was published is not taken back by delivering it again.
            log.warning("delivery %s came again and would be refused now: %s", stands.delivery, reason.code)
            self.desk.ledger.forget_unread(stands.name_digest)
            self.desk.ledger.enter(replace(stands, stamp=candidate.stamp))
            return
        if stands is not None:
            self._leave_lake(candidate, stands, content, sidecar)
        # Of an erased person nothing may be kept.
        kept = None if reason.code == "ERASED_SUBJECT" else (content, sidecar)
        if kept is None:
            log.warning("ERASED_SUBJECT: a delivery of an erased person has landed")
        self._enter(candidate, Verdict(Fate.QUARANTINED, [reason], sha256, keep=kept), earlier)

    def _leave_lake(self, candidate: Candidate, entry: Delivery, content: bytes, sidecar: bytes | None) -> None:
        """Take out of the lake what no version has yet and is refused now; its bytes are kept first."""
        path = recordings_folder(self.desk.lake, f"{entry.participant}") / f"{entry.recording}.json"
        self.desk.ledger.mark_dirty(f"{entry.participant}")
        self.desk.quarantine.keep(entry.delivery, candidate.file.path, content, sidecar)
        take_out(self.desk, Recording.read(path))

    def _waited_too_long(self, earlier: list[Delivery], candidate: Candidate) -> bool:
        """Whether a missing half is due no more: it did not come in time, or a person had this tried again without it."""
        waiting = [e for e in earlier if "WAITING_PAIR" in e.codes]
        limit = timedelta(days=self.desk.params.land.orphan_after_days)
        released = any(
            "RELEASED" in e.codes and e.sha256 is not None and e.bytes == candidate.file.size for e in earlier
        )
        return released or (bool(waiting) and waited(waiting[-1].first_seen, self.desk.now) >= limit)

    def _enter(self, candidate: Candidate, verdict: Verdict, earlier: list[Delivery]) -> Delivery:
        """Enter the fate; the name goes to the vault, and to nowhere else."""
        path = candidate.file.path
        same = next((e for e in reversed(earlier) if e.sha256 == verdict.sha256), None)
        if same is None:
            same = next((e for e in reversed(earlier) if e.sha256 is None), None)
        elif same.sha256 is not None:
            self.desk.ledger.forget_unread(same.name_digest)
        at = self.desk.now.isoformat()
        reasons = tuple(verdict.reasons)
        # How long a file has stood unchanged counts from the first look at it.
        unchanged = same is not None and same.stamp == candidate.stamp and same.reasons == reasons
        entry = Delivery(
            delivery=same.delivery if same else self.desk.vault.label("delivery", path, str(len(earlier)), length=12),
            kind=candidate.kind,
            name_digest=self.desk.vault.digest("name", path),
            stamp=candidate.stamp,
            sha256=verdict.sha256,
            bytes=candidate.file.size,
            participant=verdict.participant,
            recording=verdict.recording,
            fate=verdict.fate,
            reasons=reasons,
            first_seen=same.first_seen if same else at,
            decided_at=same.decided_at if same and unchanged and verdict.fate is Fate.DEFERRED else at,
            duplicate_of=verdict.duplicate_of,
        )
        if "ERASED_SUBJECT" not in entry.codes:
            self.desk.vault.remember_name(entry.delivery, path)
            self._save_names()
        if verdict.keep is not None:
            self.desk.quarantine.keep(entry.delivery, path, *verdict.keep)
        if verdict.sha256 is not None:
            give_way(self.desk, entry, earlier)
        self.desk.ledger.enter(entry)
        return entry

    def _save_names(self) -> None:
        if self.desk.batch is None:
            self.desk.vault.save()
        else:
            self.desk.batch.save_names()


def safe_visit(visit: str, study_day: int, participant_id: str) -> str:
    """The visit's label, or `day<n>` where the label could hold a date, an ID or a text.

    >>> safe_visit("V2", 14, "007"), safe_visit("2026-03-01", 14, "007")
    ('V2', 'day14')
    """
    plain = _VISIT.fullmatch(visit) and len(visit) <= 24 and not _DATE_LIKE.search(visit)
    # An ID of one or two characters is in too many labels to tell anything.
    holds_id = len(participant_id) >= 3 and participant_id.lower() in visit.lower()
    return visit if plain and not holds_id else f"day{study_day}"
