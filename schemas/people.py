"""The tables of persons, recordings and tasks."""

from schemas.core import Column, Reference, Table, Tier

PARTICIPANT = Column(
    "participant", "VARCHAR", "Random pseudonym with a check character; the vault alone knows the person.",
    nullable=False, pattern=r"P[0-9A-Z]{9}",
)  # fmt: skip
RECORDING = Column(
    "recording", "VARCHAR", "The recording: its participant's pseudonym and eight characters of its own.",
    nullable=False, pattern=r"P[0-9A-Z]{9}-[0-9A-Z]{8}",
)  # fmt: skip
STUDY_DAY = Column(
    "study_day", "INTEGER", "Calendar days since the person's enrolment, in the hospital's time zone.", unit="d",
    minimum=-3650, maximum=36500, critical=False,
)  # fmt: skip
TIME_OF_DAY = Column(
    "time_of_day_min", "INTEGER", "Minutes since midnight on the hospital's wall clock.", unit="min",
    minimum=0, maximum=1439, tier=Tier.INTERNAL,
)  # fmt: skip
STUDY_MINUTE = Column(
    "study_minute", "INTEGER",
    "Elapsed minutes since the first midnight of study day 0; lags are differences of it, right across clock changes.",
    unit="min", tier=Tier.INTERNAL,
)  # fmt: skip

TASK_NAMES = ("reading", "free_speech")
WHOLE = "whole"
"""The name under which measures over the whole recording stand beside those of its tasks."""

TASK = Column("task", "VARCHAR", "What the person did: read a sentence or spoke freely.", nullable=False,
              allowed=TASK_NAMES)  # fmt: skip
TASK_OR_WHOLE = Column("task", "VARCHAR", "The task, or 'whole' for the whole recording.", nullable=False,
                       allowed=(*TASK_NAMES, WHOLE))  # fmt: skip

OF_PARTICIPANT = Reference(("participant",), "participants")
OF_RECORDING = Reference(("recording",), "recordings")

PARTICIPANTS = Table(
    "participants", "person", "Everyone with at least one accepted row or recording.",
    (
        PARTICIPANT,
        Column("group", "VARCHAR", "Pain patient or control.", nullable=False, allowed=("pain", "control"), quasi_identifier=True),
        Column("sex", "VARCHAR", "Sex in the hospital's record.", allowed=("female", "male", "other"), quasi_identifier=True),
        Column("age_band", "VARCHAR", "Age at enrolment, in bands of ten years.", unit="a", pattern=r"\d{2}-\d{2}|90\+", quasi_identifier=True),
        Column("site", "VARCHAR", "The hospital.", quasi_identifier=True),
        Column("language", "VARCHAR", "Language spoken, ISO 639-1.", pattern=r"[a-z]{2}", quasi_identifier=True),
        Column("tumour_type", "VARCHAR", "Tumour type as registered.", quasi_identifier=True),
        Column("tumour_stage", "VARCHAR", "Tumour stage as registered.", quasi_identifier=True),
        Column("admission_reason", "VARCHAR", "Why the person was admitted, as coded by the hospital.", suppress_rare=True),
    ),
    key=("participant",),
    tier=Tier.AGGREGATE,
)  # fmt: skip

QUASI_IDENTIFIERS = tuple(column.name for column in PARTICIPANTS if column.quasi_identifier)
"""What others may know of a person, and a release must therefore not single anyone out by."""

RECORDINGS = Table(
    "recordings", "recording", "Accepted recordings; the media themselves stay encrypted in the lake.",
    (
        RECORDING,
        PARTICIPANT,
        # A free label may number the visits of a ward or name a day: not for everyone.
        Column("visit", "VARCHAR", "The visit's label as delivered, or 'day<study day>' where that held a date.", nullable=False,
               tier=Tier.FEATURE, suppress_rare=True),
        STUDY_DAY,
        TIME_OF_DAY,
        STUDY_MINUTE,
        Column("duration_s", "DOUBLE", "Length from the first to the end of the last frame or sample.", unit="s", minimum=0),
        Column("video_start_s", "DOUBLE", "Where the first frame is shown, on the recording's clock: all times of a recording count from where its "
               "first track begins, as the container has it. NULL without a picture.", unit="s"),
        Column("audio_start_s", "DOUBLE", "Where the first sample is heard, on the same clock; what an encoder puts before the sound (priming) is not counted. "
               "NULL without sound.", unit="s"),
        Column("fps", "DOUBLE", "Mean frame rate from true timestamps.", unit="Hz", minimum=0, maximum=1000),
        Column("width", "INTEGER", "Width as shown, rotation applied.", unit="px", minimum=1),
        Column("height", "INTEGER", "Height as shown, rotation applied.", unit="px", minimum=1),
        Column("sample_rate_hz", "INTEGER", "Sample rate of the delivered audio.", unit="Hz", minimum=1),
        # Free text that may hold a serial number, and that gives the site away where a release suppresses it.
        Column("device", "VARCHAR", "The recording device, as in the sidecar.", tier=Tier.INTERNAL, suppress_rare=True),
        Column("language", "VARCHAR", "Language spoken in it, ISO 639-1.", pattern=r"[a-z]{2}"),
        Column("status", "VARCHAR", "'current', or 'superseded' by a later delivery under the same name.", nullable=False,
               allowed=("current", "superseded")),
        Column("flags", "VARCHAR", "Codes of what was accepted with a reservation, separated by blanks."),
        Column("provenance", "VARCHAR", "SHA-256 of the stripped recording: the key into meta.provenance.", nullable=False,
               pattern=r"[0-9a-f]{64}", tier=Tier.LINK),
    ),
    key=("recording",),
    references=(OF_PARTICIPANT,),
    tier=Tier.AGGREGATE,
)  # fmt: skip

TASKS = Table(
    "tasks", "task in a recording", "When each task begins and ends.",
    (
        RECORDING,
        TASK,
        Column("start_s", "DOUBLE", "Begin, from the start of the recording.", unit="s", nullable=False, minimum=0),
        Column("end_s", "DOUBLE", "End, from the start of the recording.", unit="s", nullable=False, minimum=0),
    ),
    key=("recording", "task"),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip
