"""A night's end, however the night ended: what it came to is summed up, written down, and told to whom it concerns."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flows.logs import logging_to
from pipelines.durable import write_durably
from pipelines.errors import PainLakeError, RunInProgressError, UserError
from pipelines.heartbeat import Heartbeat, beat, read_heartbeat
from pipelines.metrics import exposition
from pipelines.night_summary import NightSummary, summarise
from pipelines.notify import notify
from pipelines.overview import overview
from pipelines.params import Params
from pipelines.study import Study, open_study, painlake_version

log = logging.getLogger("painlake")


@dataclass(slots=True)
class Ending:
    """How a run is to end; whoever does the work says what it came to.

    Args:
        root: the study's folder.
        event: `night`, or what else goes through the same end.
        began_at: when it began.
        summary: what it came to, once that is known.
    """

    root: Path
    event: str
    began_at: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    summary: NightSummary | None = None

    def settle(self, result: dict[str, Any]) -> NightSummary:
        """Sum up what the run came to; to be called while the study is held, with the ledger as the run left it."""
        study = open_study(self.root)
        before = read_heartbeat(study)
        self.summary = summarise(self.event, result, overview(study), None if before is None else before.attention)
        return self.summary


_open: list[Ending] = []


@contextmanager
def night_ending(root: Path, event: str = "night") -> Iterator[Ending]:
    """Around a run: its end is written down and told; inside another one, that one's end.

    A run that found another one at work has not been one. Where something was missing or wrong before anything was
    written, it is told, and still nothing is written.

    Args:
        root: the study's folder.
        event: what it is called.
    """
    if _open:
        yield _open[-1]
        return
    ending = Ending(root, event)
    _open.append(ending)
    try:
        yield ending
    except RunInProgressError:
        raise
    except Exception as error:
        _finish(ending, error)
        raise
    else:
        _finish(ending, None)
    finally:
        _open.clear()


def _finish(ending: Ending, error: Exception | None) -> None:
    """Write the end down and tell it; nothing that goes wrong here changes what the run came to."""
    try:
        study = open_study(ending.root)
        params = study.params()
    except UserError:
        # The run itself has said so.
        return
    try:
        if error is not None:
            ending.summary = _failed(study, ending.event)
        if ending.summary is None:
            return
        if isinstance(error, UserError):
            notify(ending.summary, params.night.notify)
            return
        with logging_to(study.log):
            _write_down(study, params, ending, ending.summary)
            notify(ending.summary, params.night.notify)
    except (PainLakeError, OSError) as trouble:
        log.warning("the end of the run could not be written down: %s", type(trouble).__name__)


def _failed(study: Study, event: str) -> NightSummary:
    result: dict[str, Any] = {"outcome": "failed", "version": None, "failures": []}
    before = read_heartbeat(study)
    try:
        state = overview(study) if study.ledger.is_file() else None
    except PainLakeError:
        state = None
    return summarise(event, result, state, None if before is None else before.attention)


def _write_down(study: Study, params: Params, ending: Ending, summary: NightSummary) -> None:
    # Of nights alone: what looks after a study does not look into its landing zone.
    if summary.event == "night":
        heartbeat: Heartbeat | None = beat(study, summary, ending.began_at, datetime.now(tz=UTC))
    else:
        heartbeat = read_heartbeat(study)
    if params.night.metrics_file is None:
        return
    # Absolute ones stand where they say.
    path = study.root / params.night.metrics_file
    try:
        write_durably(path, exposition(overview(study), heartbeat, painlake_version()).encode())
    except OSError as error:
        log.warning("night.metrics_file could not be written: %s", error.strerror)
