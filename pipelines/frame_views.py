"""Frames as they are published: which action units are present, and the SQL of which are usable, and what is neutral."""

from typing import Literal

import polars as pl

from pipelines.params_publish import PresenceParams, UsableParams
from schemas.expressions import AU_FRAMES_CALIBRATED, GRADED, NO_READING, TOO_FEW_FRAMES

_EYES = ("AU43", "AU45")


def present(frame: pl.DataFrame, params: PresenceParams) -> pl.DataFrame:
    """Frames with the columns `AUnn_c` filled: as the engine has them, else from the intensity.

    Both tables of frames have the presence of action units, and it is decided alike.

    Args:
        frame: rows of `au_frames` or `aligned_frames`, NULL where not measured.
        params: thresholds.
    """
    return frame.with_columns(
        pl.coalesce(
            f"{unit}_c",
            (pl.col(f"{unit}_r") >= (params.eyes_closed_r if unit in _EYES else params.present_r)).cast(pl.Int16),
        ).alias(f"{unit}_c")
        for unit in GRADED
        if f"{unit}_c" in frame.columns
    )


def usable_sql(params: UsableParams) -> str:
    """The condition under which a row of `au_frames` is usable: there is a face, and no measure is out of bounds.

    A measure that is missing excludes nothing: not every engine has every one.
    """
    bounds = {
        "face_size": (params.min_face_size, None),
        "pose_Rx": (-params.max_pitch_rad, params.max_pitch_rad),
        "pose_Ry": (-params.max_yaw_rad, params.max_yaw_rad),
        "face_brightness": (params.min_brightness, params.max_brightness),
        "face_sharpness": (params.min_sharpness, None),
        "face_speed": (None, params.max_speed),
        "face_outside": (None, params.max_outside),
    }
    conditions = ["face_found"]
    for column, (low, high) in bounds.items():
        conditions += [] if low is None else [f'coalesce("{column}" >= {low!r}, true)']
        conditions += [] if high is None else [f'coalesce("{column}" <= {high!r}, true)']
    return f"({' AND '.join(conditions)})"


def usable_view_sql(params: UsableParams) -> str:
    """The statement that makes the view `au_frames_usable`."""
    return f"CREATE VIEW main.au_frames_usable AS SELECT * FROM main.au_frames WHERE {usable_sql(params)}"  # noqa: S608 - names and numbers


_PERSONS = "participant IN (SELECT unnest($persons::VARCHAR[]))"


def neutral_sql(*, of_some: bool = False) -> str:
    """The rows of `au_neutral`: the median of `au_neutral_by_recording` over a person's current recordings.

    Args:
        of_some: only those of the persons in the parameter `persons`.
    """
    where, also = (f"WHERE p.{_PERSONS}", f"AND r.{_PERSONS}") if of_some else ("", "")
    return f"""
    WITH found AS (
        SELECT r.participant, n.action_unit, median(n.neutral_r) AS neutral_r, bool_or(n.cause = '{TOO_FEW_FRAMES}') AS read
        FROM main.recordings AS r JOIN main.au_neutral_by_recording AS n USING (recording)
        WHERE r.status = 'current' {also}
        GROUP BY r.participant, n.action_unit
    )
    SELECT
        p.participant,
        u.action_unit,
        n.neutral_r,
        CASE WHEN n.neutral_r IS NOT NULL THEN NULL WHEN n.read THEN '{TOO_FEW_FRAMES}' ELSE '{NO_READING}' END AS cause
    FROM main.participants AS p
    CROSS JOIN (VALUES {_units()}) AS u (action_unit)
    LEFT JOIN found AS n USING (participant, action_unit)
    {where}
    ORDER BY p.participant, u.action_unit"""  # noqa: S608 - names from schemas/


def _units() -> str:
    return ", ".join(f"('{unit}')" for unit in GRADED)


def neutral_of_recording_sql(over: Literal["person", "recording"]) -> str:
    """One row a recording with the neutral face that it is taken above: columns `recording` and `AUnn`."""
    units = ", ".join(f"max(n.neutral_r) FILTER (n.action_unit = '{unit}') AS {unit}" for unit in GRADED)
    join = (
        "au_neutral AS n USING (participant)" if over == "person" else "au_neutral_by_recording AS n USING (recording)"
    )
    return f"""
        SELECT r.recording, {units}
        FROM main.recordings AS r JOIN main.{join}
        GROUP BY r.recording"""  # noqa: S608 - names from schemas/


def calibrated_sql(value: str, unit: str) -> str:
    """An intensity of an action unit above the neutral face of `neutral_of_recording_sql` as n."""
    # greatest() would pass over a NULL and call a missing value 0.
    return f"CASE WHEN {value} > n.{unit} THEN {value} - n.{unit} WHEN {value} <= n.{unit} THEN 0.0 END"


def calibrated_view_sql(params: UsableParams, over: Literal["person", "recording"]) -> str:
    """The statement that makes the view `au_frames_calibrated`; where no AU43 is measured, PSPI has AU45 in its place."""
    orbit = _greater("AU06_cal", "AU07_cal")
    levator = _greater("AU09_cal", "AU10_cal")
    units = ",\n            ".join(f"{calibrated_sql(f'f.{unit}_r', unit)} AS {unit}_cal" for unit in GRADED)
    return f"""
    CREATE VIEW main.au_frames_calibrated AS
    SELECT {", ".join(AU_FRAMES_CALIBRATED.names[:-1])}, AU04_cal + {orbit} + {levator} + coalesce(AU43_cal, AU45_cal) / 5 AS pspi_cal
    FROM (
        SELECT
            f.recording, f.frame, f.timestamp_s, {usable_sql(params)} AS usable,
            {units}
        FROM main.au_frames AS f
        LEFT JOIN ({neutral_of_recording_sql(over)}
        ) AS n ON n.recording = f.recording
    )"""  # noqa: S608 - names from schemas/ and numbers


def _greater(one: str, other: str) -> str:
    return f"CASE WHEN {one} >= {other} THEN {one} WHEN {one} < {other} THEN {other} END"
