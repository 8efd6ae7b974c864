"""Speech of a synthetic patient, by Praat's synthesiser (eSpeak NG inside), which needs no system library.

The synthesiser keeps a state from one utterance to the next: in one process the same sentence never sounds the same
twice (samples differ, and so does the length), whatever seeds are set. So `speak` starts a fresh process for each list
of sentences; there the same list always gives the same samples. This module is that process's program, too.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ: Final = 44_100
"""The synthesiser's own rate: another one costs it six times the work."""

_LANGUAGES: Final[Mapping[str, str]] = {"nl": "Dutch", "en": "English (Great Britain)"}

READING: Final[Mapping[str, str]] = {
    "nl": "De noordenwind en de zon hadden een gesprek.",
    "en": "The north wind and the sun had a conversation.",
}
"""The neutral sentence that everybody reads, after the fable in the handbook of the International Phonetic Association."""

ABOUT_PAIN: Final[Mapping[str, tuple[str, ...]]] = {
    "nl": (
        "Het steekt hier in mijn zij.",
        "Vannacht werd ik wakker van de pijn.",
        "Als ik ga zitten wordt het erger.",
        "Mijn rug doet nu veel pijn.",
        "Na de medicijnen zakt het een beetje.",
    ),
    "en": (
        "It stabs me here in my side.",
        "Last night the pain woke me up.",
        "It gets worse when I sit down.",
        "My back hurts a lot right now.",
        "After the medicine it eases a little.",
    ),
}
ABOUT_THE_DAY: Final[Mapping[str, tuple[str, ...]]] = {
    "nl": (
        "Ik heb vanmorgen goed ontbeten.",
        "Daarna heb ik de krant gelezen.",
        "Vanmiddag komt er bezoek.",
        "Het is mooi weer vandaag.",
        "We gaan straks naar buiten.",
    ),
    "en": (
        "I had a good breakfast this morning.",
        "Then I read the newspaper.",
        "This afternoon there are visitors.",
        "The weather is lovely today.",
        "We will go outside later.",
    ),
}


@dataclass(frozen=True, slots=True)
class Voice:
    """How a person sounds.

    Args:
        sex: female voices speak at about 180 to 215 Hz, male ones at about 95 to 106 Hz, before `pitch`.
        variant: one of five timbres, 1 to 5.
        pitch: factor on the fundamental frequency, 0.5 to 2.
        words_per_minute: speed, 80 to 450.
    """

    sex: Literal["female", "male"]
    variant: int = 1
    pitch: float = 1.0
    words_per_minute: int = 165


def speak(sentences: Sequence[str], language: str, voice: Voice) -> list[NDArray[np.float32]]:
    """Speak sentences.

    Args:
        sentences: what to say; their order matters to the samples.
        language: `nl` or `en`.
        voice: who says it.

    Returns:
        One array a sentence: mono samples in -1..1 at `SAMPLE_RATE_HZ`.

    Raises:
        KeyError: the language is another one.
        subprocess.CalledProcessError: the synthesiser failed.

    >>> len(speak(["Good morning."], "en", Voice("female")))
    1
    """
    order = {"sentences": list(sentences), "language": _LANGUAGES[language], "voice": asdict(voice)}
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).resolve())],
        input=json.dumps(order).encode(),
        stdout=subprocess.PIPE,
        check=True,
    )
    lengths, _, samples = done.stdout.partition(b"\n")
    edges = np.cumsum(json.loads(lengths))[:-1]
    return np.split(np.frombuffer(samples, dtype="<f4"), edges)


def _synthesise(order: Mapping[str, Any]) -> list[NDArray[np.float32]]:
    """The work of the fresh process."""
    from parselmouth.praat import call  # noqa: PLC0415 - an optional dependency, and the parent never needs it

    voice = Voice(**order["voice"])
    synthesiser = call("Create SpeechSynthesizer", order["language"], f"{voice.sex.capitalize()}{voice.variant}")
    word_gap_s, pitch_range = 0.01, 1.0
    call(synthesiser, "Speech output settings", SAMPLE_RATE_HZ, word_gap_s, voice.pitch, pitch_range,
         voice.words_per_minute, "IPA")  # fmt: skip
    made = []
    for sentence in order["sentences"]:
        answer = call(synthesiser, "To Sound", sentence, "no")
        sound = answer[0] if isinstance(answer, list) else answer
        made.append(sound.values[0].astype("<f4"))
    return made


def _main() -> None:
    made = _synthesise(json.load(sys.stdin))
    out = sys.stdout.buffer
    out.write(json.dumps([len(part) for part in made]).encode() + b"\n")
    for part in made:
        out.write(part.tobytes())


if __name__ == "__main__":
    _main()
