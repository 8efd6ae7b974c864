"""Workers on other machines: media stages go there as orders, all else stays with the worker processes of this one."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar, cast

from pipelines.confine import Limits
from pipelines.disk import DiskError
from pipelines.errors import PainLakeError, Rejection
from pipelines.exchange import Exchange
from pipelines.order import Order, Outcome
from pipelines.pool import Workers
from pipelines.stages import media_stage
from pipelines.work import Done, Unit, do_unit, finished

T = TypeVar("T")

log = logging.getLogger("painlake")


class Fleet(Workers):
    """Does units of work elsewhere; whoever calls it sees no difference.

    What lands is stripped here, since its path is the hospital's, and the workers of a cluster need not see it.

    Args:
        here: how many worker processes this machine has for the rest; 0 for one a core.
        limits: what each of these may take.
        exchange: how a unit comes to a worker, and what it made comes back.
        send: takes an order to a worker and waits for what comes of it.
        out: how many orders may be out at once.
    """

    does_two_at_once = False
    """An order is of one stage, whose files are sealed and sent."""

    def __init__(
        self, here: int, limits: Limits, exchange: Exchange, send: Callable[[Order], Outcome], out: int
    ) -> None:
        super().__init__(here, limits)
        self.count = out
        self._exchange = exchange
        self._send = send

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function and wait for it; a unit of work on another machine.

        Raises:
            Rejection: as `Workers.run`.
            DiskError: a worker could not write to its disk.
            PainLakeError: it could not be done, and not for the recording's sake.
        """
        if function is not do_unit:
            return super().run(function, *arguments)
        (unit,) = arguments
        return cast("T", self._order(unit))

    def _order(self, unit: Unit) -> Done:
        recording = unit.recording
        done = None if unit.again else finished(media_stage(unit.stage), unit.lake, recording, unit.key)
        if done is not None:
            return done
        with self._exchange.handed_over(unit) as order:
            outcome = self._send(order)
            if outcome.code:
                raise Rejection(outcome.code, self._exchange.detail(order, outcome))
            if outcome.disk:
                raise DiskError(outcome.disk)
            if outcome.error:
                log.error("%s of %s on a worker: %s", unit.stage, recording.recording, outcome.error)
                raise PainLakeError(outcome.error)
            return self._exchange.result(unit, outcome)
