"""A stage that is measured along the pass over a recording's frames that an earlier stage makes.

To decode a film takes as long as two thirds of all that quality does; so face looks at the frames that quality decodes.
Whatever may not come out as it would by itself is given up, and is then done by itself in its own turn.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import av

    from pipelines.stages import Measured


class Along(Protocol):
    """A stage of one recording that takes its frames as they come."""

    def take(self, decoded: "av.VideoFrame", timestamp_s: float) -> None:
        """See `pipelines.frames.FrameTaker`."""

    def measured(self) -> "Measured":
        """What the stage gives, once all frames are taken."""


class Companion:
    """What goes along an earlier stage's pass.

    Args:
        begin: begins the stage; not before the first frame is there.
        longest_s: from this time on the recording is refused by the earlier stage, and nothing more is measured.
        most_cpu_s: as much computing at most, of what one unit of work may take.
    """

    def __init__(self, begin: Callable[[], Along], longest_s: float, most_cpu_s: float) -> None:
        self._begin = begin
        self._longest_s = longest_s
        self._most_cpu_s = most_cpu_s
        self._along: Along | None = None
        self._given_up = False
        self.cpu_s = 0.0
        """What it has computed, and the decoding that it would have had to do by itself."""

    def take(self, decoded: "av.VideoFrame", timestamp_s: float) -> None:
        """See `pipelines.frames.FrameTaker`; what goes wrong is left to the stage's own turn."""
        if self._given_up:
            return
        if timestamp_s > self._longest_s or self.cpu_s > self._most_cpu_s:
            self.give_up()
            return
        with self._by_itself():
            if self._along is None:
                self._along = self._begin()
            self._along.take(decoded, timestamp_s)

    def decoded_in(self, cpu_s: float) -> None:
        """See `pipelines.frames.FrameTaker`."""
        self.cpu_s += cpu_s

    def give_up(self) -> None:
        """See `pipelines.frames.FrameTaker`."""
        self._given_up, self._along = True, None

    def measured(self) -> "Measured | None":
        """What the stage gives; None where it was given up, or no frame came."""
        along, self._along = self._along, None
        if along is None:
            return None
        measured = None
        with self._by_itself():
            measured = along.measured()
        return measured  # noqa: RET504 - it stays None where the block is left early

    @contextmanager
    def _by_itself(self) -> Iterator[None]:
        """Count what the stage computes, and give it up where it fails: in its own turn it fails again, and says how."""
        begun = time.process_time()
        try:
            yield
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, the earlier stage is not to fail for it
            self.give_up()
        finally:
            self.cpu_s += time.process_time() - begun
