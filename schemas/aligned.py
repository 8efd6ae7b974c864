"""The table of face and voice on one grid, its columns taken from those of the two it is made of."""

import re
from dataclasses import replace

from schemas.core import Column, Table, Tier
from schemas.face import AU_FRAMES
from schemas.people import OF_RECORDING, RECORDING, TASK_NAMES
from schemas.voice import DESCRIPTORS, VOICE_FRAMES

INTERPOLATED = tuple(name for name in AU_FRAMES.names if re.fullmatch(r"AU\d\d_r|pose_\w+|pspi", name))
"""Face columns that change steadily: linear between the two frames around a grid step."""
NEAREST = tuple(name for name in AU_FRAMES.names if re.fullmatch(r"AU\d\d_c", name))
"""Face columns that are there or not: as in the nearer frame."""
DESCRIBED = tuple(descriptor.name for descriptor in DESCRIPTORS)
"""Voice columns: the mean of the frames whose windows are centred within the grid step."""


def _resampled(column: Column, how: str) -> Column:
    return replace(column, nullable=True, meaning=f"{column.meaning.removesuffix('.')}; {how}.")


ALIGNED_FRAMES = Table(
    "aligned_frames", "grid step", "Face and voice at the same times, with masks for what is missing.",
    (
        RECORDING,
        Column("t_s", "DOUBLE", "Time of the step on the recording's clock, a multiple of 1 / align.grid_hz from 0.", unit="s",
               nullable=False, minimum=0),
        Column("task", "VARCHAR", "The task that this step is in; NULL between tasks.", allowed=TASK_NAMES),
        Column("face_valid", "BOOLEAN", "Whether frames with a face stand around the step, at most align.max_gap_s apart; else every face column is NULL. A column is NULL beyond that only where it was not measured in those faces.",
               nullable=False),
        Column("voice_valid", "BOOLEAN", "Whether sound was measured in the step; else every voice column is NULL.", nullable=False),
        Column("voiced", "BOOLEAN", "Whether F0 was found in the step; NULL where voice_valid is false."),
        *(_resampled(AU_FRAMES[name], "linear between the frames around the step") for name in INTERPOLATED),
        *(_resampled(AU_FRAMES[name], "as in the frame nearer to the step") for name in NEAREST),
        *(_resampled(VOICE_FRAMES[name], "mean over the windows centred in [t_s - h/2, t_s + h/2) with h = 1 / align.grid_hz")
          for name in DESCRIBED),
    ),
    key=("recording", "t_s"),
    references=(OF_RECORDING,),
    tier=Tier.FEATURE,
)  # fmt: skip
