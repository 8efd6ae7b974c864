"""The table of how far sound and picture are apart, as measured from mouth and voice."""

from typing import Literal, get_args

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING

Cause = Literal["no_audio", "no_speech", "no_video", "no_face", "too_short", "no_mouth_movement", "no_peak"]
CAUSES: tuple[Cause, ...] = get_args(Cause)

AV_OFFSETS = Table(
    "av_offsets", "recording", "How much later the sound comes than the picture, measured from mouth and voice; no time in any table is shifted by it.",
    (
        RECORDING,
        Column("av_offset_s", "DOUBLE", "Lag of the loudness behind the mouth's opening (AU25_r + AU26_r) at which the two correlate best, at the rate of syllables; "
               "positive where the sound comes late. Add it to picture times to compare them with sound. Mouths open somewhat before they sound "
               "(Chandrasekaran et al. 2009), so a recording in step need not have 0.", unit="s"),
        Column("av_offset_confidence", "DOUBLE", "Share of equally wide windows of other lags in which the highest correlation is lower than at this one: 1 where chance "
               "never reaches as high, about 0.5 where there is nothing to be found.", unit="1", minimum=0, maximum=1),
        Column("correlation", "DOUBLE", "Pearson's correlation at that lag.", unit="1", minimum=-1, maximum=1),
        Column("max_av_offset_s", "DOUBLE", "Lags were searched from minus to plus this.", unit="s", nullable=False, minimum=0),
        Column("cause", "VARCHAR",
               "Why there is no offset: no sound; less than half a second of voiced sound; no picture; no measured mouth; less of both together than seven times "
               "max_av_offset_s; a mouth that does not move; no peak within the searched lags.", allowed=CAUSES),
    ),
    key=("recording",),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip
