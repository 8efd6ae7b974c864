"""A night's work, step by step, without a scheduler: what flows/ turns into Prefect's tasks."""

import hashlib
import json
import logging
import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipelines.audit import AuditLog, open_audit
from pipelines.batch import Batch
from pipelines.desk import Desk
from pipelines.discover import Candidate, Discovery
from pipelines.durable import remove_partials
from pipelines.erase import Eraser
from pipelines.erasing import Check
from pipelines.erasure_journal import unfinished
from pipelines.errors import AccessRefusedError, PainLakeError, Reason, TemporaryError, in_short
from pipelines.exchange_bucket import drop_exchanges
from pipelines.interrupted import remove_locks, restore_records
from pipelines.known import store_of
from pipelines.land import Accepted, Judge
from pipelines.landing_zone import FolderLanding, open_landing
from pipelines.ledger import Ledger
from pipelines.measuring import Measuring
from pipelines.openface_input import stamp_beside
from pipelines.params import Params
from pipelines.params_night import NightParams
from pipelines.quarantine import Quarantine
from pipelines.release_bucket import staging
from pipelines.repository import Repository, tag_name
from pipelines.stages import MEDIA_STAGES, params_sha256
from pipelines.study import Study, painlake_version
from pipelines.superseded import settle_superseded
from pipelines.tables import take_tables
from pipelines.unsettled import drop_settled, drop_unknown, settle
from pipelines.validate import ValidationOutcome, validate
from pipelines.vault import Vault
from pipelines.version import Versioning
from pipelines.withdrawals import heed_withdrawals, note_withdrawals
from pipelines.worker_key import drop_leases

log = logging.getLogger("painlake")


@dataclass(slots=True)
class Night:
    """One run over a study that the caller holds.

    Everything that could be wrong with the study, its parameters, its vault or its landing zone shows when one is
    opened, before anything is written.
    """

    study: Study
    desk: Desk
    audit: AuditLog
    repository: Repository
    measuring: Measuring
    elsewhere: tuple[Path, ...] = ()

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
        quarantine = Quarantine(study.quarantine, vault, audit, ledger)
        batch, store = Batch(vault, ledger), store_of(study.state)
        desk = Desk(landing, study.lake, vault, ledger, quarantine, params, now, audit, batch, store)
        return cls(study, desk, audit, Repository(study.root), Measuring(desk, audit), elsewhere)

    @property
    def params(self) -> Params:
        """The study's parameters."""
        return self.desk.params

    @property
    def ledger(self) -> Ledger:
        """What landed, what became of it, what is done."""
        return self.desk.ledger

    @property
    def failures(self) -> list[str]:
        """What could not be done for a reason that is not its own; the next run tries again."""
        return self.measuring.failures

    @staticmethod
    def check(study: Study) -> None:
        """See whether a run could begin; writes nothing.

        Raises:
            UserError: parameters, vault, key or landing zone are missing or wrong.
        """
        params = study.params()
        Vault.open(study.vault)
        landing = open_landing(params.study.landing, study.root)
        if isinstance(landing, FolderLanding):
            landing.check()
        else:
            # A bucket answers when it is listed.
            landing.files()

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
        """Look into the landing zone and compare it with the ledger; what can come by itself no more gets its fate."""
        found = self.desk.look()
        settle(self.desk, found)
        return found

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
        return self.ledger.begin_run(self.desk.now.isoformat())

    def end(self, run: int, outcome: str, *, whole: bool) -> None:
        """Enter the run's end; one that left something undone keeps no fingerprint, so the next looks again."""
        if whole:
            # Now, and not at the next look: what is published is kept in one place alone.
            drop_settled(self.desk)
        fingerprint = self.fingerprint() if whole and not self.failures else None
        self.ledger.end_run(run, outcome, fingerprint, datetime.now(tz=UTC).isoformat())
        computed = ", ".join(f"{stage} {spent:.1f} s" for stage, spent in sorted(self.measuring.computed_s.items()))
        if computed:
            log.info("computed: %s", computed)
        log.info("run ended: %s", outcome)

    @property
    def version(self) -> Versioning:
        """The dataset's versions."""
        return Versioning(self.study, self.params, self.ledger, self.repository)

    def fingerprint(self) -> str:
        """A digest of code, parameters and engines' own files: while it stands, what was computed stands."""
        # When the night runs and whom it tells changes no data.
        measuring = self.params.model_copy(update={"night": NightParams()})
        parts = [painlake_version(), params_sha256(measuring), *(stage.code_sha256() for stage in MEDIA_STAGES)]
        beside = stamp_beside(self.params.face)
        parts += [] if beside is None else [beside]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    # --- land ---

    def clean_up(self) -> None:
        """Remove what a killed run left half written, and settle which recordings are current."""
        study = self.study
        shutil.rmtree(staging(study), ignore_errors=True)
        folders = [study.state, study.warehouse, study.reports, study.vault]
        # The lake has a dozen files a recording: it is gone through where there may be something to find.
        folders += [study.lake] if study.may_have_leavings() else []
        removed = sum(remove_partials(folder) for folder in folders) + len(remove_locks(study.root))
        # Of `dvc.lock`; below, the landing zone is the hospital's, and the cache is large.
        removed += remove_partials(study.root, below=False) + drop_leases(study.state)
        self.failures.extend(drop_exchanges(study.state))
        study.note_cleared()
        if removed:
            log.info("removed %d half-written files and locks of an earlier run", removed)
        # An erasure takes its person out of the records itself, and goes on from there.
        if self.ledger.was_interrupted() and not unfinished(study):
            restore_records(self.repository)
        drop_unknown(self.desk)
        settle_superseded(study.lake, self.ledger)

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

    def eraser(self, check: Check = validate) -> Eraser:
        """What erases persons of this study.

        Args:
            check: looks at the lake before it is published without them.
        """
        return Eraser(self.study, self.params, self.desk.vault, self.ledger, self.audit, check, self.elsewhere)

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
            heed_withdrawals(self.desk)
            return 0
        changed = take_tables(self.desk, discovery.tables)
        heed_withdrawals(self.desk)
        log.info("tables taken in: %d persons changed", len(changed))
        note_withdrawals(self.desk)
        return len(changed)

    def gathering(self) -> AbstractContextManager[None]:
        """Write the fates that are given in a block many at once; all are written when it ends."""
        return nullcontext() if self.desk.batch is None else self.desk.batch.gathering()

    def judge(self, candidate: Candidate) -> Accepted | None:
        """Give a new delivery its fate; returns it if it is to become a recording."""
        try:
            return Judge(self.desk).judge(candidate)
        except (TemporaryError, AccessRefusedError, OSError, sqlite3.Error):
            # Of the storage, its keys, the disk or the ledger, so of every other delivery too.
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, the other deliveries go on
            what = in_short(error)
            self.failures.append(f"a delivery could not be judged: {what}")
            log.error("a delivery could not be judged: %s", what)  # noqa: TRY400 - a trace could hold a name
            Judge(self.desk).defer(candidate, Reason("NOT_JUDGED", what))
            return None

    def leave(self, candidates: Iterable[Candidate], error: TemporaryError) -> None:
        """Leave to the next run what could not be read, and say so."""
        waiting = list(candidates)
        for candidate in waiting:
            Judge(self.desk).defer(candidate, Reason("STORAGE_UNAVAILABLE", ""))
        self.failures.append(f"{len(waiting)} deliveries could not be read: {error}")
        log.error("%d deliveries could not be read: the landing zone does not answer", len(waiting))

    def publish(self, commit: str, outcome: ValidationOutcome) -> int:
        """Publish a commit and name it; returns the number of the new version."""
        number = self.version.publish(commit, outcome)
        self.audit.append("version_published", tag_name(number), {"git_commit": commit})
        return number
