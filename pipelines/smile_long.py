"""openSMILE over long sound, in memory that grows by its results alone: what it gives is what one run gives, bit for bit.

A run over the whole keeps 0.43 MB of eGeMAPSv02 for each second (`docs/speed.md`): the sound as 32-bit numbers, twice,
and as 16-bit ones (0.14 MB); of ten levels that are summed up their frames' times, 128 bytes each (0.15), rather than
their 56 values (0.02); and the functionals' own copies of them (0.10). Here the sound is handed over while it is
described, and the levels are summed up afterwards, without their times.
"""

import ctypes
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.smile_config import CLOCK, CLOCK_SINK, DESCRIPTORS, SOURCE, Shipped, describing, shipped, summing

if TYPE_CHECKING:
    from opensmile.core.lib import OpenSMILE

    Row = ctypes.Array[ctypes.c_float]

_STEP_S = 0.01
_MOST_AT_ONCE = 4096
"""Frames that are handed over together."""
_ROUND = 100
"""Descriptors after which more sound is handed over; a second's worth, of the ten that wait."""
_SPARE = 10
"""Frames more than the sound has: what is smoothed is a frame or two longer."""

Floats = NDArray[np.float32]


class Settings(NamedTuple):
    """openSMILE's files.

    Args:
        config: of the feature set.
        rings, functionals: the shipped settings of levels that are rings, and of functionals over everything.
    """

    config: Path
    rings: Path
    functionals: Path


def hear_long(
    sound: Callable[[int, int], bytes], samples: int, sample_rate_hz: int, settings: Settings
) -> tuple[Floats, Floats]:
    """Descriptors and functionals of sound.

    Args:
        sound: gives samples from one to before another as 16-bit ones.
        samples: how many there are; a second's at least.
        sample_rate_hz: of the samples.
        settings: openSMILE's files of a feature set that `shipped` can take apart.

    Returns:
        float32: frames x descriptors, and 1 x functionals.

    Raises:
        RuntimeError: openSMILE comes to no functionals, or gives more frames than the sound has.
        Exception: what `sound` raised.
    """
    config = shipped(settings.config)
    frames = samples // (sample_rate_hz // 100) + _SPARE
    with tempfile.TemporaryDirectory(prefix="painlake-smile-") as folder:
        levels = _described(sound, samples, sample_rate_hz, frames, config, settings, Path(folder))
        descriptors = levels.pop(DESCRIPTORS).values
        return descriptors, _summed_up(levels, frames, config, settings, Path(folder))


class _Level(NamedTuple):
    names: list[str]
    values: Floats


class _Sink:
    """Rows of one level as they come: how many there are, and how many there were when functionals would be taken."""

    def __init__(self, engine: "OpenSMILE", name: str, frames: int, after: Callable[[int], None] | None = None) -> None:
        width = engine.external_sink_get_num_elements(name)
        self.names = [engine.external_sink_get_element_name(name, at) for at in range(width)]
        self.values = np.empty((frames, width), np.float32)
        self.count, self.summed = 0, 0
        row, begin = width * self.values.itemsize, self.values.ctypes.data
        copy = ctypes.memmove

        def take(values: "Row", _width: int, _nothing: object) -> int:
            # The wrapper makes an array of each row first, which takes four times as long; there are a million rows.
            if self.count < frames:
                copy(begin + self.count * row, values, row)
            self.count += 1
            if after is not None:
                after(self.count)
            return 1

        _call_back(engine, name, take)

    def rows(self, count: int) -> Floats:
        if count > len(self.values):
            raise RuntimeError("openSMILE gave more frames than the sound has")
        return self.values[:count]


class _Feeder:
    """Hands sound over while there is room, and says when there is no more."""

    def __init__(self, engine: "OpenSMILE", sound: Callable[[int, int], bytes], samples: int, at_once: int) -> None:
        self._engine, self._sound, self._samples, self._at_once = engine, sound, samples, at_once
        self._at, self._waiting = 0, b""
        self.error: Exception | None = None

    def __call__(self, described: int) -> None:
        if described % _ROUND or self._at >= self._samples:
            return
        try:
            self.feed()
        except Exception as error:  # noqa: BLE001 - nothing is raised through C: it would wait for sound for ever
            self.error = error
            self._engine.abort()

    def feed(self) -> None:
        """Hand over as much as there is room for."""
        while self._at < self._samples:
            self._waiting = self._waiting or self._sound(self._at, min(self._at + self._at_once, self._samples))
            if not self._engine.external_audio_source_write_data(SOURCE, self._waiting):
                return
            self._at, self._waiting = self._at + self._at_once, b""
        self._engine.external_audio_source_set_eoi(SOURCE)


def _described(  # noqa: PLR0913, PLR0917 - one run, and all that it is of
    sound: Callable[[int, int], bytes],
    samples: int,
    sample_rate_hz: int,
    frames: int,
    config: Shipped,
    settings: Settings,
    folder: Path,
) -> dict[str, _Level]:
    """Descriptors, and the levels that are to be summed up, as far as they are summed up."""
    rings = {"bufferModeRbConf": settings.rings}
    with _engine(config.path, describing(config, sample_rate_hz, folder, rings)) as engine:
        feeder = _Feeder(engine, sound, samples, sample_rate_hz)
        sinks = {
            level: _Sink(engine, f"sink{at}", frames, feeder if at == 0 else None)
            for at, level in enumerate((DESCRIPTORS, *config.summed))
        }
        ended: list[bool] = []

        def end(_values: "Row", _width: int, _nothing: object) -> int:
            if not ended:
                ended.append(True)
                for sink in sinks.values():
                    sink.summed = sink.count
            return 1

        _call_back(engine, CLOCK_SINK, end)
        _write(engine, CLOCK, np.zeros((1, 1), np.float32))
        engine.external_source_set_eoi(CLOCK)
        feeder.feed()
        try:
            engine.run()
        finally:
            if feeder.error is not None:
                raise feeder.error
    return {
        level: _Level(sink.names, sink.rows(sink.count if level == DESCRIPTORS else sink.summed))
        for level, sink in sinks.items()
    }


def _summed_up(
    levels: dict[str, _Level], frames: int, config: Shipped, settings: Settings, folder: Path
) -> NDArray[np.float32]:
    chosen = {"bufferModeRbConf": settings.rings, "frameModeFunctionalsConf": settings.functionals}
    path = folder / "summing.conf"
    names = {level: found.names for level, found in levels.items()}
    path.write_text(summing(config, names, frames, _STEP_S, chosen), encoding="utf-8")
    rows: list[Floats] = []
    with _engine(path, {}) as engine:
        for at, level in enumerate(config.summed):
            # What was handed over need not be there twice.
            _write(engine, f"source{at}", levels.pop(level).values)
            engine.external_source_set_eoi(f"source{at}")
        engine.external_sink_set_callback("sink", lambda row: rows.append(row.copy()))
        engine.run()
    if not rows:
        raise RuntimeError("openSMILE came to no functionals")
    return np.vstack(rows).astype(np.float32)


@contextmanager
def _engine(config: Path, options: Mapping[str, Path]) -> Iterator["OpenSMILE"]:
    from opensmile.core.lib import OpenSMILE  # noqa: PLC0415 - heavy: who has no sound need not pay for it

    engine = OpenSMILE()
    engine.initialize(str(config), dict(options), loglevel=1)
    try:
        yield engine
    finally:
        engine.free()


def _call_back(engine: "OpenSMILE", sink: str, function: Callable[["Row", int, object], int]) -> None:
    from opensmile.core.lib import ExternalSinkCallback, smileapi  # noqa: PLC0415 - as above

    callback = ExternalSinkCallback(function)
    engine._callbacks.append(callback)  # noqa: SLF001 - where the wrapper keeps its own, which C alone refers to
    if smileapi.smile_extsink_set_data_callback(engine._smileobj, sink.encode(), callback, None):  # noqa: SLF001 - as below
        raise RuntimeError(f"openSMILE has no sink {sink}")


def _write(engine: "OpenSMILE", source: str, rows: Floats) -> None:
    from opensmile.core.lib import smileapi  # noqa: PLC0415 - as above

    for begin in range(0, len(rows), _MOST_AT_ONCE):
        part = np.ascontiguousarray(rows[begin : begin + _MOST_AT_ONCE])
        pointer = part.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        # The wrapper takes rows of a single value alone.
        if smileapi.smile_extsource_write_data(engine._smileobj, source.encode(), pointer, len(part)):  # noqa: SLF001 - see above
            raise RuntimeError(f"openSMILE refuses what {source} is given")
