"""The tables of voice beside eGeMAPSv02 over whole tasks: over speech alone, openSMILE's further sets, Praat's check.

Sources: ComParE_2016: Schuller et al. 2016, Interspeech, doi:10.21437/Interspeech.2016-129; emobase: Eyben et al. 2010,
doi:10.1145/1873951.1874246; GeMAPSv01b: Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417; Praat: Boersma and Weenink,
www.praat.org; Boersma 1993, Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio
of a sampled sound, IFA Proceedings 17.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING, TASK_OR_WHOLE
from schemas.speech import NO_SPEECH
from schemas.voice import CAUSES, FEATURE_SET, FRAME_STEP_S, FUNCTIONALS, VOICE_FUNCTIONALS

FurtherSet = Literal["GeMAPSv01b", "ComParE_2016", "emobase"]
FURTHER_SETS: tuple[FurtherSet, ...] = get_args(FurtherSet)


def _over_speech(column: Column) -> Column:
    if column.name == "cause":
        meaning = column.meaning.replace("all of them for", f"all of them for '{NO_SPEECH}',")
        return replace(column, meaning=f"{meaning} Speech alone counts.", allowed=(*CAUSES, NO_SPEECH))
    return column


_BEFORE = [column for column in VOICE_FUNCTIONALS if column not in FUNCTIONALS]

VOICE_FUNCTIONALS_SPEECH = Table(
    "voice_functionals_speech", "recording x task x feature set",
    f"{FEATURE_SET} as in voice_functionals, over the task's speech alone: its stretches of speech_segments, joined.",
    (
        *(_over_speech(column) for column in _BEFORE),
        Column("speech_s", "DOUBLE", "Speech that was measured.", unit="s", minimum=0),
        Column("stretches", "INTEGER", "Stretches of speech that were joined, each faded in and out over 5 ms.", unit="{stretches}", minimum=0),
        *FUNCTIONALS,
    ),
    key=VOICE_FUNCTIONALS.key,
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

_FEATURE = Column("feature", "VARCHAR", "openSMILE's name of the feature.", nullable=False)
_SET = Column("feature_set", "VARCHAR", "openSMILE's name of the feature set.", nullable=False, allowed=FURTHER_SETS)

VOICE_FEATURES_LONG = Table(
    "voice_features_long", "recording x task x segment x feature set x feature",
    "Functionals of the further sets in voice.feature_sets; empty where none is chosen. What could not be measured has no rows: voice_functionals and voice_functionals_speech have the cause.",
    (
        RECORDING,
        TASK_OR_WHOLE,
        Column("segment", "VARCHAR", "'task' for the whole task, 'speech' for its speech alone.", nullable=False, allowed=("task", "speech")),
        _SET,
        _FEATURE,
        Column("value", "FLOAT", "The value, in openSMILE's own unit; NULL for features of voiced frames where no frame is voiced."),
    ),
    key=("recording", "task", "segment", "feature_set", "feature"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

VOICE_SERIES = Table(
    "voice_series", "recording x feature set x low-level descriptor",
    "Low-level descriptors of the further sets in voice.feature_sets, where voice.levels has lld; one list a recording and descriptor, for `unnest`.",
    (
        RECORDING,
        _SET,
        _FEATURE,
        Column("start_s", "DOUBLE", "Where the window of the first value begins, on the recording's clock.", unit="s", nullable=False),
        Column("step_s", "DOUBLE", f"From one value to the next: {FRAME_STEP_S} s.", unit="s", nullable=False),
        Column("values", "FLOAT[]", "The values in order of time, in openSMILE's own unit, which writes 0 for pitch, jitter and shimmer of unvoiced frames."),
    ),
    key=("recording", "feature_set", "feature"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class CrossChecked:
    """What two engines measure over the same stretch.

    Args:
        unit: of both, after `convert`.
        meaning: one sentence.
        opensmile: the functional of `voice_functionals`.
        convert: SQL from that functional `{}` to the unit.
    """

    unit: str
    meaning: str
    opensmile: str
    convert: str = "{}"


# fmt: off
CROSS_CHECKED: Mapping[str, CrossChecked] = {
    "f0_geometric_mean_hz": CrossChecked("Hz", "Geometric mean of the fundamental frequency, as the mean in semitones is.", "F0semitoneFrom27.5Hz_sma3nz_amean", "27.5 * 2 ** ({} / 12)"),
    "jitter_local": CrossChecked("1", "Mean difference of neighbouring periods over the mean period.", "jitterLocal_sma3nz_amean"),
    "shimmer_local_db": CrossChecked("dB", "Mean difference in level of neighbouring periods.", "shimmerLocaldB_sma3nz_amean"),
    "hnr_db": CrossChecked("dB", "Mean harmonics-to-noise ratio.", "HNRdBACF_sma3nz_amean"),
    **{
        f"f{n}_mean_hz": CrossChecked("Hz", f"Mean centre frequency of formant {n} over voiced frames.", f"F{n}frequency_sma3nz_amean")
        for n in (1, 2, 3)
    },
    **{
        f"f{n}_bandwidth_mean_hz": CrossChecked("Hz", f"Mean bandwidth of formant {n} over voiced frames.", f"F{n}bandwidth_sma3nz_amean")
        for n in (1, 2, 3)
    },
}
# fmt: on

VOICE_CROSS_CHECK = Table(
    "voice_cross_check", "recording x task x engine x feature",
    "What another engine measures on the same stretches as voice_functionals; empty where voice.cross_check is none. Features: "
    + " ".join(f"{name} [{each.unit}]: {each.meaning}" for name, each in CROSS_CHECKED.items()),
    (
        RECORDING,
        TASK_OR_WHOLE,
        Column("engine", "VARCHAR", "What measured it.", nullable=False, allowed=("praat",)),
        Column("feature", "VARCHAR", "What was measured.", nullable=False, allowed=tuple(CROSS_CHECKED)),
        Column("unit", "VARCHAR", "The value's unit; 1 for a ratio.", nullable=False),
        Column("value", "DOUBLE", "The value; NULL where there is a cause."),
        Column("cause", "VARCHAR", "Why there is no value: 'unvoiced' where too few periods were found.", allowed=CAUSES),
    ),
    key=("recording", "task", "engine", "feature"),
    references=(OF_RECORDING,),
    # Formants follow the vocal tract's anatomy.
    tier=Tier.FEATURE,
)  # fmt: skip
