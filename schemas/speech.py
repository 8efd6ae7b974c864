"""The tables of when somebody speaks: stretches of speech, and the timing that follows from them.

Source of the stretches: Silero VAD (Silero Team 2024) with hysteresis, parameters of the block `voice`. Of the pauses:
Goldman-Eisler 1968, Psycholinguistics: Experiments in Spontaneous Speech, whose 250 ms tells pauses from the closures
of stops; Campione and Veronis 2002, A large-scale multilingual study of silent pause duration, Speech Prosody.
"""

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING, TASK_OR_WHOLE

SPEECH_SEGMENTS = Table(
    "speech_segments", "stretch of speech", "Where voice activity was found, over the whole recording.",
    (
        RECORDING,
        Column("stretch", "INTEGER", "Number of the stretch, from 0.", nullable=False, minimum=0),
        Column("start_s", "DOUBLE", "Where it begins, on the recording's clock.", unit="s", nullable=False),
        Column("end_s", "DOUBLE", "Where it ends.", unit="s", nullable=False),
    ),
    key=("recording", "stretch"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

NO_SPEECH = "no_speech"
_CAUSES = ("no_audio", "too_short", "outside_recording", NO_SPEECH)

# fmt: off
TIMING = (
    Column("speech_s", "DOUBLE", "Speech within the task.", unit="s", minimum=0),
    Column("phonation_share", "DOUBLE", "Share of the task that is speech: speech_s over its length.", unit="1", minimum=0, maximum=1),
    Column("response_latency_s", "DOUBLE", "From the begin of the task to the first speech; NULL where there is none, where somebody is speaking as it begins, or where the sound begins later than the task by more than voice.min_pause_s.", unit="s", minimum=0),
    Column("longest_silence_s", "DOUBLE", "The longest stretch without speech, before the first and after the last included.", unit="s", minimum=0),
    Column("pauses", "INTEGER", "Silences of at least voice.min_pause_s between first and last speech.", unit="{pauses}", minimum=0),
    Column("pauses_per_min", "DOUBLE", "Pauses a minute, from the first speech to the last.", unit="/min", minimum=0),
    Column("pause_mean_s", "DOUBLE", "Mean length of the pauses; NULL without one.", unit="s", minimum=0),
    Column("pause_longest_s", "DOUBLE", "The longest pause; NULL without one.", unit="s", minimum=0),
    Column("runs", "INTEGER", "Runs of speech between pauses.", unit="{runs}", minimum=0),
    Column("run_mean_s", "DOUBLE", "Mean length of the runs, silences too short for a pause included.", unit="s", minimum=0),
    Column("run_longest_s", "DOUBLE", "The longest run.", unit="s", minimum=0),
    Column("loudness_peaks_per_speech_s", "DOUBLE", "Peaks of loudness a second of speech, a proxy of the rate of syllables: loudnessPeaksPerSec of voice_functionals_speech. Source: Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417.", unit="/s", minimum=0),
    Column("voiced_segments_per_speech_s", "DOUBLE", "Continuous voiced stretches a second of speech: VoicedSegmentsPerSec of voice_functionals_speech. Source: the same.", unit="/s", minimum=0),
)
# fmt: on
"""What is measured of each task."""

SPEECH_TIMING = Table(
    "speech_timing", "recording x task", "How speech and silence alternate in each task and over the whole recording, from voice activity.",
    (
        RECORDING,
        TASK_OR_WHOLE,
        Column("start_s", "DOUBLE", "Where what was measured begins, on the recording's clock.", unit="s"),
        Column("end_s", "DOUBLE", "Where what was measured ends: the task, as far as there is sound.", unit="s"),
        Column("cause", "VARCHAR",
               "Why values are NULL: all of them for 'no_audio', 'too_short' and 'outside_recording'; for 'no_speech' those of runs, pauses, rates and latency.",
               allowed=_CAUSES),
        *TIMING,
    ),
    key=("recording", "task"),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

TIMING_IN_VIEW = tuple(column.name for column in TIMING if column.name != "longest_silence_s")
"""Those of `recording_features`, which has the quality stage's silence under that name."""
