"""What publication derives from the frames of a face: neutral faces, events, co-occurrence, and views of usable frames."""

from schemas.core import Column, Table, Tier
from schemas.face import AU_FRAMES, AU_NAMES, PRESENCE_ONLY
from schemas.people import OF_PARTICIPANT, OF_RECORDING, PARTICIPANT, RECORDING, TASK_NAMES, TASK_OR_WHOLE

GRADED = tuple(unit for unit in AU_NAMES if unit not in PRESENCE_ONLY)
"""Action units with an intensity."""

NO_READING, TOO_FEW_FRAMES = "NO_READING_TASK", "TOO_FEW_USABLE_FRAMES"

AU_NEUTRAL_BY_RECORDING = Table(
    "au_neutral_by_recording", "recording and action unit", "The neutral face of each recording by itself: what an engine reads at rest.",
    (
        RECORDING,
        Column("action_unit", "VARCHAR", "The action unit.", nullable=False, allowed=GRADED),
        Column("neutral_r", "DOUBLE", "The quantile publish.neutral.quantile of its intensity over the usable frames of the reading task. "
               "After Baltrusaitis, Mahmoud and Robinson, FG 2015, doi:10.1109/FG.2015.7284869. NULL where there is none.",
               unit="{0-5}", minimum=0, maximum=5),
        Column("cause", "VARCHAR", "Why there is none: there is no reading task, or it has not publish.neutral.min_frames usable frames "
               "in which this unit was measured.", allowed=(NO_READING, TOO_FEW_FRAMES)),
    ),
    key=("recording", "action_unit"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

AU_NEUTRAL = Table(
    "au_neutral", "person and action unit", "Each person's neutral face: what an engine reads of it at rest.",
    (
        PARTICIPANT,
        Column("action_unit", "VARCHAR", "The action unit.", nullable=False, allowed=GRADED),
        Column("neutral_r", "DOUBLE", "The median of au_neutral_by_recording over the person's current recordings; one rule for all, however many "
               "recordings a person has. NULL where there is none.", unit="{0-5}", minimum=0, maximum=5),
        Column("cause", "VARCHAR", "Why there is none: no recording has a reading task, or none has publish.neutral.min_frames usable frames "
               "in which this unit was measured.", allowed=(NO_READING, TOO_FEW_FRAMES)),
    ),
    key=("participant", "action_unit"),
    references=(OF_PARTICIPANT,),
    tier=Tier.FEATURE,
)  # fmt: skip

AU_EVENTS = Table(
    "au_events", "event of an action unit", "When an action unit begins, peaks and ends, cut out of its raw intensity with hysteresis (publish.events).",
    (
        RECORDING,
        Column("task", "VARCHAR", "The task that its apex is in; NULL between tasks.", allowed=TASK_NAMES),
        Column("action_unit", "VARCHAR", "The action unit. Closed eyes are AU45, a blink, up to publish.events.blink_max_s, and AU43 beyond.", nullable=False, allowed=GRADED),
        Column("onset_s", "DOUBLE", "Time of the first frame at or above the onset threshold.", unit="s", nullable=False),
        Column("apex_s", "DOUBLE", "Time of the first frame with the greatest intensity.", unit="s", nullable=False),
        Column("offset_s", "DOUBLE", "End of the last frame at or above the offset threshold.", unit="s", nullable=False),
        Column("duration_s", "DOUBLE", "From onset to offset.", unit="s", nullable=False, minimum=0),
        Column("peak_r", "FLOAT", "The intensity at the apex.", unit="{0-5}", nullable=False, minimum=0, maximum=5),
        Column("censored", "BOOLEAN", "Whether it was already going on in the first, or still in the last, of a stretch of usable frames, so that it may have lasted longer.", nullable=False),
    ),
    key=("recording", "action_unit", "onset_s"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip

AU_COOCCURRENCE = Table(
    "au_cooccurrence", "recording x task x pair of action units", "How much of the time two action units are present together (AUnn_c, usable frames).",
    (
        RECORDING,
        TASK_OR_WHOLE,
        Column("action_unit_a", "VARCHAR", "The one with the lower number.", nullable=False, allowed=tuple(AU_NAMES)),
        Column("action_unit_b", "VARCHAR", "The other.", nullable=False, allowed=tuple(AU_NAMES)),
        Column("both_share", "DOUBLE", "Share of the time in which both were measured that both are present; NULL where there is none.", unit="1", minimum=0, maximum=1),
        Column("jaccard", "DOUBLE", "Time with both over time with at least one (Jaccard 1901); NULL where neither is ever present.", unit="1", minimum=0, maximum=1),
    ),
    key=("recording", "task", "action_unit_a", "action_unit_b"),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

AU_FRAMES_USABLE = Table(
    "au_frames_usable",
    "usable video frame",
    "Those frames of au_frames that show a face well enough to be counted in summaries, by the thresholds of publish.usable. A view.",
    AU_FRAMES.columns,
    key=AU_FRAMES.key,
    tier=Tier.FEATURE,
)

AU_FRAMES_CALIBRATED = Table(
    "au_frames_calibrated", "video frame", "Action units above the neutral face: of their person (au_neutral), or of the "
    "recording itself where publish.neutral.over is 'recording'. With 'person', the only recording of a person is compared with itself and "
    "those of others also with other days, which a model may learn to tell apart: take 'recording' where how often someone was filmed goes "
    "with what is to be predicted. A view.",
    (
        RECORDING,
        AU_FRAMES["frame"],
        AU_FRAMES["timestamp_s"],
        Column("usable", "BOOLEAN", "Whether the frame is one of au_frames_usable.", nullable=False),
        *(
            Column(f"{unit}_cal", "DOUBLE", f"{unit}_r ({AU_NAMES[unit]}) less the neutral face's, not below 0; NULL where either is.",
                   unit="{0-5}", minimum=0, maximum=5)
            for unit in GRADED
        ),
        Column("pspi_cal", "DOUBLE", "PSPI, as au_frames.pspi, from the calibrated intensities.", unit="{0-16}", minimum=0, maximum=16),
    ),
    key=AU_FRAMES.key,
    tier=Tier.FEATURE,
)  # fmt: skip

DERIVED = (AU_NEUTRAL_BY_RECORDING, AU_NEUTRAL, AU_EVENTS, AU_COOCCURRENCE)
"""Tables that publication makes."""
