"""The table of quality measures and the one registry of what is measured, in which unit, after which source."""

from dataclasses import dataclass
from typing import Literal

from schemas.core import Column, Table, Tier
from schemas.people import OF_RECORDING, RECORDING

Status = Literal["pass", "warn", "fail", "info", "missing"]
STATUSES: tuple[Status, ...] = ("pass", "warn", "fail", "info", "missing")


@dataclass(frozen=True, slots=True)
class Limit:
    """What a measure must satisfy, and the code of `schemas.faults` it raises where it does not.

    `bound` is the name of a parameter of the block `quality`, or a number where no study could want another.
    """

    op: Literal[">=", "<="]
    bound: str | float
    fault: str


@dataclass(frozen=True, slots=True)
class Measure:
    """One quality measure.

    Args:
        name: as in `quality_measures.measure`; carries its unit where it has one.
        unit: as in the Unified Code for Units of Measure.
        meaning: one sentence.
        better: which direction is better, or 'none'.
        source: the formula or paper.
        limit: its threshold, or None for a measure that informs alone.
    """

    name: str
    unit: str
    meaning: str
    better: Literal["higher", "lower", "none"]
    source: str
    limit: Limit | None = None


_TIMES = "Presentation times of the decoded frames."
_ITU = "Formula after ITU-T P.910 (2023), on luma."
_PECH = "Pech-Pacheco et al. 2000, ICPR, doi:10.1109/ICPR.2000.903548: variance of the Laplacian."
_VAD = "Silero VAD 6.2 (Silero Team 2024), 32 ms chunks at 16 kHz, with hysteresis."
_SNR = "Vondrasek and Pollak 2005, Radioengineering 14(1): energy of speech against non-speech by voice activity."
_AES17 = "AES17-2020, with full scale at a sample value of 1 (a square wave is 0 dBFS)."

# fmt: off
_ALL = (
    # length
    Measure("duration_s", "s", "From the first to the end of the last decoded frame or sample of either track.", "none", "Presentation times.",
            Limit(">=", "min_duration_s", "SHORT")),
    Measure("video_duration_s", "s", "From the first to the end of the last decoded frame.", "none", _TIMES),
    Measure("audio_duration_s", "s", "From the first to the end of the last decoded sample.", "none", "Presentation times of the decoded samples."),
    Measure("declared_duration_s", "s", "The longest length that the container's headers claim.", "none", "Headers of the tracks, the WAV data chunk or the Matroska segment."),
    Measure("missing_s", "s", "What the headers claim beyond what could be decoded, in the track that lacks most.", "lower", "Declared length - decoded length, at least 0.",
            Limit("<=", "max_missing_s", "TRUNCATED")),
    Measure("decoded_share", "1", "Decoded against declared length, in the track that lacks most.", "higher", "Decoded length / declared length, at most 1."),
    # integrity
    Measure("frames", "{count}", "Decoded video frames.", "none", "Count.",
            Limit(">=", 1.0, "NO_VIDEO")),
    Measure("audio_samples", "{count}", "Decoded audio samples of one channel.", "none", "Count.",
            Limit(">=", 1.0, "NO_AUDIO")),
    Measure("decode_error_share", "1", "Packets that could not be decoded or only with concealed damage, in the worse track.", "lower", "Faulty packets / packets.",
            Limit("<=", "max_decode_error_share", "TOO_MANY_DECODE_ERRORS")),
    Measure("decode_errors", "{count}", "Packets of both tracks that could not be decoded or only with concealed damage; what damage does to later frames is not counted.", "lower", "Count.",
            Limit("<=", 0.0, "DECODE_ERRORS")),
    # time
    Measure("timestamp_reversals", "{count}", "Frames not later than the one before them in order of presentation.", "lower", _TIMES,
            Limit("<=", 0.0, "BAD_TIMESTAMPS")),
    Measure("longest_frame_gap_s", "s", "The longest interval between the times of neighbouring video packets, decodable or not.", "lower", "Presentation times of the packets.",
            Limit("<=", "max_frame_gap_s", "BAD_TIMESTAMPS")),
    Measure("fps", "Hz", "Mean frame rate.", "higher", "(Frames - 1) / (last time - first time).",
            Limit(">=", "min_fps", "LOW_FRAME_RATE")),
    Measure("frame_interval_cv", "1", "Irregularity of the frame rate: 0 for a constant one.", "lower", "Standard deviation / mean of the intervals between frames.",
            Limit("<=", "max_frame_interval_cv", "VARIABLE_FRAME_RATE")),
    Measure("video_start_s", "s", "Where the first frame is shown, on the recording's clock: 0 where the first track begins.", "none", _TIMES),
    Measure("audio_start_s", "s", "Where the first sample is heard, on the recording's clock, without what the encoder put before the sound.", "none", "Presentation times of the decoded samples."),
    Measure("audio_start_offset_s", "s", "Start of the sound after that of the picture; negative where the sound is first.", "none", "Presentation times."),
    Measure("av_length_difference_s", "s", "Difference in length of picture and sound.", "lower", "|video_duration_s - audio_duration_s|.",
            Limit("<=", "max_av_length_difference_s", "AV_DESYNC")),
    # picture
    Measure("width_px", "[px]", "Width as shown, rotation applied.", "higher", "Decoded frame.",
            Limit(">=", "min_width_px", "LOW_RESOLUTION")),
    Measure("height_px", "[px]", "Height as shown, rotation applied.", "higher", "Decoded frame.",
            Limit(">=", "min_height_px", "LOW_RESOLUTION")),
    Measure("brightness", "{0-255}", "Mean luma in full range, 0 black and 255 white.", "none", _ITU,
            Limit(">=", "min_brightness", "DARK")),
    Measure("contrast", "{0-255}", "Standard deviation of luma within a frame, mean over frames.", "higher", "Peli 1990, J Opt Soc Am A 7(10): RMS contrast."),
    Measure("sharpness", "{0-255}2", "Variance of luma's Laplacian at a fixed size, median over frames.", "higher", _PECH,
            Limit(">=", "min_sharpness", "BLURRED")),
    # sound
    Measure("sample_rate_hz", "Hz", "Sample rate of the recorded sound.", "higher", "Decoded sound."),
    Measure("audio_level_dbfs", "dB", "RMS level of all channels against full scale.", "none", _AES17,
            Limit(">=", "min_audio_level_dbfs", "SILENT")),
    Measure("audio_peak_dbfs", "dB", "The largest sample against full scale.", "none", _AES17),
    Measure("clipping_share", "1", "Samples at full scale.", "lower", "Samples with |x| >= 0.999 / samples.",
            Limit("<=", "max_clipping_share", "CLIPPED")),
    Measure("speech_share", "1", "Share of the sound that is speech.", "higher", _VAD,
            Limit(">=", "min_speech_share", "NO_SPEECH")),
    Measure("longest_silence_s", "s", "The longest stretch without speech.", "none", _VAD),
    Measure("snr_db", "dB", "Speech against what sounds between it.", "higher", _SNR,
            Limit(">=", "min_snr_db", "NOISY")),
)
# fmt: on

MEASURES = {measure.name: measure for measure in _ALL}
"""Every measure by name, in the order of the table's rows."""

QUALITY_MEASURES = Table(
    "quality_measures", "recording x measure", "What each recording is worth, measure by measure.",
    (
        RECORDING,
        Column("measure", "VARCHAR", "The measure's name.", nullable=False, allowed=tuple(MEASURES)),
        Column("value", "DOUBLE", "The value; NULL where it could not be measured."),
        Column("unit", "VARCHAR", "The value's unit; 1 for a share.", nullable=False),
        Column("threshold", "VARCHAR", "What it is held against, from params.yaml; NULL for none.", pattern=r"(>=|<=) -?[0-9.e+-]+"),
        Column("status", "VARCHAR",
               "'pass'; 'warn' (a flag) or 'fail' (quarantine) beyond the threshold; 'info' without one; 'missing' without a value.",
               nullable=False, allowed=STATUSES),
        Column("source", "VARCHAR", "Formula or paper.", nullable=False),
    ),
    key=("recording", "measure"),
    references=(OF_RECORDING,),
    tier=Tier.AGGREGATE,
)  # fmt: skip
