"""The tables of voice: eGeMAPSv02 under openSMILE's own names, with meaning and unit built from their structure.

Source of all: Eyben et al. 2016, The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and
Affective Computing, IEEE Transactions on Affective Computing 7(2), doi:10.1109/TAFFC.2015.2457417, as configured in
openSMILE's eGeMAPSv02. In its names, `sma3` is a moving average over three frames, `nz` says that zeros (unvoiced
frames) are left out, `V` and `UV` that only voiced or unvoiced frames count.
"""

from dataclasses import dataclass
from typing import Literal

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING, TASK_OR_WHOLE

FEATURE_SET = "eGeMAPSv02"
FRAME_STEP_S = 0.01
SPECTRAL_WINDOW_S = 0.02
PITCH_WINDOW_S = 0.06


Gain = Literal["none", "scales", "shifts"]
"""What a louder recording does to a descriptor: nothing, multiply it (so that its coefficient of variation stays), or
more than that: openSMILE's slopes of the spectrum are no mere differences of levels, and shift.

Whether a frame is voiced follows the level a little too, for all: openSMILE calls none voiced below an energy of 0.001
(cValbasedSelector in GeMAPSv01b_core.lld.conf.inc)."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """A low-level descriptor: what it is, its unit, the window of each frame's value, and how it follows the level."""

    name: str
    meaning: str
    unit: str
    window_s: float = SPECTRAL_WINDOW_S
    gain: Gain = "none"


def _formants() -> tuple[Descriptor, ...]:
    return tuple(
        descriptor
        for n in (1, 2, 3)
        for descriptor in (
            Descriptor(f"F{n}frequency_sma3nz", f"centre frequency of formant {n}", "Hz"),
            Descriptor(f"F{n}bandwidth_sma3nz", f"bandwidth of formant {n}", "Hz"),
            Descriptor(
                f"F{n}amplitudeLogRelF0_sma3nz",
                f"level of the highest harmonic near formant {n} against that of F0",
                "dB",
                PITCH_WINDOW_S,
            ),
        )
    )


# fmt: off
_SPECTRUM = (
    Descriptor("alphaRatio_sma3", "energy in 1-5 kHz against that in 50-1000 Hz (as openSMILE writes it: the paper has the inverse)", "dB"),
    Descriptor("hammarbergIndex_sma3", "strongest peak in 0-2 kHz against that in 2-5 kHz", "dB"),
    Descriptor("slope0-500_sma3", "slope of the spectrum in 0-500 Hz", "dB/Hz", gain="shifts"),
    Descriptor("slope500-1500_sma3", "slope of the spectrum in 500-1500 Hz", "dB/Hz", gain="shifts"),
    Descriptor("spectralFlux_sma3", "change of the spectrum from frame to frame", "{flux}", gain="scales"),
    *(Descriptor(f"mfcc{n}_sma3", f"mel-frequency cepstral coefficient {n}", "{mfcc}") for n in (1, 2, 3, 4)),
)
_PROSODY = (
    Descriptor("F0semitoneFrom27.5Hz_sma3nz", "fundamental frequency in semitones above 27.5 Hz", "{semitone}", PITCH_WINDOW_S),
    Descriptor("jitterLocal_sma3nz", "jitter: mean difference of neighbouring periods over the mean period", "1", PITCH_WINDOW_S),
    Descriptor("shimmerLocaldB_sma3nz", "shimmer: difference in level of neighbouring periods", "dB", PITCH_WINDOW_S),
    Descriptor("HNRdBACF_sma3nz", "harmonics-to-noise ratio from the autocorrelation", "dB", PITCH_WINDOW_S),
)
_HARMONICS = (
    Descriptor("logRelF0-H1-H2_sma3nz", "level of the first harmonic of F0 against the second", "dB", PITCH_WINDOW_S),
    Descriptor("logRelF0-H1-A3_sma3nz", "level of the first harmonic of F0 against the highest harmonic in formant 3", "dB", PITCH_WINDOW_S),
    *_formants(),
)
# fmt: on
_VOICE = (*_PROSODY, *_HARMONICS)
_SPECTRAL = (*_SPECTRUM, *_HARMONICS)
"""What the shape of the spectrum gives: it follows the vocal tract's anatomy, by which speakers are recognised."""
_LOUDNESS = Descriptor("Loudness_sma3", "perceived loudness from an auditory spectrum", "{loudness}", gain="scales")

DESCRIPTORS = (_LOUDNESS, *_SPECTRUM, *_VOICE)
"""The 25 low-level descriptors, in openSMILE's order."""

F0 = "F0semitoneFrom27.5Hz_sma3nz"
LOUDNESS = _LOUDNESS.name

_FUNCTIONALS = {
    "amean": ("Mean", ""),
    "stddevNorm": ("Coefficient of variation (standard deviation over mean)", "1"),
    "percentile20.0": ("20th percentile", ""),
    "percentile50.0": ("Median", ""),
    "percentile80.0": ("80th percentile", ""),
    "pctlrange0-2": ("Range from the 20th to the 80th percentile", ""),
    "meanRisingSlope": ("Mean slope of rising parts", "/s"),
    "stddevRisingSlope": ("Standard deviation of the slopes of rising parts", "/s"),
    "meanFallingSlope": ("Mean slope of falling parts", "/s"),
    "stddevFallingSlope": ("Standard deviation of the slopes of falling parts", "/s"),
}
"""Suffix to meaning and unit: none is that of the descriptor, one with a stroke is appended to it."""

_ALL = tuple(_FUNCTIONALS)
_MEAN_AND_VARIATION = ("amean", "stddevNorm")


def _functionals(descriptor: Descriptor, name: str, which: tuple[str, ...], frames: str) -> tuple[Column, ...]:
    """The named functionals of one descriptor, written as openSMILE does.

    Those of the spectrum's shape are a voice print in small, also as a mean; pitch, loudness, their steadiness and the
    rhythm of speech change with a person's state from day to day and are coarser.
    """
    tier = Tier.FEATURE if descriptor in _SPECTRAL else Tier.AGGREGATE
    columns = []
    for functional in which:
        meaning, unit = _FUNCTIONALS[functional]
        full = descriptor.unit + unit if unit.startswith("/") else unit or descriptor.unit
        columns.append(
            Column(
                f"{name}_{functional}",
                "FLOAT",
                f"{meaning} of the {descriptor.meaning}, over {frames}.",
                unit=full,
                tier=tier,
                gain_sensitive=descriptor.gain == "shifts" or (descriptor.gain == "scales" and full != "1"),
            )
        )
    return tuple(columns)


def _within(descriptor: Descriptor, mark: str) -> str:
    """The name of a descriptor taken over voiced (V) or unvoiced (UV) frames alone: slope0-500 gives slopeV0-500."""
    base = descriptor.name.removesuffix("_sma3")
    stem = "slope" if base.startswith("slope") else base
    return f"{stem}{mark}{base.removeprefix(stem)}_sma3nz"


# fmt: off
_TEMPORAL = (
    Column("loudnessPeaksPerSec", "FLOAT", "Peaks of loudness a second: about the rate of syllables.", unit="/s"),
    Column("VoicedSegmentsPerSec", "FLOAT", "Continuous voiced stretches a second.", unit="/s"),
    Column("MeanVoicedSegmentLengthSec", "FLOAT", "Mean length of continuous voiced stretches.", unit="s"),
    Column("StddevVoicedSegmentLengthSec", "FLOAT", "Standard deviation of the lengths of continuous voiced stretches.", unit="s"),
    Column("MeanUnvoicedSegmentLength", "FLOAT", "Mean length of unvoiced stretches: about that of pauses.", unit="s"),
    Column("StddevUnvoicedSegmentLength", "FLOAT", "Standard deviation of the lengths of unvoiced stretches.", unit="s"),
    Column("equivalentSoundLevel_dBp", "FLOAT", "Equivalent sound level against digital full scale.", unit="dB", gain_sensitive=True),
)
# fmt: on

FUNCTIONALS: tuple[Column, ...] = (
    *_functionals(_VOICE[0], F0, _ALL, "voiced frames"),
    *_functionals(_LOUDNESS, "loudness_sma3", _ALL, "all frames"),
    *(c for d in _SPECTRUM[4:] for c in _functionals(d, d.name, _MEAN_AND_VARIATION, "all frames")),
    *(c for d in _VOICE[1:] for c in _functionals(d, d.name, _MEAN_AND_VARIATION, "voiced frames")),
    *(c for d in _SPECTRUM for c in _functionals(d, _within(d, "V"), _MEAN_AND_VARIATION, "voiced frames")),
    *(c for d in _SPECTRUM[:5] for c in _functionals(d, _within(d, "UV"), ("amean",), "unvoiced frames")),
    *_TEMPORAL,
)
"""The 88 functionals, in openSMILE's order."""

OF_VOICED = tuple(c.name for c in FUNCTIONALS if "over voiced frames" in c.meaning or "VoicedSegmentLength" in c.name)
"""Functionals that mean nothing where no frame is voiced; openSMILE gives 0 or a floor for them."""
OF_UNVOICED = tuple(c.name for c in FUNCTIONALS if "over unvoiced" in c.meaning or "UnvoicedSegmentLength" in c.name)
"""Functionals that mean nothing where every frame is voiced."""


def _descriptor_column(descriptor: Descriptor) -> Column:
    """A descriptor as a column of frames."""
    meaning = f"{descriptor.meaning[0].upper()}{descriptor.meaning[1:]}"
    window = f"window of {descriptor.window_s * 1000:.0f} ms from timestamp_s"
    absent = ""
    if descriptor in _VOICE:
        unvoiced = descriptor.window_s == PITCH_WINDOW_S
        absent = f"; NULL {'in unvoiced frames and ' if unvoiced else ''}where it could not be measured"
    return Column(
        descriptor.name, "FLOAT", f"{meaning}; {window}{absent}.", unit=descriptor.unit,
        gain_sensitive=descriptor.gain != "none",
    )  # fmt: skip


VOICE_FRAMES = Table(
    "voice_frames", "10 ms of sound", f"Low-level descriptors of {FEATURE_SET}, smoothed over three frames.",
    (
        RECORDING,
        Column("frame", "INTEGER", "Number of the frame, from 0.", nullable=False, minimum=0),
        Column("timestamp_s", "DOUBLE", "Where the frame's windows begin, on the recording's clock.", unit="s", nullable=False),
        *(_descriptor_column(descriptor) for descriptor in DESCRIPTORS),
    ),
    key=("recording", "frame"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

CAUSES = ("no_audio", "too_short", "outside_recording", "unvoiced", "all_voiced")

VOICE_FUNCTIONALS = Table(
    "voice_functionals", "recording x task x feature set", f"{FEATURE_SET} over each task and over the whole recording.",
    (
        RECORDING,
        TASK_OR_WHOLE,
        Column("feature_set", "VARCHAR", "openSMILE's name of the feature set.", nullable=False, allowed=(FEATURE_SET,)),
        Column("start_s", "DOUBLE", "Where what was measured begins, on the recording's clock.", unit="s"),
        Column("end_s", "DOUBLE", "Where what was measured ends: the task, as far as there is sound.", unit="s"),
        Column("sample_rate_hz", "INTEGER", "Rate at which it was measured; jitter and shimmer depend on it.", unit="Hz", nullable=False),
        Column("cause", "VARCHAR",
               "Why values are NULL: all of them for 'no_audio', 'too_short' and 'outside_recording', those of voiced frames for "
               "'unvoiced' (no voiced frame), those of unvoiced frames for 'all_voiced'.",
               allowed=CAUSES),
        *FUNCTIONALS,
    ),
    key=("recording", "task", "feature_set"),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip
