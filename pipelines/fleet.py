"""Workers on other machines: media stages go there as orders, all else stays with the worker processes of this one."""

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pipelines.confine import Limits
from pipelines.disk import DiskError
from pipelines.errors import PainLakeError, Rejection
from pipelines.order import Order, Outcome
from pipelines.pool import Workers
from pipelines.stages import media_stage
from pipelines.study import Study
from pipelines.work import Done, Unit, do_unit, finished
from pipelines.worker_key import handed_over, lease_of

T = TypeVar("T")

log = logging.getLogger("painlake")

_SEEN_WITHIN_S = 60.0
"""A network file system may take as long to show a folder's new files."""


class Fleet(Workers):
    """Does units of work elsewhere; whoever calls it sees no difference.

    What lands is stripped here, since its path is the hospital's, and the workers of a cluster need not see it.

    Args:
        study: on a file system that all machines see under the same path.
        here: how many worker processes this machine has for the rest; 0 for one a core.
        limits: what each of these may take.
        send: takes an order to a worker and waits for what comes of it.
        out: how many orders may be out at once.
        key: of the workers, see `pipelines.worker_key`.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - of both sides
        self, study: Study, here: int, limits: Limits, send: Callable[[Order], Outcome], out: int, key: str
    ) -> None:
        super().__init__(here, limits)
        self.count = out
        self._study = study
        self._send = send
        self._key = key

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function and wait for it; a unit of work on another machine.

        Raises:
            Rejection: as `Workers.run`.
            DiskError: a worker could not write to the study's disk.
            PainLakeError: it could not be done, and not for the recording's sake.
        """
        if function is not do_unit:
            return super().run(function, *arguments)
        (unit,) = arguments
        return cast("T", self._order(unit))

    def _order(self, unit: Unit) -> Done:
        recording = unit.recording
        lease = lease_of(self._study.state, unit.stage, recording.recording, unit.key)
        order = Order(str(self._study.root), unit.stage, recording.participant, recording.recording, unit.key)
        with handed_over(lease, unit.identity, self._key):
            outcome = self._send(order)
        if outcome.code:
            raise Rejection(outcome.code, outcome.detail)
        if outcome.disk:
            raise DiskError(outcome.disk)
        if outcome.error:
            log.error("%s of %s on a worker: %s", unit.stage, recording.recording, outcome.error)
            raise PainLakeError(outcome.error)
        return self._seen(unit, outcome.sha256)

    def _seen(self, unit: Unit, sha256: str) -> Done:
        """What a worker has written, read back: the reasons are in the files, and the bytes are those it meant."""
        until, wait_s = time.monotonic() + _SEEN_WITHIN_S, 0.05
        while True:
            done = finished(media_stage(unit.stage), unit.lake, unit.recording, unit.key)
            if done is not None and done.sha256 == sha256:
                return done
            if time.monotonic() > until:
                raise PainLakeError(
                    f"{unit.recording.recording}: what a worker wrote is not seen here; the study must be on a shared "
                    "file system"
                )
            time.sleep(wait_s)
            wait_s = min(2 * wait_s, 2.0)
