"""A study whose nights are real but for what takes seconds, and which can be killed at any durable step.

Real: landing zone, tables, judge, vault, audit log, ledger with its seal, quarantine, stripping and encryption, the
bookkeeping of stages and versions, erasure with its proof, release from quarantine. Stand-ins: what the media stages
measure (a row a stage), the worker processes (this one), Great Expectations (passes or does not), DuckDB (a list of the
recordings), git and DVC (what they were given, by hash), flushing to the disk. Prefect is not there.
"""

import hashlib
import json
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines.audit import AuditLog
from pipelines.engine import Engine
from pipelines.errors import Reason, Rejection
from pipelines.lake import recordings
from pipelines.land import Accepted
from pipelines.measuring import Measuring
from pipelines.night import Night
from pipelines.params import ValidateParams
from pipelines.pool import Workers
from pipelines.publish import VersionRecord
from pipelines.quarantine_list import Wanted
from pipelines.recording import Recording
from pipelines.seal import SealedConnection
from pipelines.stages import MEDIA_STAGES, Inputs, Measured, MediaStage, media_stage
from pipelines.study import Study
from pipelines.tombstone import read_tombstones
from pipelines.try_again import release_from_quarantine
from pipelines.validate import ValidationOutcome, report_bytes
from pipelines.vault import Vault
from pipelines.warehouse import make_current, warehouse_file
from pipelines.withdrawals import note_withdrawals
from schemas.quality import QUALITY_MEASURES
from tests.pipelines.landing_factory import wav

ROOT = Path(__file__).parents[2]

TWO_FACES, CRASHES = wav(0.7), wav(0.6)
"""Recordings that a media stage refuses."""

_READS = re.compile(r"\s*(SELECT|PRAGMA|BEGIN)\b", re.IGNORECASE)


class Killed(BaseException):
    """The process is gone. No handler of a failure may catch it, and nothing is written after it."""


@dataclass(slots=True)
class Life:
    """How many durable steps a process has before it is killed; None is for ever."""

    left: int | None = None
    dead: bool = False

    def step(self) -> None:
        """Before each write, renaming and removal."""
        if self.left == 0:
            self.dead = True
        if self.dead:
            raise Killed
        if self.left is not None:
            self.left -= 1


def _mortal(life: Life, work: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(*arguments: Any, **options: Any) -> Any:
        life.step()
        return work(*arguments, **options)

    return stepping


def _mortal_sql(life: Life, work: Callable[..., Any]) -> Callable[..., Any]:
    def stepping(connection: SealedConnection, sql: str, *parameters: Any) -> Any:
        # SQLite itself takes back what a killed process had begun.
        if not sql.startswith("ROLLBACK") and not _READS.match(sql):
            life.step()
        return work(connection, sql, *parameters)

    return stepping


@dataclass(slots=True)
class Archive:
    """What git and DVC were given: the files of each commit by hash, and which commits are versions.

    In the place of `pipelines.repository.Repository`, of which not every argument matters here.
    """

    root: Path
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    commits: list[dict[str, dict[str, str]]] = field(default_factory=lambda: [{}])
    tags: dict[int, int] = field(default_factory=dict)
    has_remote: bool = False

    def git(self, *arguments: str) -> str:
        """Of DVC's records there are none, so none was cut off."""
        del arguments
        return ""

    def add(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            self._enter(folder.relative_to(self.root).as_posix())

    def accept(self, stages: Sequence[str]) -> None:
        for name, _, person in (stage.partition("@") for stage in stages):
            if person:
                self._enter(f"lake/{person}/{media_stage(name).folder}")

    def _enter(self, folder: str) -> None:
        files = sorted(path for path in (self.root / folder).glob("*") if path.is_file())
        self.outputs[folder] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    def commit(self, message: str) -> str | None:  # noqa: ARG002 - the repository's signature
        # A person's .dvc files lie in their folder.
        self.outputs = {name: files for name, files in self.outputs.items() if (self.root / name).parent.is_dir()}
        if self.outputs == self.commits[-1]:
            return None
        self.commits.append(dict(self.outputs))
        return self.head()

    def restore(self) -> list[str]:
        """As `pipelines.interrupted.restore_records`: what was entered after the last commit is entered anew."""
        self.outputs = dict(self.commits[-1])
        return []

    def head(self) -> str:
        return f"{len(self.commits) - 1:040x}"

    def versions(self) -> list[int]:
        return sorted(self.tags)

    def version_at_head(self) -> int | None:
        return max((number for number, commit in self.tags.items() if commit == len(self.commits) - 1), default=None)

    def tag(self, number: int, message: str) -> None:  # noqa: ARG002 - the repository's signature
        self.tags[number] = len(self.commits) - 1

    def commit_of(self, number: int) -> str:
        return f"{self.tags[number]:040x}"

    def time_of(self, commit: str) -> str:  # noqa: ARG002 - the repository's signature
        return "2026-06-01T12:00:00+00:00"

    def texts_in_history(self, paths: re.Pattern[str]) -> Iterator[tuple[str, str]]:  # noqa: ARG002 - the repository's signature
        return iter(())

    def forget_computed(self) -> list[Path]:
        return []

    def published(self) -> dict[str, dict[str, str]]:
        """The files of the last version by folder, with their hashes."""
        return self.commits[self.tags[max(self.tags)]] if self.tags else {}


def _publish(lake: Path, warehouse: Path, version: VersionRecord, *_: object) -> Path:
    return _list(warehouse, version.number, [each.recording for each in recordings(lake)])


def _list(warehouse: Path, number: int, names: Sequence[str]) -> Path:
    """The list of a version's recordings, in the place of its DuckDB file."""
    target = warehouse_file(warehouse, number)
    target.write_text(json.dumps(sorted(names)))
    make_current(target)
    return target


def _rebuild(study: Study, number: int) -> Path:
    """A version's list without those who were erased since."""
    erased = {each.pseudonym for each in read_tombstones(study.lake)}
    names = json.loads(warehouse_file(study.warehouse, number).read_bytes())
    return _list(study.warehouse, number, [name for name in names if name.partition("-")[0] not in erased])


def _quick(stage_name: str) -> MediaStage:
    """A stage that looks at nothing but which recording it is."""
    stage = media_stage(stage_name)

    def measure(inputs: Inputs, recording: Recording, _: object) -> Measured:
        media = inputs.media() if stage.decrypts else b""
        if stage.decrypts:
            digest = hashlib.sha256(media).hexdigest()
            assert digest == recording.media_sha256, "what is in the lake is not what was stripped"
        if media == CRASHES and stage.name == "voice":
            raise Rejection("DECODER_CRASH", "the worker process was killed")
        refused = stage.name == "face" and media == TWO_FACES
        reasons = (Reason("MULTI_PERSON", "two faces in 3 of 3 counts"),) if refused else ()
        frame = pl.DataFrame({"recording": [recording.recording]})
        if stage.name == "quality":
            frame = QUALITY_MEASURES.frame(
                [
                    {
                        "recording": recording.recording,
                        "measure": "duration_s",
                        "unit": "s",
                        "value": 1.0,
                        "status": "info",
                    }
                ]
            )
        return Measured(dict.fromkeys(stage.endings, frame), reasons)

    return replace(stage, measure=measure)


class Inline(Workers):
    """Workers that work in this process."""

    def __init__(self) -> None:
        pass

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


@dataclass(slots=True)
class MortalStudy:
    """A study in a folder, with the nights and errands of its engineer; each may be killed."""

    study: Study
    archive: Archive
    life: Life
    now: datetime = datetime(2026, 6, 1, 12, tzinfo=UTC)
    killed: bool = False
    _open: list[Any] = field(default_factory=list)

    @classmethod
    def make(cls, root: Path) -> "MortalStudy":
        """A new study without git and DVC."""
        study = Study(root)
        for folder in (root / "landing", study.lake, study.quarantine, study.warehouse, study.reports):
            folder.mkdir(parents=True)
        shutil.copyfile(ROOT / "params.yaml", study.params_file)
        Vault.create(study.vault)
        return cls(study, Archive(root), Life())

    def stand_in(self, patch: pytest.MonkeyPatch) -> None:
        """Put the stand-ins in their places, and count every durable step."""
        life = self.life
        for place in ("pipelines.night.Repository", "pipelines.erase.Repository"):
            patch.setattr(place, lambda _: self.archive)
        patch.setattr("pipelines.night.restore_records", Archive.restore)
        patch.setattr("pipelines.version.publish", _publish)
        patch.setattr("pipelines.erase_dataset.rebuild", _rebuild)
        patch.setattr("pipelines.work.media_stage", _quick)
        patch.setattr("pipelines.stages._engine_of", lambda *_: Engine("stand-in", "1", None))
        patch.setattr("pipelines.durable.sync", lambda _: None)
        patch.setattr("pipelines.audit.os.fsync", lambda _: None)
        patch.setattr("pipelines.audit.AuditLog._write", _mortal(life, AuditLog._write))
        for name in ("replace", "unlink", "rmdir"):
            patch.setattr(Path, name, _mortal(life, getattr(Path, name)))
        patch.setattr("shutil.rmtree", _mortal(life, shutil.rmtree))
        for name in ("execute", "executemany"):
            patch.setattr(SealedConnection, name, _mortal_sql(life, getattr(SealedConnection, name)))
        for name in ("commit", "tag"):
            patch.setattr(Archive, name, _mortal(life, getattr(Archive, name)))

        def opened(connection: SealedConnection, *arguments: Any, **options: Any) -> None:
            sqlite3.Connection.__init__(connection, *arguments, **options)
            self._open.append(connection)

        patch.setattr(SealedConnection, "__init__", opened)

    @contextmanager
    def _living(self, steps: int | None) -> Iterator[None]:
        """Be killed after some steps, and leave then what a killed process leaves: open files, and no more."""
        self.life.left, self.life.dead = steps, False
        try:
            yield
        except Killed:
            pass
        finally:
            self.killed = self.life.dead
            self.life.left, self.life.dead = None, False
            for connection in self._open:
                sqlite3.Connection.close(connection)
            self._open.clear()

    @contextmanager
    def _night(self) -> Iterator[Night]:
        with self.study.held():
            night = Night.open(self.study)
            try:
                desk = replace(night.desk, now=self.now)
                yield replace(night, desk=desk, measuring=Measuring(desk, night.audit))
            finally:
                if not self.life.dead:
                    night.close()

    def night(
        self, steps: int | None = None, *, passes: bool = True, meanwhile: Callable[[], None] = lambda: None
    ) -> bool:
        """One night in the order of `flows.session` and `flows.ingest`; whether it came to its end.

        Args:
            steps: after how many durable steps it is killed; None for never.
            passes: whether the lake passes the checks.
            meanwhile: what the hospital does after everything has been judged.
        """
        with self._living(steps), self._night() as night:
            night.clean_up()
            night.finish_erasures()
            note_withdrawals(night.desk)
            discovery = night.look()
            if discovery.anything or night.unfinished():
                run = night.begin()
                night.take_tables(discovery)
                with night.gathering():
                    judged = [night.judge(candidate) for candidate in discovery.candidates]
                accepted = {each.recording.recording: each for each in judged if each is not None}
                meanwhile()
                self._measure(night, accepted)
                self._publish(night, passes=passes)
                night.end(run, "ended", whole=True)
            assert night.failures == []
        return not self.killed

    def _measure(self, night: Night, accepted: dict[str, Accepted]) -> None:
        workers = Inline()
        stale = {each.recording: each for each in night.measuring.stale(but=accepted)}
        for name in sorted({*accepted, *stale}):
            delivered = accepted.get(name)
            recording = stale[name] if delivered is None else night.measuring.pseudonymise(delivered, workers)
            for stage in MEDIA_STAGES:
                if recording is None or not night.measuring.measure(stage.name, recording, delivered, workers):
                    break

    def _publish(self, night: Night, *, passes: bool) -> None:
        if night.version.changed() and passes:
            commit = night.version.commit()
            if commit is not None:
                night.publish(commit, ValidationOutcome(()))

    def erase(self, hospital_id: str, steps: int | None = None) -> bool:
        """`painlake erase`; whether it came to its end."""
        with self._living(steps), self._night() as night:
            night.clean_up()
            night.eraser(_passing).erase_id(hospital_id, "asked for it")
        return not self.killed

    def release(self, deliveries: Sequence[str], steps: int | None = None) -> bool:
        """`painlake quarantine release`; whether it came to its end."""
        with self._living(steps):
            release_from_quarantine(self.study, Wanted(deliveries=deliveries), "asked the ward")
        return not self.killed


def _passing(_: Path, report: Path, __: ValidateParams) -> ValidationOutcome:
    outcome = ValidationOutcome(())
    report.write_bytes(report_bytes(outcome))
    return outcome
