"""The table of face and voice on one grid, its columns taken from those of the two it is made of."""

import re
from dataclasses import replace

from schemas.core import Column, Table, Tier
from schemas.face import AU_FRAMES
from schemas.people import OF_RECORDING, RECORDING, TASK_NAMES
from schemas.voice import DESCRIPTORS, VOICE_FRAMES

INTERPOLATED = tuple(
    name for name in AU_FRAMES.names if re.fullmatch(r"AU\d\d_r|pose_\w+|mouth_open|gaze_\w|pspi", name)
)
"""Face columns that change steadily: linear between the two frames around a grid step."""
NEAREST = tuple(name for name in AU_FRAMES.names if re.fullmatch(r"AU\d\d_c", name))
"""Face columns that are there or not: the engine's own as in the nearer frame, else from the step's intensity."""
DESCRIBED = tuple(descriptor.name for descriptor in DESCRIPTORS)
"""Voice columns: the mean of the frames whose windows are centred within the grid step."""

MASK_MISSING, MASK_INTERPOLATED, MASK_MEASURED = 0, 1, 2
"""What `face_mask` says of a step."""


def _resampled(column: Column, how: str) -> Column:
    return replace(column, nullable=True, meaning=f"{column.meaning.removesuffix('.')}; {how}.")


ALIGNED_FRAMES = Table(
    "aligned_frames", "grid step", "Face and voice at the same times, with masks for what is missing.",
    (
        RECORDING,
        Column("t_s", "DOUBLE", "Time of the step on the recording's clock, a multiple of 1 / align.grid_hz from 0.", unit="s",
               nullable=False, minimum=0),
        Column("task", "VARCHAR", "The task that this step is in; NULL between tasks.", allowed=TASK_NAMES),
        Column("face_valid", "BOOLEAN", "Whether frames with a face stand around the step, at most align.max_gap_s apart and in the same task; else every face column is NULL. A column is NULL beyond that only where it was not measured in those faces.",
               nullable=False),
        Column("face_mask", "SMALLINT", "Where the face columns come from: 2 from a frame at just this time; 1 interpolated between the two frames around it; "
               "0 from nowhere: they are NULL.", unit="{0-2}", nullable=False, minimum=0, maximum=2),
        Column("face_gap_s", "DOUBLE", "How far apart the frames with a face around the step are: 0 where one stands at it, NULL where face_mask is 0. "
               "A stricter limit than align.max_gap_s needs nothing but a condition on it.", unit="s", minimum=0),
        Column("au_gap_s", "DOUBLE", "The same of the action units, which an engine may measure in each n-th frame alone: the longest distance between two frames that "
               "any of the step's is taken from; 0 where all stem from a frame at the step, NULL where there is none.", unit="s", minimum=0),
        Column("voice_valid", "BOOLEAN", "Whether sound was measured in the step; else every voice column is NULL.", nullable=False),
        Column("voice_windows", "SMALLINT", "How many of the sound's 10 ms frames each spectral value of the step is the mean of (1 / align.grid_hz / 10 ms where "
               "all are there); 0 where voice_valid is false.", unit="{windows}", nullable=False, minimum=0),
        Column("voiced", "BOOLEAN", "Whether F0 was found in the step; NULL where voice_valid is false."),
        *(_resampled(AU_FRAMES[name], "linear between the frames with a face around the step, at most align.max_gap_s apart and in the same task") for name in INTERPOLATED),
        *(_resampled(AU_FRAMES[name], "the engine's own as in the nearer of the frames with a face around the step, at most align.max_gap_s apart and in the same task, else from the step's own intensity") for name in NEAREST),
        *(_resampled(VOICE_FRAMES[name], "mean over the windows centred in [t_s - h/2, t_s + h/2) and in the same task, with h = 1 / align.grid_hz")
          for name in DESCRIBED),
    ),
    key=("recording", "t_s"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip
