"""The One Euro filter: steady where little moves, quick where much does."""

import math

import numpy as np
from numpy.typing import NDArray

_START_HZ = 30.0
"""The rate that is assumed until there are two times that tell it."""


class OneEuroFilter:
    """Smooths an array of values through time, each by itself.

    Source:
        Casiez, Roussel and Vogel 2012, CHI, doi:10.1145/2207676.2208639; with what MediaPipe makes of it: speeds are
        taken in sizes of the object, and a first time of 0 tells no rate.

    Args:
        min_cutoff_hz: below it everything is smoothed away where nothing moves.
        beta: by how much the cutoff rises with speed (sizes a second).
        speed_cutoff_hz: for the speed itself.
    """

    def __init__(self, min_cutoff_hz: float, beta: float, speed_cutoff_hz: float) -> None:
        self._min_cutoff_hz = min_cutoff_hz
        self._beta = beta
        self._speed_cutoff_hz = speed_cutoff_hz
        self.reset()

    def reset(self) -> None:
        """Forget everything, as where the object was lost."""
        self._time_s = 0.0
        self._rate_hz = _START_HZ
        self._raw: NDArray[np.float64] | None = None
        self._smooth = self._speed = np.empty(0)

    def __call__(self, values: NDArray[np.float64], time_s: float, size: float) -> NDArray[np.float64]:
        """The smoothed values.

        Args:
            values: of the same shape in each call.
            time_s: later than in the last call.
            size: of the object, in units of the values.
        """
        if self._time_s:
            self._rate_hz = 1 / (time_s - self._time_s)
        self._time_s = time_s
        if self._raw is None:
            self._speed = np.zeros_like(values)
            self._smooth = values
        else:
            speed = (values - self._raw) * (self._rate_hz / size)
            self._speed += self._weight(self._speed_cutoff_hz) * (speed - self._speed)
            cutoff_hz = self._min_cutoff_hz + self._beta * np.abs(self._speed)
            self._smooth = self._smooth + (values - self._smooth) / (1 + self._rate_hz / (2 * math.pi * cutoff_hz))
        self._raw = values
        return self._smooth

    def _weight(self, cutoff_hz: float) -> float:
        return 1 / (1 + self._rate_hz / (2 * math.pi * cutoff_hz))
