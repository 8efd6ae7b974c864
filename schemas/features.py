"""What analysts usually ask for in one row a recording and task: the view `recording_features` and the table under it."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

from schemas.clinical import CLINICAL_OBSERVATIONS, MEDICATIONS
from schemas.core import Column, Table, Tier
from schemas.expressions import AU_FRAMES_CALIBRATED, AU_NEUTRAL, GRADED
from schemas.face import AU_FRAMES
from schemas.people import OF_RECORDING, PARTICIPANTS, RECORDING, RECORDINGS, TASK_OR_WHOLE
from schemas.quality import MEASURES
from schemas.speech import SPEECH_TIMING, TIMING_IN_VIEW
from schemas.voice import FUNCTIONALS, VOICE_FUNCTIONALS

Summary = Literal["mean", "p95", "max", "share"]

_SUMMARIES: dict[Summary, str] = {
    "mean": "mean over the task's usable frames",
    "p95": "95th percentile over the task's usable frames",
    "max": "largest in the task's usable frames",
    "share": "share of the task's usable frames, of those in which it was measured, in which it is present",
}


def au_summary_columns() -> Iterator[tuple[Column, str, Summary]]:
    """Each summary of action units and PSPI with the column of `au_frames` it is made from, and how."""
    for source in AU_FRAMES:
        intensity = source.name.startswith("AU") and source.name.endswith("_r")
        summaries: tuple[Summary, ...] = ("mean", "p95", "max") if intensity or source.name == "pspi" else ()
        if source.name.startswith("AU") and source.name.endswith("_c"):
            summaries = ("share",)
        for summary in summaries:
            share = summary == "share"
            yield (
                Column(
                    f"{source.name}_{summary}", "DOUBLE", f"{source.meaning.rstrip('.')}: {_SUMMARIES[summary]}.",
                    unit="1" if share else source.unit, minimum=0 if share else source.minimum,
                    maximum=1 if share else source.maximum,
                ),
                source.name,
                summary,
            )  # fmt: skip


def calibrated_columns() -> Iterator[tuple[Column, str, Summary]]:
    """Each summary of calibrated action units with its action unit, and how it is made.

    Beside the raw summary they tell the person's neutral face, so they are given to no more people than that.
    """
    summaries: tuple[Summary, ...] = ("mean", "p95", "max")
    for unit in GRADED:
        calibrated = AU_FRAMES_CALIBRATED[f"{unit}_cal"]
        for summary in summaries:
            yield (
                replace(calibrated, name=f"{calibrated.name}_{summary}", tier=AU_NEUTRAL.tier,
                        meaning=f"{calibrated.meaning.rstrip('.')}: {_SUMMARIES[summary]}."),
                unit,
                summary,
            )  # fmt: skip


def _dynamic(name: str, meaning: str, unit: str, maximum: float | None = None) -> Column:
    return Column(name, "DOUBLE", meaning, unit=unit, minimum=0, maximum=maximum)


_DYNAMIC = (
    _dynamic(
        "pspi_valid_s",
        "Time in which PSPI was measured in usable frames; a frame stands until the next, at most publish.events.max_gap_s.",
        "s",
    ),
    _dynamic("pspi_above_share", "Share of pspi_valid_s with PSPI at or above publish.events.pspi_threshold.", "1", 1),
    _dynamic(
        "pspi_area", "Area under PSPI over pspi_valid_s; divide by it to compare tasks of different length.", "{0-16}.s"
    ),
    _dynamic("blinks_per_min", "Blinks (AU45 in au_events, by their apex) a minute of usable frames.", "/min"),
    _dynamic(
        "head_speed_mean",
        "Mean angular speed of the head between usable frames; landmark noise alone gives a few hundredths.",
        "rad/s",
    ),
    _dynamic("head_speed_sd", "Standard deviation of it.", "rad/s"),
    _dynamic("head_speed_range", "Greatest less least of it.", "rad/s"),
    _dynamic("pose_Rx_range", "Greatest less least head pitch in usable frames.", "rad"),
    _dynamic("pose_Ry_range", "Greatest less least head yaw in usable frames.", "rad"),
    _dynamic("pose_Rz_range", "Greatest less least head roll in usable frames.", "rad"),
    _dynamic("mouth_open_mean", "Mean of mouth_open over usable frames.", "1"),
    _dynamic("mouth_open_sd", "Standard deviation of it.", "1"),
    _dynamic("mouth_open_range", "Greatest less least of it.", "1"),
)

DYNAMICS = tuple(column.name for column in _DYNAMIC)
"""Summaries that weigh time or follow frames in their order."""

AU_SUMMARIES = Table(
    "au_summaries", "recording x task",
    "Action units, PSPI, blinks and movements summed up over the usable frames of each task, and of the whole recording; made from au_frames.",
    (
        RECORDING,
        TASK_OR_WHOLE,
        Column("frames", "BIGINT", "Video frames in it.", nullable=False, unit="{frames}", minimum=0),
        Column("face_share", "DOUBLE", "Share of its frames in which a face was found.", unit="1", minimum=0, maximum=1),
        Column("usable_share", "DOUBLE", "Share of its frames that are usable (publish.usable): all that follows is of those.", unit="1", minimum=0, maximum=1),
        *(column for column, _, _ in au_summary_columns()),
        *(column for column, _, _ in calibrated_columns()),
        *_DYNAMIC,
    ),
    key=("recording", "task"),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

PERSON_COLUMNS = ("group", "sex", "age_band", "site", "language", "tumour_type", "tumour_stage")
"""Those of `participants` in the view."""

_STANDS_ELSEWHERE = (
    "duration_s",
    "frames",
    "fps",
    "width_px",
    "height_px",
    "sample_rate_hz",
    "video_start_s",
    "audio_start_s",
)

QUALITY_COLUMNS = tuple(name for name in MEASURES if name not in _STANDS_ELSEWHERE)
"""The measures in the view; the others are columns of `recordings` or `au_summaries`."""

VOICE_COLUMNS = tuple(column.name for column in FUNCTIONALS)
"""The 88 functionals of eGeMAPSv02."""

NRS_COLUMNS = ("nrs_now", "nrs_worst_24h", "nrs_mean_24h")

_AU_COLUMNS = tuple(name for name in AU_SUMMARIES.names if name not in ("recording", "task"))


def _optional(table: Table, name: str, *, as_name: str = "", meaning: str = "") -> Column:
    """A column as another table has it, without its bounds: they are checked there."""
    column = table[name]
    return replace(column, name=as_name or name, meaning=meaning or column.meaning, nullable=True,
                   tier=table.tier_of(column))  # fmt: skip


RECORDING_FEATURES = Table(
    "recording_features", "current recording x task",
    "One row a task, and one for the whole recording: the person, the recording's quality, summaries of face and voice, the nearest pain score and the last analgesic. A view.",
    (
        RECORDING,
        TASK_OR_WHOLE,
        RECORDINGS["participant"],
        RECORDINGS["visit"],
        _optional(RECORDINGS, "study_day"),
        Column("task_duration_s", "DOUBLE", "Length of the task; of the recording where the task is 'whole'.", unit="s", minimum=0),
        *(_optional(PARTICIPANTS, name) for name in PERSON_COLUMNS),
        *(
            Column(name, "DOUBLE", f"{MEASURES[name].meaning} Of the whole recording. {MEASURES[name].source}", unit=MEASURES[name].unit)
            for name in QUALITY_COLUMNS
        ),
        *(_optional(AU_SUMMARIES, name) for name in _AU_COLUMNS),
        *(_optional(VOICE_FUNCTIONALS, name) for name in VOICE_COLUMNS),
        *(_optional(SPEECH_TIMING, name) for name in TIMING_IN_VIEW),
        *(
            _optional(CLINICAL_OBSERVATIONS, name,
                      meaning=f"{CLINICAL_OBSERVATIONS[name].meaning} From the nearest observation with nrs_now within the window of meta.dataset_version.")
            for name in NRS_COLUMNS
        ),
        Column("nrs_lag_min", "INTEGER", "When those scores were given, after (negative: before) the recording; of two equally near the earlier.", unit="min"),
        _optional(MEDICATIONS, "atc_code", as_name="analgesic_atc_code", meaning="WHO ATC code of the last analgesic (N02) at or before the recording."),
        _optional(MEDICATIONS, "drug", as_name="analgesic_drug", meaning="Its generic name."),
        _optional(MEDICATIONS, "dose_mg", as_name="analgesic_dose_mg", meaning="Its dose."),
        Column("analgesic_lag_min", "INTEGER", "How long before the recording it was given.", unit="min", minimum=0),
    ),
    key=("recording", "task"),
    tier=Tier.AGGREGATE,
)  # fmt: skip
