"""What a synthetic patient's face does from frame to frame: pain, speech, blinks and small movements of the head."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.face import Head

_PAIN: Final[Mapping[str, float]] = {
    "AU04": 1.0, "AU06": 0.8, "AU07": 0.9, "AU09": 0.6, "AU10": 0.7, "AU25": 0.3, "AU43": 0.55,
}  # fmt: skip
"""A face in full pain: the action units of PSPI (Prkachin and Solomon 2008), with lips parted."""
_TONIC_SHARE: Final = 0.2
_BLINK_S: Final = 0.24
_SPEECH_JAW: Final = 0.45
_SPEECH_LIPS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Course:
    """One value a frame for each: the pain shown (0 to 1), the lids' closure in blinks, the jaw's opening in speech.

    `head` has shape (frames, 3), as `pipelines.synthetic.face.Head`.
    """

    pain: NDArray[np.float64]
    blink: NDArray[np.float64]
    speech: NDArray[np.float64]
    head: NDArray[np.float64]

    def at(self, frame: int) -> tuple[dict[str, float], Head]:
        """The expression and the head's pose in one frame."""
        pain, speech = float(self.pain[frame]), float(self.speech[frame])
        expression = {unit: share * pain for unit, share in _PAIN.items()}
        expression["AU43"] = min(1.0, max(expression["AU43"], float(self.blink[frame])))
        expression["AU25"] = min(1.0, expression["AU25"] + _SPEECH_LIPS * speech)
        expression["AU26"] = _SPEECH_JAW * speech
        dx, dy, roll = (float(value) for value in self.head[frame])
        return expression, (dx, dy, roll)


def course(
    rng: np.random.Generator, *, times_s: NDArray[np.float64], pain: float, from_s: float, loudness: NDArray[np.float64]
) -> Course:
    """How a recording goes: neutral until `from_s`, from then on pain in bursts on a low tonic level.

    Args:
        rng: decides when the face blinks and pain breaks through.
        times_s: the frames' times.
        pain: intensity of the bursts, 0 to 1.
        from_s: when free speech begins.
        loudness: of the speech at each frame, 0 to 1.
    """
    end_s = float(times_s[-1])
    free_s = max(end_s - from_s, 0.2)
    bursts = np.zeros_like(times_s)
    for k in range(max(1, round(free_s / 2.5))):
        middle_s = from_s + free_s * (k + rng.uniform(0.35, 0.65)) / max(1, round(free_s / 2.5))
        width_s = min(rng.uniform(0.35, 0.6), free_s / 5)
        bursts = np.maximum(bursts, rng.uniform(0.8, 1.0) * np.exp(-0.5 * ((times_s - middle_s) / width_s) ** 2))
    spoken = 1 / (1 + np.exp(-np.clip((times_s - from_s - 0.2) / 0.06, -30, 30)))
    return Course(
        pain=pain * spoken * np.maximum(bursts, _TONIC_SHARE),
        blink=_blinks(rng, times_s),
        speech=loudness,
        head=_head(rng, times_s),
    )


def _blinks(rng: np.random.Generator, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    closed = np.zeros_like(times_s)
    at_s = rng.uniform(0.4, 1.2)
    while at_s < times_s[-1]:
        closed = np.maximum(closed, np.clip(1.4 - np.abs(times_s - at_s) / (_BLINK_S / 2), 0, 1))
        at_s += rng.uniform(1.8, 4.0)
    return closed


def _head(rng: np.random.Generator, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """Slow sways: up to about 1 % of the frame's width and 2 degrees of roll."""
    columns = []
    for most in (6.0, 4.0, 0.02):
        slow, fast = rng.uniform(0.1, 0.3), rng.uniform(0.4, 0.8)
        phase, other = rng.uniform(0, 2 * np.pi, 2)
        columns.append(
            most * (np.sin(2 * np.pi * slow * times_s + phase) + 0.3 * np.sin(2 * np.pi * fast * times_s + other))
        )
    return np.stack(columns, axis=1)
