"""A recording's way through a run: into the lake, stage by stage, or out again with its reason."""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import groupby

from pipelines.audit import AuditLog
from pipelines.desk import Desk
from pipelines.errors import PainLakeError, Reason, Rejection, in_short
from pipelines.handover import within_reach
from pipelines.lake import feature_files, recordings
from pipelines.land import Accepted
from pipelines.pool import Workers
from pipelines.pseudonymise import Source, pseudonymise
from pipelines.recording import Recording
from pipelines.selftest import check_engines
from pipelines.set_aside import keep_bytes, set_aside, take_out
from pipelines.stages import MEDIA_STAGES, MediaStage, inputs_digest, media_stage
from pipelines.superseded import settle_superseded
from pipelines.withdrawals import withdrawn
from pipelines.work import Done, Unit, do_unit, key_of, refuses
from schemas.faults import FAULTS, Effect, Fate

log = logging.getLogger("painlake")


@dataclass(slots=True)
class Measuring:
    """Brings recordings through the media stages, from as many threads as there are.

    Args:
        desk: with ledger, vault and lake.
        audit: where each decryption is entered before it is done.
        failures: what could not be processed for a reason that is not its own is added to it.
        again: (recording, stage) that are measured whatever stands under their key.
        computed_s: what the workers have computed, by stage.
    """

    desk: Desk
    audit: AuditLog
    failures: list[str] = field(default_factory=list)
    again: set[tuple[str, str]] = field(default_factory=set)
    computed_s: dict[str, float] = field(default_factory=dict)
    _along: dict[tuple[str, str], Done] = field(default_factory=dict)
    """By recording and stage: what was done along an earlier stage, until its own turn enters it."""
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def try_engines(self, workers: Workers) -> None:
        """Try the engines before any recording is blamed for what is wrong with the machine.

        Raises:
            PainLakeError: an engine does not run here; every delivery stays as it is.
        """
        for stage in MEDIA_STAGES:
            # Here, before there are threads that would each ask for it at once.
            stage.code_sha256()
        try:
            workers.run(check_engines, self.desk.params.face)
        except Rejection as error:
            raise PainLakeError(f"the engines do not run on this machine: {error.code}, {error.detail}") from error

    def stale(self, but: Iterable[str]) -> list[Recording]:
        """Recordings in the lake that lack a result under today's code and parameters.

        Args:
            but: recordings to leave out; so are those of persons who took back their consent.
        """
        left_out = set(but)
        units = self.desk.ledger.units_with_digests()
        keys = {stage.name: stage.keys(self.desk.params) for stage in MEDIA_STAGES}
        found: list[Recording] = []
        for participant, own in groupby(self.recordings(), key=lambda recording: recording.participant):
            there = feature_files(self.desk.lake, participant)
            stale = [
                each for each in own if each.recording not in left_out and not self._fresh(each, units, keys, there)
            ]
            if stale and not withdrawn(self.desk, participant):
                found += stale
        return found

    def recordings(self) -> list[Recording]:
        """All recordings in the lake, in order."""
        return recordings(self.desk.lake)

    @staticmethod
    def _fresh(
        recording: Recording,
        units: Mapping[tuple[str, str], tuple[str, str]],
        keys: Mapping[str, Callable[[str], str]],
        there: AbstractSet[str],
    ) -> bool:
        outputs: dict[str, str] = {}
        for stage in MEDIA_STAGES:
            key, outputs[stage.name] = units.get((recording.recording, stage.name), ("", ""))
            if key != keys[stage.name](inputs_digest(recording, outputs, stage)):
                return False
            if not all(f"{stage.folder}/{recording.recording}{each}.parquet" in there for each in stage.endings):
                return False
        return True

    def pseudonymise(self, accepted: Accepted, workers: Workers) -> Recording | None:
        """Bring an accepted delivery into the lake; None where it had to be set aside."""
        recording = accepted.recording
        person = self.desk.vault.of_pseudonym(recording.participant)
        with self._lock:
            self.desk.ledger.mark_dirty(recording.participant)
        try:
            with within_reach(self.desk.source.holder(accepted.path), accepted.path) as reachable:
                source = Source(reachable, accepted.path, accepted.suffix, accepted.sha256)
                done = workers.run(pseudonymise, source, recording, person.recipient, self.desk.lake)
        except Rejection as error:
            self._clear(recording)
            with self._lock:
                take_out(self.desk, recording)
            self._set_aside(accepted.delivery, Reason(error.code, error.detail), accepted.sidecar)
            return None
        if accepted.supersedes is not None:
            with self._lock:
                entry = self.desk.ledger.find(accepted.delivery)
                settle_superseded(self.desk.lake, self.desk.ledger, None if entry is None else entry.name_digest)
        return done

    def measure(self, stage_name: str, recording: Recording, accepted: Accepted | None, workers: Workers) -> bool:
        """Do one stage of a recording; False where it had to be set aside and no further stage is due."""
        stage = media_stage(stage_name)
        with self._lock:
            self.desk.ledger.mark_dirty(recording.participant)
            outputs = {name: self._output(name, recording) for name in stage.needs}
            done = self._along.pop((recording.recording, stage_name), None)
        key = key_of(stage, recording, self.desk.params, outputs)
        if done is None or done.key != key:
            try:
                done = self._done(stage, recording, key, workers)
            except Rejection as error:
                self._clear(recording)
                return self._refused(recording, accepted, [Reason(error.code, error.detail)])
        with self._lock:
            if done.along is not None:
                self._along[recording.recording, done.along.stage] = done.along
            # The flags first: what is finished is not looked at again.
            self._flag(recording, done.reasons)
            self.desk.ledger.finish_unit(recording.recording, stage.name, key, done.sha256)
            if done.cpu_s:
                self.computed_s[stage.name] = self.computed_s.get(stage.name, 0.0) + done.cpu_s
        refused = refuses(done.reasons)
        return not refused or self._refused(recording, accepted, refused)

    def _done(self, stage: MediaStage, recording: Recording, key: str, workers: Workers) -> Done:
        """Have a stage done, and along with it the one that it leads where that is due as well.

        Raises:
            Rejection: the recording cannot be measured.
        """
        again = (recording.recording, stage.name) in self.again
        along = self._due_along(stage, recording, key) if workers.does_two_at_once else None
        identity = ""
        if stage.decrypts:
            for name in (stage.name, *([stage.leads] if stage.leads and along else [])):
                self.audit.append("recording_decrypted", recording.recording, {"stage": name})
            identity = self.desk.vault.of_pseudonym(recording.participant).identity
        unit = Unit(stage.name, recording, self.desk.lake, self.desk.params, key, identity, again, along=along)
        return workers.run(do_unit, unit)

    def _due_along(self, stage: MediaStage, recording: Recording, key: str) -> str | None:
        """The key of the stage that a stage leads, where both are due and it can be measured along."""
        params = self.desk.params
        if stage.leads is None or self._stands(stage.name, recording, key):
            return None
        led = media_stage(stage.leads)
        if led.along(recording, params) is None:
            return None
        its_key = key_of(led, recording, params, {})
        return None if self._stands(led.name, recording, its_key) else its_key

    def _stands(self, stage_name: str, recording: Recording, key: str) -> bool:
        """Whether a stage was done under a key, and is not to be done again."""
        if (recording.recording, stage_name) in self.again:
            return False
        with self._lock:
            done = self.desk.ledger.unit(recording.recording, stage_name)
        return done is not None and done[0] == key

    def _clear(self, recording: Recording) -> None:
        """Remove what a worker left half written that was stopped: no later run goes through the lake for it."""
        for path in (self.desk.lake / recording.participant).rglob(f".{recording.recording}.*.partial"):
            path.unlink(missing_ok=True)

    def fail(self, recording: Recording, error: BaseException) -> None:
        """Note that a recording could not be processed for a reason that is not its own; the next run tries again."""
        self._clear(recording)
        with self._lock:
            self.failures.append(f"{recording.recording}: {in_short(error)}")
            entry = self.desk.ledger.of_recording(recording.recording)
            if entry is not None and entry in self.desk.ledger.accepted():
                take_out(self.desk, recording)
        log.error("%s could not be processed: %s", recording.recording, in_short(error))

    def _output(self, stage_name: str, recording: Recording) -> str:
        unit = self.desk.ledger.unit(recording.recording, stage_name)
        if unit is None:
            raise PainLakeError(f"{recording.recording}: {stage_name} is not done")
        return unit[1]

    def _flag(self, recording: Recording, reasons: tuple[Reason, ...]) -> None:
        entry = self.desk.ledger.of_recording(recording.recording)
        if entry is None:
            return
        codes = {reason.code for reason in reasons}
        kept = [reason for reason in entry.reasons if reason.code not in codes]
        flags = [reason for reason in reasons if FAULTS[reason.code].effect is Effect.FLAG]
        self.desk.ledger.decide(entry.delivery, entry.fate, [*kept, *flags], entry.decided_at)

    def _refused(self, recording: Recording, accepted: Accepted | None, reasons: list[Reason]) -> bool:
        entry = self.desk.ledger.of_recording(recording.recording)
        if entry is None or entry.fate is not Fate.DEFERRED:
            # It was published under earlier parameters: a person decides, the data stay as they are.
            self.failures.append(f"{recording.recording}: {reasons[0].code}")
            log.warning("%s would be refused now: %s", recording.recording, reasons[0].code)
            return False
        sidecar = None if accepted is None else accepted.sidecar
        with self._lock:
            keep_bytes(self.desk, entry, sidecar)
            take_out(self.desk, recording)
            self._set_aside(entry.delivery, reasons[0], sidecar)
        return False

    def _set_aside(self, delivery: str, reason: Reason, sidecar: bytes | None) -> None:
        with self._lock:
            set_aside(self.desk, delivery, reason, sidecar)
        log.warning("delivery %s set aside: %s", delivery, reason.code)
