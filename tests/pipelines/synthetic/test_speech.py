"""Speech is the same every time, audible, and differs between languages and voices."""

import numpy as np
import parselmouth
import pytest

from pipelines.synthetic.speech import ABOUT_PAIN, ABOUT_THE_DAY, READING, SAMPLE_RATE_HZ, Voice, speak

FEMALE, MALE = Voice("female", 2), Voice("male", 1, pitch=0.9, words_per_minute=150)


def test_the_same_sentences_give_the_same_samples() -> None:
    sentences = [READING["nl"], ABOUT_PAIN["nl"][0]]
    first, second = speak(sentences, "nl", FEMALE), speak(sentences, "nl", FEMALE)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("language", ["nl", "en"])
def test_speech_is_mono_audible_and_of_a_sentences_length(language: str) -> None:
    (samples,) = speak([READING[language]], language, FEMALE)
    assert samples.ndim == 1
    assert samples.dtype == np.float32
    assert 1.5 < len(samples) / SAMPLE_RATE_HZ < 5
    assert 0.1 < np.abs(samples).max() <= 1
    assert np.sqrt(np.mean(samples**2)) > 0.01


def test_languages_and_voices_differ() -> None:
    sentence = "Winter is warm."
    spoken = [speak([sentence], *how)[0].tobytes() for how in (("nl", FEMALE), ("en", FEMALE), ("en", MALE))]
    assert len(set(spoken)) == 3


def test_a_pitch_factor_raises_the_voice() -> None:
    def fundamental_hz(samples: np.ndarray) -> float:
        pitch = parselmouth.Sound(samples.astype(np.float64), SAMPLE_RATE_HZ).to_pitch()
        voiced = pitch.selected_array["frequency"]
        return float(np.median(voiced[voiced > 0]))

    low, high = (speak([READING["en"]], "en", Voice("male", 1, pitch=pitch))[0] for pitch in (0.9, 1.2))
    assert fundamental_hz(high) > 1.15 * fundamental_hz(low)


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(KeyError, match="fr"):
        speak(["Bonjour."], "fr", FEMALE)


def test_both_languages_have_as_much_to_say() -> None:
    for said in (READING, ABOUT_PAIN, ABOUT_THE_DAY):
        assert set(said) == {"nl", "en"}
    assert len(ABOUT_PAIN["nl"]) == len(ABOUT_PAIN["en"]) >= 3
    assert len(ABOUT_THE_DAY["nl"]) == len(ABOUT_THE_DAY["en"]) >= 3
