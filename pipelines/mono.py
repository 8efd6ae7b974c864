"""A track's sound, mixed down to mono at one rate while the track is decoded."""

from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray

_LOST_SOUND_S = 0.02
"""A longer gap between what was decoded and a frame's time is lost sound; less is the resampler's own delay."""
_MORE_S = 30
"""Sound for which there is room each time that there is none."""


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono sound: float32 samples in -1..1 at `sample_rate_hz`; the first one is heard at `start_s`."""

    samples: NDArray[np.float32]
    sample_rate_hz: int
    start_s: float


class Mono:
    """Takes a track's frames one by one.

    Args:
        sample_rate_hz: the rate to bring it to.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate_hz = sample_rate_hz
        self._resampler = av.AudioResampler(format="flt", layout="mono", rate=sample_rate_hz)
        self._heard = np.empty(0, dtype=np.float32)
        self._samples = 0
        self._begun = False
        self._start_s: float | None = None

    def take(self, frame: av.AudioFrame, at_s: float | None) -> None:
        """Take the next frame.

        Args:
            frame: as decoded.
            at_s: when it is heard, on the recording's clock; None where it does not say.
        """
        if at_s is not None:
            self._start_s = at_s if self._start_s is None else self._start_s
            missing = round((at_s - self._start_s) * self._rate_hz) - self._samples
            if missing > _LOST_SOUND_S * self._rate_hz:
                # Packets were lost: without silence in their place all later sound would come too early.
                self._add(np.zeros(missing, dtype=np.float32))
        self._resample(frame)

    def sound(self) -> Sound | None:
        """All of it, once no further frame comes; None where nothing could be decoded."""
        if not self._begun:
            return None
        self._resample(None)
        # Whoever keeps this object need not keep the sound twice.
        samples, self._heard = self._heard, np.empty(0, dtype=np.float32)
        samples.resize(self._samples, refcheck=False)
        self._begun, self._samples = False, 0
        return Sound(samples, self._rate_hz, self._start_s or 0.0)

    def _resample(self, frame: av.AudioFrame | None) -> None:
        for out in self._resampler.resample(frame):
            self._add(out.to_ndarray()[0])

    def _add(self, samples: NDArray[np.float32]) -> None:
        end = self._samples + len(samples)
        if end > len(self._heard):
            # The kernel moves the pages of what has become longer: parts that are joined in the end are there twice.
            self._heard.resize(end + _MORE_S * self._rate_hz, refcheck=False)
        self._heard[self._samples : end] = samples
        self._begun, self._samples = True, end
