"""All tables of the warehouse."""

from schemas.aligned import ALIGNED_FRAMES
from schemas.av_offset import AV_OFFSETS
from schemas.clinical import CLINICAL_OBSERVATIONS, MEDICATIONS, QUESTIONNAIRE_ITEMS
from schemas.core import Table
from schemas.expressions import AU_FRAMES_CALIBRATED, AU_FRAMES_USABLE, DERIVED
from schemas.face import AU_FRAMES, AU_SUPPORT
from schemas.features import AU_SUMMARIES, RECORDING_FEATURES
from schemas.meta import COLUMNS, DATASET_VERSION, ERASED, PROVENANCE, VALIDATION
from schemas.people import PARTICIPANTS, RECORDINGS, TASKS
from schemas.quality import QUALITY_MEASURES
from schemas.speech import SPEECH_SEGMENTS, SPEECH_TIMING
from schemas.voice import VOICE_FRAMES, VOICE_FUNCTIONALS
from schemas.voice_sets import VOICE_CROSS_CHECK, VOICE_FEATURES_LONG, VOICE_FUNCTIONALS_SPEECH, VOICE_SERIES

VOICE_TABLES = (
    VOICE_FRAMES, VOICE_FUNCTIONALS, VOICE_FUNCTIONALS_SPEECH, SPEECH_SEGMENTS, SPEECH_TIMING, VOICE_FEATURES_LONG,
    VOICE_SERIES, VOICE_CROSS_CHECK,
)  # fmt: skip
"""What the voice stage makes."""

PART_BY_PART = (VOICE_FEATURES_LONG, VOICE_SERIES)
"""Tables too long for memory: 27 million rows for 600 recordings with every feature set."""

FEATURE_TABLES = (QUALITY_MEASURES, AU_FRAMES, *VOICE_TABLES, ALIGNED_FRAMES, AV_OFFSETS)
"""One parquet file a recording each."""

CLINICAL_TABLES = (CLINICAL_OBSERVATIONS, MEDICATIONS, QUESTIONNAIRE_ITEMS)
"""One parquet file a person each."""

LAKE_TABLES = (PARTICIPANTS, RECORDINGS, TASKS, *CLINICAL_TABLES, *FEATURE_TABLES, PROVENANCE)
"""What the lake holds and the checks look at."""

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        PARTICIPANTS, RECORDINGS, TASKS, QUALITY_MEASURES, AU_FRAMES, AU_SUPPORT, *DERIVED, AU_SUMMARIES,
        *VOICE_TABLES, ALIGNED_FRAMES, AV_OFFSETS, *CLINICAL_TABLES, DATASET_VERSION, COLUMNS, VALIDATION, PROVENANCE,
        ERASED,
    )
}  # fmt: skip
"""Every table of the warehouse, in the order in which they are published."""

VIEWS: dict[str, Table] = {view.name: view for view in (AU_FRAMES_USABLE, AU_FRAMES_CALIBRATED, RECORDING_FEATURES)}
"""What is computed when asked for."""
