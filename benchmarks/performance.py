"""One synthetic performance, filmed by any camera: the same face does the same at the same time, whatever the size and rate."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.recording import Task
from pipelines.synthetic.expression import Course, course
from pipelines.synthetic.face import FaceModel
from pipelines.synthetic.recording import Take, loudness, soundtrack
from pipelines.synthetic.speech import SAMPLE_RATE_HZ, Voice

_FINE_HZ = 300
"""The performance is thought out this finely, and then seen at a camera's times."""
_VOICES = (
    Voice("female", 1, 1.0, 165), Voice("male", 2, 1.0, 160), Voice("female", 3, 1.1, 180),
    Voice("male", 4, 0.9, 150), Voice("female", 5, 0.9, 155), Voice("male", 1, 1.15, 175),
)  # fmt: skip


class Performance:
    """Somebody reads aloud and then talks in pain, with blinks and small movements of the head.

    Args:
        person: a number; it gives face, voice and language.
        seconds: length.
    """

    def __init__(self, person: int, seconds: float) -> None:
        self.person, self.seconds = person, seconds
        language = "nl" if person % 2 else "en"
        self._take = Take(person, person, _VOICES[person % len(_VOICES)], language, seconds, pain=0.9)

    @cached_property
    def sound(self) -> tuple[NDArray[np.float32], tuple[Task, Task]]:
        """Mono samples at `SAMPLE_RATE_HZ`, and the tasks."""
        rng = np.random.default_rng([self.person, 3])
        return soundtrack(self._take, rng, round(self.seconds * SAMPLE_RATE_HZ))

    @cached_property
    def _course(self) -> tuple[NDArray[np.float64], Course]:
        samples, tasks = self.sound
        times_s = np.arange(round(self.seconds * _FINE_HZ)) / _FINE_HZ
        # The jaw follows the voice as slowly as in a film of 25 Hz.
        coarse = loudness(samples, round(self.seconds * 25))
        spoken = np.interp(times_s, (np.arange(len(coarse)) + 0.5) / 25, coarse)
        rng = np.random.default_rng([self.person, 5])
        return times_s, course(rng, times_s=times_s, pain=0.9, from_s=tasks[1].start_s, loudness=spoken)

    def images(self, height: int, fps: float) -> Iterator[NDArray[np.uint8]]:
        """The frames of a 16:9 film, each height x width x 3, RGB.

        Args:
            height: of the picture, px.
            fps: frames a second.
        """
        fine_s, played = self._course
        times_s = np.arange(round(self.seconds * fps)) / fps

        def seen(values: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.interp(times_s, fine_s, values)

        head = np.stack([seen(column) for column in played.head.T], axis=1)
        sampled = Course(seen(played.pain), seen(played.blink), seen(played.speech), head)
        face = FaceModel(self.person, 2 * round(height * 8 / 9), height)
        for number in range(len(times_s)):
            yield face.render(*sampled.at(number))
