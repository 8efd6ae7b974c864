"""What the tasks of a run work on. It stays in this process: Prefect is handed pseudonyms, paths and counts alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flows.cluster import check_runner
from flows.environment import traces_elsewhere
from flows.logs import logging_to
from flows.progress import Progress, Silent
from pipelines.discover import Candidate, Discovery
from pipelines.disk import DiskError, disk_error
from pipelines.land import Accepted
from pipelines.night import Night
from pipelines.pool import Workers
from pipelines.recording import Recording
from pipelines.study import open_study
from pipelines.withdrawals import note_withdrawals


@dataclass(frozen=True, slots=True)
class Crew:
    """A run's processes: those that look at recordings, confined, and the one that checks the lake."""

    workers: Workers
    validator: Workers


@dataclass(slots=True)
class Session:
    """A held study, opened, and what this run has found so far."""

    night: Night
    discovery: Discovery
    progress: Progress
    to_judge: list[Candidate] | None = None
    accepted: dict[str, Accepted] = field(default_factory=dict)
    recordings: dict[str, Recording] = field(default_factory=dict)
    crew: Crew | None = None
    disk_error: DiskError | None = None

    @property
    def pool(self) -> Workers:
        """The worker processes.

        Raises:
            RuntimeError: the run has started none yet.
        """
        if self.crew is None:
            raise RuntimeError("the run has started no workers yet")
        return self.crew.workers

    @property
    def anything_to_do(self) -> bool:
        """Whether the run is worth starting Prefect for."""
        return self.discovery.anything or self.night.unfinished()

    @property
    def nothing_new(self) -> dict[str, Any]:
        """What a run comes to that had nothing to do."""
        return {"outcome": "nothing new", "version": None, "failures": self.night.failures}


_current: list[Session] = []


@contextmanager
def session_of(root: Path, progress: Progress | None = None, *, resume: bool = True) -> Iterator[Session]:
    """Hold a study and look into it; inside an open session, that session.

    Args:
        root: the study's folder.
        progress: where to show it.
        resume: finish what erasures were not finished before anything else; an erasure itself does not, and needs no
            landing zone.

    Raises:
        UserError: something is missing or wrong; nothing has been written yet.
        RunInProgressError: another run holds the study.
        DiskError: the study cannot be written.
    """
    if _current:
        yield _current[-1]
        return
    study = open_study(root)
    # Once without holding the study, so that wrong input is named before a lock file is made.
    if resume:
        Night.check(study)
        check_runner(study.params())
    with _plain_about_the_disk(study.root), study.held(), logging_to(study.log):
        night = Night.open(study, traces_elsewhere(study.state))
        try:
            night.clean_up()
            if resume:
                night.finish_erasures()
                note_withdrawals(night.desk)
            session = Session(night, night.look(), progress or Silent())
            _current.append(session)
            yield session
        finally:
            _current.clear()
            night.close()


@contextmanager
def _plain_about_the_disk(root: Path) -> Iterator[None]:
    """Whatever library meets a full disk, and however it says so: one error says it plainly."""
    try:
        yield
    except Exception as error:
        plain = disk_error(error, root)
        if plain is None:
            raise
        raise plain from error


def in_session() -> bool:
    """Whether this process holds a study."""
    return bool(_current)


def current() -> Session:
    """The session of this process's run.

    Raises:
        RuntimeError: a task was called outside a run.
    """
    if not _current:
        raise RuntimeError("no run holds a study in this process")
    return _current[-1]
