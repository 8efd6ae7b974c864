"""How a unit of work comes to a worker of a cluster, and what it made comes back: by the study's folder, on a shared file system.

The other way, a bucket, is in `pipelines.exchange_bucket`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeVar

from pipelines.errors import PainLakeError
from pipelines.order import Order, Outcome
from pipelines.stages import media_stage
from pipelines.study import Study
from pipelines.work import Done, Unit, finished
from pipelines.worker_key import answer_of, handed_over, lease_of, read_answer

T = TypeVar("T")

_SEEN_WITHIN_S = 60.0
"""A network file system may take as long to show a folder's new files."""


class Exchange(Protocol):
    """Where the run leaves what a worker needs, and finds what it made."""

    def handed_over(self, unit: Unit) -> AbstractContextManager[Order]:
        """Leave what a unit needs; it is gone when the block ends."""

    def detail(self, order: Order, outcome: Outcome) -> str:
        """What a worker found in a recording that cannot be measured."""

    def result(self, unit: Unit, outcome: Outcome) -> Done:
        """What a worker made, which is in the lake from then on."""


class SharedFolder:
    """All machines see the study's folder under the same path; but for a person's key, workers take all from there.

    Args:
        study: on a shared file system.
        key: of the workers, see `pipelines.worker_key`.
    """

    def __init__(self, study: Study, key: str) -> None:
        self._study = study
        self._key = key

    @contextmanager
    def handed_over(self, unit: Unit) -> Iterator[Order]:
        """Leave the person's key for the workers; it is gone when the block ends."""
        recording = unit.recording
        lease = lease_of(self._study.state, unit.stage, recording.recording, unit.key)
        with handed_over(lease, unit.identity, self._key):
            yield Order(
                str(self._study.root), unit.stage, recording.participant, recording.recording, unit.key, unit.again
            )

    def detail(self, order: Order, outcome: Outcome) -> str:  # noqa: ARG002 - there is one answer for each order
        """What a worker found in a recording that cannot be measured."""
        lease = lease_of(self._study.state, order.stage, order.recording, order.key)
        return _seen(lambda: read_answer(answer_of(lease), self._key), order.recording)

    def result(self, unit: Unit, outcome: Outcome) -> Done:
        """What a worker has written, read back: the reasons are in the files, and the bytes are those it meant.

        Raises:
            PainLakeError: it is not seen here.
        """

        def there() -> Done | None:
            done = finished(media_stage(unit.stage), unit.lake, unit.recording, unit.key)
            return done if done is not None and done.sha256 == outcome.sha256 else None

        return _seen(there, unit.recording.recording)


def _seen(look: Callable[[], T | None], recording: str) -> T:
    """What a worker has written, as soon as it is seen."""
    until, wait_s = time.monotonic() + _SEEN_WITHIN_S, 0.05
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > until:
            raise PainLakeError(
                f"{recording}: what a worker wrote is not seen here; the study must be on a shared file system, or name "
                "a bucket in study.exchange"
            )
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, 2.0)
