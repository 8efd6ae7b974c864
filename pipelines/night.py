"""A night's work, step by step, without a scheduler: what flows/ turns into Prefect's tasks."""

import hashlib
import json
import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from pipelines.audit import AuditLog, open_audit
from pipelines.discover import Candidate, Discovery, Look
from pipelines.durable import remove_partials
from pipelines.erase import Eraser
from pipelines.erasing import Check
from pipelines.erasure_journal import unfinished
from pipelines.errors import PainLakeError, Reason, Rejection, UserError
from pipelines.handover import within_reach
from pipelines.lake import people, recordings
from pipelines.land import Accepted, Judge, set_aside
from pipelines.ledger import Ledger
from pipelines.params import Params
from pipelines.pool import Workers
from pipelines.pseudonymise import Source, mark_superseded, pseudonymise, recordings_folder
from pipelines.quarantine import Quarantine
from pipelines.recording import Recording
from pipelines.repository import Repository, tag_name
from pipelines.selftest import check_engines
from pipelines.stages import MEDIA_STAGES, MediaStage, media_stage, params_sha256
from pipelines.storage import Landing, open_landing
from pipelines.study import Study, painlake_version
from pipelines.tables import Intake, take_tables
from pipelines.validate import ValidationOutcome, validate
from pipelines.vault import Vault
from pipelines.version import Versioning
from pipelines.work import Unit, do_unit, key_of
from schemas.faults import FAULTS, Effect, Fate

log = logging.getLogger("painlake")


@dataclass(slots=True)
class Night:
    """One run over a study that the caller holds.

    Everything that could be wrong with the study, its parameters, its vault or its landing zone shows when one is
    opened, before anything is written.
    """

    study: Study
    params: Params
    vault: Vault
    audit: AuditLog
    landing: Landing
    ledger: Ledger
    repository: Repository
    now: datetime
    elsewhere: tuple[Path, ...] = ()
    failures: list[str] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @classmethod
    def open(cls, study: Study, elsewhere: tuple[Path, ...] = ()) -> "Night":
        """Open a study for a run; the caller holds it.

        Args:
            study: the study.
            elsewhere: folders outside it in which a scheduler keeps the names of its runs.

        Raises:
            UserError: parameters, vault or key are missing or wrong.
        """
        params = study.params()
        vault = Vault.open(study.vault)
        landing = open_landing(params.study.landing, study.root)
        vault.settle_key()
        audit = open_audit(study, vault)
        audit.append("vault_opened", "ingest", {"people": len(vault.people)})
        now = datetime.now(tz=UTC)
        ledger = Ledger(study.ledger)
        return cls(study, params, vault, audit, landing, ledger, Repository(study.root), now, elsewhere)

    @staticmethod
    def check(study: Study) -> None:
        """See whether a run could begin; writes nothing.

        Raises:
            UserError: parameters, vault, key or landing zone are missing or wrong.
        """
        params = study.params()
        Vault.open(study.vault)
        open_landing(params.study.landing, study.root).files()

    def close(self) -> None:
        """Close audit log and ledger; the vault keeps the log's end."""
        try:
            self.audit.save_head()
        except OSError as error:
            # A full disk ends the run with its own error, not with this one.
            log.warning("the vault could not be saved: %s", error.strerror)
        finally:
            self.audit.close()
            self.ledger.close()

    # --- is there anything to do? ---

    def look(self) -> Discovery:
        """Look into the landing zone and compare it with the ledger."""
        look = Look(
            self.ledger.latest_by_name(),
            lambda path: self.vault.digest("name", path),
            self.study.lake,
            self.now,
            timedelta(days=self.params.land.orphan_after_days),
        )
        return look.at(self.landing.files())

    def unfinished(self) -> bool:
        """Whether an earlier run left something to do: unpublished changes, other code or parameters, no backup."""
        last = self.ledger.last_run()
        other = last is None or last["fingerprint"] != self.fingerprint()
        return (
            (other and self.version.has_people())
            or self.version.changed()
            or self.version.to_push()
            or (self.params.erase.on_withdrawal == "erase" and bool(self.ledger.withdrawn()))
        )

    def begin(self) -> int:
        """Enter the begin of the run; returns its number."""
        return self.ledger.begin_run(self.now.isoformat())

    def end(self, run: int, outcome: str, *, whole: bool) -> None:
        """Enter the run's end; one that left something undone keeps no fingerprint, so the next looks again."""
        fingerprint = self.fingerprint() if whole and not self.failures else None
        self.ledger.end_run(run, outcome, fingerprint, datetime.now(tz=UTC).isoformat())
        log.info("run ended: %s", outcome)

    @property
    def version(self) -> Versioning:
        """The dataset's versions."""
        return Versioning(self.study, self.params, self.ledger, self.repository)

    def fingerprint(self) -> str:
        """A digest of code and parameters: while it stands, what was computed stands."""
        parts = [painlake_version(), params_sha256(self.params), *(stage.code_sha256() for stage in MEDIA_STAGES)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    # --- land ---

    def clean_up(self) -> None:
        """Remove what a killed run left half written."""
        removed = sum(remove_partials(f) for f in (self.study.lake, self.study.state, self.study.warehouse))
        if removed:
            log.info("removed %d half-written files of an earlier run", removed)

    def finish_erasures(self) -> None:
        """Go on with erasures that were not finished; what must wait (a remote that is away) is told as a failure.

        Raises:
            PainLakeError: an erasure has not come so far that the person's data are out of the lake.
        """
        try:
            self.eraser().resume()
        except PainLakeError as error:
            if not all("lake" in journal.done for journal in unfinished(self.study)):
                raise
            self.failures.append(str(error))

    def note_withdrawals(self) -> None:
        """Enter who has data in the lake and took back a needed consent: nothing more is done with those data."""
        present = set(people(self.study.lake))
        everyone = (person.pseudonym for person in self.vault.people)
        gone = [pseudonym for pseudonym in everyone if pseudonym in present and self._withdrawn(pseudonym)]
        if sorted(gone) != self.ledger.withdrawn():
            self.ledger.note_withdrawn(gone)
            log.warning("%d persons took back consent and are to be erased", len(gone))

    def eraser(self, check: Check = validate) -> Eraser:
        """What erases persons of this study.

        Args:
            check: looks at the lake before it is published without them.
        """
        return Eraser(self.study, self.params, self.vault, self.ledger, self.audit, check, self.elsewhere)

    def erase_withdrawn(self, check: Check = validate) -> int:
        """Erase everyone who took back consent, where the parameters say so; returns how many.

        Args:
            check: looks at the lake before it is published without them.
        """
        if self.params.erase.on_withdrawal != "erase":
            return 0
        done = 0
        for pseudonym in self.ledger.withdrawn():
            try:
                self.eraser(check).erase(pseudonym, "consent was withdrawn")
                done += 1
            except PainLakeError as error:
                self.failures.append(str(error))
        return done

    def take_tables(self, discovery: Discovery) -> int:
        """Take in the delivered tables if any is new; returns how many persons' rows changed."""
        if not discovery.tables_changed:
            self._heed_withdrawals()
            return 0
        intake = Intake(
            self.landing, self.study.lake, self.vault, self.ledger, self._quarantine, self.params, self.now, self.audit
        )
        changed = take_tables(intake, discovery.tables)
        self._heed_withdrawals()
        log.info("tables taken in: %d persons changed", len(changed))
        self.note_withdrawals()
        return len(changed)

    def judge(self, candidate: Candidate) -> Accepted | None:
        """Give a new delivery its fate; returns it if it is to become a recording."""
        return self._judge.judge(candidate)

    @property
    def _quarantine(self) -> Quarantine:
        return Quarantine(self.study.quarantine, self.vault, self.audit)

    @property
    def _judge(self) -> Judge:
        return Judge(self.landing, self.study.lake, self.vault, self.ledger, self._quarantine, self.params, self.now)

    def _withdrawn(self, participant: str) -> bool:
        try:
            person = self.vault.of_pseudonym(participant)
        except UserError:
            # Measuring says so, and costs that recording alone.
            return False
        return person.withdrawn(self.params.land.consent_scopes, self.now)

    def _heed_withdrawals(self) -> None:
        """Set aside what a killed run brought into the lake, unpublished, before its person withdrew consent."""
        for entry in self.ledger.accepted():
            if entry.recording is None or entry.participant is None or not self._withdrawn(entry.participant):
                continue
            sidecar = recordings_folder(self.study.lake, entry.participant) / f"{entry.recording}.json"
            if not sidecar.is_file():
                continue
            name = self.vault.name_of(entry.delivery) or ""
            try:
                content = self.landing.read(name)
            except Rejection:
                content = b""
            self.ledger.mark_dirty(entry.participant)
            self._quarantine.keep(entry.delivery, name, content)
            self._take_out(Recording.read(sidecar))
            reason = Reason("NO_CONSENT", "consent was withdrawn before it was published")
            at = self.now.isoformat()
            self.ledger.enter(replace(entry, recording=None, fate=Fate.QUARANTINED, reasons=(reason,), decided_at=at))

    # --- one recording at a time ---

    def try_engines(self, workers: Workers) -> None:
        """Try the engines before any recording is blamed for what is wrong with the machine.

        Raises:
            PainLakeError: an engine does not run here; every delivery stays as it is.
        """
        for stage in MEDIA_STAGES:
            # Here, before there are threads that would each ask for it at once.
            stage.code_sha256()
        try:
            workers.run(check_engines, self.params.face)
        except Rejection as error:
            raise PainLakeError(f"the engines do not run on this machine: {error.code}, {error.detail}") from error

    def stale(self, but: Iterable[str]) -> list[Recording]:
        """Recordings in the lake that lack a result under today's code and parameters.

        Args:
            but: recordings to leave out; so are those of persons who took back their consent.
        """
        left_out = set(but)
        units = self.ledger.units_with_digests()
        return [
            recording
            for recording in self.recordings()
            if recording.recording not in left_out
            and not self._fresh(recording, units)
            and not self._withdrawn(recording.participant)
        ]

    def recordings(self) -> list[Recording]:
        """All recordings in the lake, in order."""
        return recordings(self.study.lake)

    def _fresh(self, recording: Recording, units: dict[tuple[str, str], tuple[str, str]]) -> bool:
        outputs: dict[str, str] = {}
        for stage in MEDIA_STAGES:
            key, outputs[stage.name] = units.get((recording.recording, stage.name), ("", ""))
            if key != key_of(stage, recording, self.params, outputs):
                return False
            if not all(path.is_file() for path in stage.files(self.study.lake, recording)):
                return False
        return True

    def pseudonymise(self, accepted: Accepted, workers: Workers) -> Recording | None:
        """Bring an accepted delivery into the lake; None where it had to be set aside."""
        recording = accepted.recording
        person = self.vault.of_pseudonym(recording.participant)
        with self._lock:
            self.ledger.mark_dirty(recording.participant)
        try:
            with within_reach(self.landing, accepted.path) as reachable:
                source = Source(reachable, accepted.path, accepted.suffix, accepted.sha256)
                done = workers.run(pseudonymise, source, recording, person.recipient, self.study.lake)
        except Rejection as error:
            self._set_aside(accepted, Reason(error.code, error.detail))
            return None
        if accepted.supersedes is not None:
            mark_superseded(self.study.lake, recording.participant, accepted.supersedes)
        return done

    def measure(self, stage_name: str, recording: Recording, accepted: Accepted | None, workers: Workers) -> bool:
        """Do one stage of a recording; False where it had to be set aside and no further stage is due."""
        stage = media_stage(stage_name)
        with self._lock:
            self.ledger.mark_dirty(recording.participant)
            outputs = {name: self._output(name, recording) for name in stage.needs}
        key = key_of(stage, recording, self.params, outputs)
        identity = self._identity(stage, recording) if stage.decrypts else ""
        try:
            done = workers.run(do_unit, Unit(stage.name, recording, self.study.lake, self.params, key, identity))
        except Rejection as error:
            return self._refused(recording, accepted, [Reason(error.code, error.detail)])
        with self._lock:
            self.ledger.finish_unit(recording.recording, stage.name, key, done.sha256)
            self._flag(recording, done.reasons)
        refused = [reason for reason in done.reasons if FAULTS[reason.code].effect is Effect.QUARANTINE]
        return not refused or self._refused(recording, accepted, refused)

    def _identity(self, stage: MediaStage, recording: Recording) -> str:
        """The key to a recording, for one stage; the audit log has it first."""
        self.audit.append("recording_decrypted", recording.recording, {"stage": stage.name})
        return self.vault.of_pseudonym(recording.participant).identity

    def publish(self, commit: str, outcome: ValidationOutcome) -> int:
        """Publish a commit and name it; returns the number of the new version."""
        number = self.version.publish(commit, outcome)
        self.audit.append("version_published", tag_name(number), {"git_commit": commit})
        return number

    def fail(self, recording: Recording, error: BaseException) -> None:
        """Note that a recording could not be processed for a reason that is not its own; the next run tries again."""
        with self._lock:
            self.failures.append(f"{recording.recording}: {type(error).__name__}")
            entry = self.ledger.of_recording(recording.recording)
            if entry is not None and entry in self.ledger.accepted():
                self._take_out(recording)
        log.error("%s could not be processed: %s", recording.recording, type(error).__name__)

    def _output(self, stage_name: str, recording: Recording) -> str:
        unit = self.ledger.unit(recording.recording, stage_name)
        if unit is None:
            raise PainLakeError(f"{recording.recording}: {stage_name} is not done")
        return unit[1]

    def _flag(self, recording: Recording, reasons: tuple[Reason, ...]) -> None:
        entry = self.ledger.of_recording(recording.recording)
        if entry is None:
            return
        codes = {reason.code for reason in reasons}
        kept = [reason for reason in entry.reasons if reason.code not in codes]
        flags = [reason for reason in reasons if FAULTS[reason.code].effect is Effect.FLAG]
        self.ledger.decide(entry.delivery, entry.fate, [*kept, *flags], entry.decided_at)

    def _refused(self, recording: Recording, accepted: Accepted | None, reasons: list[Reason]) -> bool:
        if accepted is None:
            # It was published under earlier parameters: a person decides, the data stay as they are.
            self.failures.append(f"{recording.recording}: {reasons[0].code}")
            log.warning("%s would be refused now: %s", recording.recording, reasons[0].code)
            return False
        with self._lock:
            self._take_out(recording)
            self._set_aside(accepted, reasons[0])
        return False

    def _set_aside(self, accepted: Accepted, reason: Reason) -> None:
        with self._lock:
            set_aside(self._judge, accepted, reason)
        log.warning("delivery %s set aside: %s", accepted.delivery, reason.code)

    def _take_out(self, recording: Recording) -> None:
        """Remove a recording that no version has from the lake."""
        folder = recordings_folder(self.study.lake, recording.participant)
        # The sidecar first: without it the rest is not there for any reader.
        (folder / f"{recording.recording}.json").unlink(missing_ok=True)
        (folder / f"{recording.recording}.age").unlink(missing_ok=True)
        for stage in MEDIA_STAGES:
            for path in stage.files(self.study.lake, recording):
                path.unlink(missing_ok=True)
        for path in (folder, *(self.study.lake / recording.participant / stage.folder for stage in MEDIA_STAGES)):
            with suppress(OSError):
                path.rmdir()
        self.ledger.forget_units(recording.recording)
