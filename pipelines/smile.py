"""openSMILE over samples, whichever feature set.

openSMILE races in threads: run it in processes alone. Its licence allows research, whatever its classifier says.
Source: Eyben et al. 2010, doi:10.1145/1873951.1874246.
"""

from importlib.metadata import version
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    import opensmile  # noqa: PLC0415 - heavy, and who only asks for the engine's version need not pay for it

    smile = opensmile.Smile(opensmile.FeatureSet[feature_set], opensmile.FeatureLevel[level])
    table = smile.process_signal(np.clip(samples, -1.0, _LOUDEST), sample_rate_hz)
    return Features(tuple(table.columns), table.to_numpy(dtype=np.float32))


def try_engine() -> None:
    """Run openSMILE on a second of noise: it raises what keeps it from working."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    run_smile(noise, 16_000, "eGeMAPSv02", "Functionals")
