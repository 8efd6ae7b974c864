"""openSMILE over samples, whichever feature set.

openSMILE races in threads: run it in processes alone. Its licence allows research, whatever its classifier says.
Source: Eyben et al. 2010, doi:10.1145/1873951.1874246.
"""

from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.smile_long import Settings, hear_long

_AT_ONCE = 65536
LONG_S = 120.0
"""From here on sound is handed over bit by bit: the same values in less memory, for a tenth more computing."""
_TAKEN_APART = frozenset({"eGeMAPSv02", "GeMAPSv01b", "ComParE_2016"})
"""Feature sets that are summed up in a run of its own; emobase leaves no buffer to its caller's choice."""
Level = Literal["LowLevelDescriptors", "Functionals"]

_LOUDEST = 32767 / 32768
"""openSMILE's wrapper turns samples into 16-bit ones without a check: 1.0 would wrap round to -1.0."""


class Features(NamedTuple):
    """Names, and float32 values: frames x descriptors, or 1 x functionals."""

    names: tuple[str, ...]
    values: NDArray[np.float32]


def smile_version() -> str:
    """Of the installed library."""
    return version("opensmile")


def run_smile(samples: NDArray[np.float32], sample_rate_hz: int, feature_set: str, level: Level) -> Features:
    """Run openSMILE.

    Args:
        samples: mono, full scale at 1; what exceeds it is clipped.
        sample_rate_hz: of the samples.
        feature_set: openSMILE's name of it.
        level: descriptors each 10 ms, or functionals over all samples.
    """
    if _is_long(samples, sample_rate_hz, feature_set):
        names = tuple(_smile(feature_set, level).column_names)
        return Features(names, _heard_long(samples, sample_rate_hz, feature_set)[level == "Functionals"])
    table = _smile(feature_set, level).process_signal(_clipped(samples), sample_rate_hz)
    return Features(tuple(table.columns), table.to_numpy(dtype=np.float32))


def run_both_levels(
    samples: NDArray[np.float32], sample_rate_hz: int, feature_set: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Descriptors and functionals of the same samples, as `run_smile` gives each, in the time of one of them.

    Args:
        samples: mono, full scale at 1; what exceeds it is clipped.
        sample_rate_hz: of the samples.
        feature_set: openSMILE's name of it.

    Returns:
        float32: frames x descriptors, and 1 x functionals.
    """
    if _is_long(samples, sample_rate_hz, feature_set):
        return _heard_long(samples, sample_rate_hz, feature_set)
    descriptors, functionals = _heard(samples, sample_rate_hz, feature_set, (_DESCRIPTORS, _FUNCTIONALS))
    return descriptors, functionals


def run_functionals(samples: NDArray[np.float32], sample_rate_hz: int, feature_set: str) -> NDArray[np.float32]:
    """Functionals of samples, as `run_smile` gives them, without the copies that openSMILE's wrapper makes of samples.

    Args:
        samples: mono, full scale at 1; what exceeds it is clipped.
        sample_rate_hz: of the samples.
        feature_set: openSMILE's name of it.

    Returns:
        float32, 1 x functionals; NaN where the samples fill no window.
    """
    if _is_long(samples, sample_rate_hz, feature_set):
        return _heard_long(samples, sample_rate_hz, feature_set)[1]
    (functionals,) = _heard(samples, sample_rate_hz, feature_set, (_FUNCTIONALS,))
    return functionals


_DESCRIPTORS, _FUNCTIONALS = "extsinklld", "extsinkfunc"
"""Where openSMILE's configuration hands out each."""


def _heard(
    samples: NDArray[np.float32], sample_rate_hz: int, feature_set: str, sinks: tuple[str, ...]
) -> list[NDArray[np.float32]]:
    """What some of openSMILE's sinks are given of samples, rows x features each."""
    from opensmile.core.config import config  # noqa: PLC0415 - heavy, as below
    from opensmile.core.lib import OpenSMILE  # noqa: PLC0415 - as below

    smile = _smile(feature_set, "Functionals")
    root = Path(smile.default_config_root)
    options = {
        "source": str(root / config.EXTERNAL_INPUT_CONFIG),
        "sink": str(root / config.EXTERNAL_OUTPUT_MULTI_CONFIG),
        "sampleRate": sample_rate_hz,
        "nBits": 16,
        "bufferModeRbConf": str(root / "shared/BufferModeRb.conf.inc"),
        "frameModeFunctionalsConf": str(root / "shared/FrameModeFunctionals.conf.inc"),
    }
    engine = OpenSMILE()
    engine.initialize(smile.config_path, options, smile.loglevel, log_file=smile.logfile, debug=False)
    rows: list[list[NDArray[np.float32]]] = [[] for _ in sinks]
    for sink, found in zip(sinks, rows, strict=True):
        engine.external_sink_set_callback(sink, lambda row, found=found: found.append(row.copy()))
    engine.external_audio_source_write_data(config.EXTERNAL_SOURCE_COMPONENT, _as_16_bit(samples))
    engine.external_audio_source_set_eoi(config.EXTERNAL_SOURCE_COMPONENT)
    engine.run()
    engine.free()
    nothing = np.full((1, smile.num_features), np.nan)
    return [np.vstack(found or [nothing]).astype(np.float32) for found in rows]


def _is_long(samples: NDArray[np.float32], sample_rate_hz: int, feature_set: str) -> bool:
    return feature_set in _TAKEN_APART and len(samples) >= LONG_S * sample_rate_hz


def _heard_long(
    samples: NDArray[np.float32], sample_rate_hz: int, feature_set: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    return hear_long(
        lambda begin, end: _as_16_bit(samples[begin:end]), len(samples), sample_rate_hz, settings_of(feature_set)
    )


def settings_of(feature_set: str) -> Settings:
    """The files of a feature set, as openSMILE brings them."""
    smile = _smile(feature_set, "Functionals")
    shared = Path(smile.default_config_root) / "shared"
    return Settings(Path(smile.config_path), shared / "BufferModeRb.conf.inc", shared / "FrameModeFunctionals.conf.inc")


def _as_16_bit(samples: NDArray[np.float32]) -> bytes:
    """Clipped samples as 16-bit ones, as openSMILE's wrapper rounds them; some at a time, so that they are not there thrice."""
    parts = (samples[begin : begin + _AT_ONCE] for begin in range(0, len(samples), _AT_ONCE))
    return b"".join((_clipped(part) * np.float32(32768)).astype(np.int16).tobytes() for part in parts)


def _clipped(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.clip(samples, -1.0, _LOUDEST)


@cache
def _smile(feature_set: str, level: Level) -> Any:
    """A set at a level; made once, since it reads its configuration to learn its own names. It remembers no sound."""
    import opensmile  # noqa: PLC0415 - heavy, and who only asks for the engine's version need not pay for it

    return opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[level])


def try_engine() -> None:
    """Run openSMILE on a second of noise: it raises what keeps it from working."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    run_smile(noise, 16_000, "eGeMAPSv02", "Functionals")
