"""The SQL of what is derived inside the warehouse: summaries of action units, and the view `recording_features`."""

from schemas.features import (
    AU_SUMMARIES,
    NRS_COLUMNS,
    PERSON_COLUMNS,
    QUALITY_COLUMNS,
    RECORDING_FEATURES,
    VOICE_COLUMNS,
)
from schemas.people import WHOLE
from schemas.speech import TIMING_IN_VIEW
from schemas.voice import FEATURE_SET


def quoted(name: str) -> str:
    """A name as DuckDB reads it whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


_ANALGESICS = "N02%"
"""ATC group N02, analgesics."""


def recording_features_sql(nrs_window_h: float) -> str:
    """The statement that makes the view.

    Args:
        nrs_window_h: how far the nearest pain score may lie from the recording.
    """
    measures = ",\n            ".join(
        f"max(value) FILTER (measure = '{name}') AS {quoted(name)}" for name in QUALITY_COLUMNS
    )
    columns = ",\n        ".join(f"{_source(name)} AS {quoted(name)}" for name in RECORDING_FEATURES.names)
    return f"""
    CREATE VIEW main.recording_features AS
    WITH current_recordings AS (
        SELECT * FROM main.recordings WHERE status = 'current'
    ), spans AS (
        SELECT t.recording, t.task, t.end_s - t.start_s AS task_duration_s, row_number() OVER (ORDER BY t.start_s) AS place
        FROM main.tasks AS t
        UNION ALL
        SELECT recording, '{WHOLE}', duration_s, 0 FROM current_recordings
    ), quality AS (
        SELECT
            recording,
            {measures}
        FROM main.quality_measures
        GROUP BY recording
    ), nearest_nrs AS (
        SELECT
            r.recording,
            arg_min(o, (abs(o.study_minute - r.study_minute), o.study_minute)) AS o,
            any_value(r.study_minute) AS study_minute
        FROM current_recordings AS r
        JOIN main.clinical_observations AS o
          ON o.participant = r.participant
         AND o.nrs_now IS NOT NULL
         AND abs(o.study_minute - r.study_minute) <= {nrs_window_h * 60!r}
        GROUP BY r.recording
    ), last_analgesic AS (
        SELECT
            r.recording,
            arg_min(m, (-m.study_minute, m.atc_code, coalesce(m.route, ''))) AS m,
            any_value(r.study_minute) AS study_minute
        FROM current_recordings AS r
        JOIN main.medications AS m
          ON m.participant = r.participant
         AND m.atc_code LIKE '{_ANALGESICS}'
         AND m.study_minute <= r.study_minute
        GROUP BY r.recording
    )
    SELECT
        {columns}
    FROM current_recordings AS r
    JOIN spans AS s USING (recording)
    JOIN main.participants AS p USING (participant)
    LEFT JOIN quality AS q USING (recording)
    LEFT JOIN main.au_summaries AS a ON a.recording = s.recording AND a.task = s.task
    LEFT JOIN main.voice_functionals AS v ON v.recording = s.recording AND v.task = s.task AND v.feature_set = '{FEATURE_SET}'
    LEFT JOIN main.speech_timing AS t ON t.recording = s.recording AND t.task = s.task
    LEFT JOIN nearest_nrs AS n ON n.recording = r.recording
    LEFT JOIN last_analgesic AS d ON d.recording = r.recording
    ORDER BY r.recording, s.place"""  # noqa: S608 - names from schemas/ and a number


_OF_LAST = {
    "nrs_lag_min": "n.o.study_minute - n.study_minute",
    "analgesic_atc_code": "d.m.atc_code",
    "analgesic_drug": "d.m.drug",
    "analgesic_dose_mg": "d.m.dose_mg",
    "analgesic_lag_min": "d.study_minute - d.m.study_minute",
}


def _source(name: str) -> str:
    """Where a column of the view comes from."""
    if name in _OF_LAST:
        return _OF_LAST[name]
    places = {
        "s": ("task", "task_duration_s"),
        "p": PERSON_COLUMNS,
        "q": QUALITY_COLUMNS,
        "a": tuple(name for name in AU_SUMMARIES.names if name not in ("recording", "task")),
        "v": VOICE_COLUMNS,
        "t": TIMING_IN_VIEW,
        "n.o": NRS_COLUMNS,
    }
    alias = next((alias for alias, names in places.items() if name in names), "r")
    return f"{alias}.{quoted(name)}"
