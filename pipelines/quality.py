"""The quality stage: what a recording is worth, measure by measure, and what follows from it."""

import numpy as np
import polars as pl

from pipelines import speech
from pipelines.engine import Engine
from pipelines.errors import Reason
from pipelines.frames import FrameTaker
from pipelines.params import ProtocolParams, QualityParams
from pipelines.quality_decode import AudioTrace, Decoded, VideoTrace, decode
from pipelines.quality_sound import sound_measures
from pipelines.recording import Recording
from schemas.faults import FAULTS, Effect
from schemas.quality import MEASURES, QUALITY_MEASURES, Limit, Measure, Status


def engine(params: QualityParams) -> Engine:  # noqa: ARG001 - every stage's engine is asked in the same way
    """The one model that this stage relies on: that of voice activity."""
    return speech.engine()


def measure_quality(
    media: bytes, recording: Recording, params: QualityParams, taker: FrameTaker | None = None
) -> pl.DataFrame:
    """Measure a recording in one decoding pass over both its tracks.

    Args:
        media: the whole file; sound alone and video alone will do.
        recording: whose it is; `declared_duration_s` is what the delivered container claimed.
        params: thresholds.
        taker: is shown every frame that is decoded.

    Returns:
        `schemas.quality.QUALITY_MEASURES`, one row for each measure of the registry, in its order.

    Raises:
        Rejection: no demuxer can open it.
    """
    decoded = decode(media, params, taker)
    values: dict[str, float] = {
        "frames": float(len(decoded.video.timestamps_s) if decoded.video else 0),
        "audio_samples": float(decoded.audio.samples if decoded.audio else 0),
        **_lengths(decoded, recording.declared_duration_s),
        **_decode_errors(decoded),
    }
    if decoded.video is not None:
        values |= _timing(decoded.video) | _picture(decoded.video)
    if (
        decoded.audio is not None
        and decoded.audio.sample_rate_hz
        and decoded.sound is not None
        and len(decoded.sound.samples)
    ):
        values["sample_rate_hz"] = float(decoded.audio.sample_rate_hz)
        values |= sound_measures(decoded.audio, decoded.sound, params)
    return QUALITY_MEASURES.frame(
        [
            {
                "recording": recording.recording,
                "measure": measure.name,
                "value": values.get(measure.name),
                "unit": measure.unit,
                "threshold": threshold(measure.limit, params),
                "status": status(measure, values.get(measure.name), params),
                "source": measure.source,
            }
            for measure in MEASURES.values()
        ]
    )


def quality_reasons(measures: pl.DataFrame, params: QualityParams, protocol: ProtocolParams) -> list[Reason]:
    """The codes that follow from the measures of one recording, each once, those for quarantine first.

    Args:
        measures: what `measure_quality` gave.
        params: the same thresholds.
        protocol: which tracks a study needs and how long a recording may be.
    """
    values: dict[str, float | None] = dict(measures.select("measure", "value").iter_rows())
    optional = {
        code
        for code, needed in (("NO_VIDEO", protocol.require_video), ("NO_AUDIO", protocol.require_audio))
        if not needed
    }
    found: dict[str, list[str]] = {}
    for measure in MEASURES.values():
        value = values[measure.name]
        if measure.limit is None or value is None or _holds(measure.limit, value, params):
            continue
        if measure.limit.fault not in optional:
            detail = f"{measure.name} is {value:.4g}, should be {threshold(measure.limit, params)}"
            found.setdefault(measure.limit.fault, []).append(detail)
    longest_s = protocol.max_duration_s + protocol.duration_tolerance_s
    duration_s = values["duration_s"]
    if duration_s is not None and duration_s > longest_s:
        found["PROTOCOL_DURATION"] = [f"duration_s is {duration_s:.1f}, should be <= {longest_s:g}"]
    reasons = [Reason(code, "; ".join(details)) for code, details in found.items()]
    return sorted(reasons, key=lambda reason: FAULTS[reason.code].effect is not Effect.QUARANTINE)


def length_reasons(recording: Recording) -> list[Reason]:
    """The code for a recording of which nothing told whether it was whole when it was delivered.

    Args:
        recording: as `pipelines.wholeness` found it; stripping has given it a length since.
    """
    if recording.declared_duration_s is not None:
        return []
    return [Reason("LENGTH_UNKNOWN", "no header of the delivered file said how long it should be")]


def threshold(limit: Limit | None, params: QualityParams) -> str | None:
    """A limit in words.

    >>> threshold(Limit(">=", "min_fps", "LOW_FRAME_RATE"), QualityParams())
    '>= 15'
    """
    return None if limit is None else f"{limit.op} {_bound(limit, params):g}"


def status(measure: Measure, value: float | None, params: QualityParams) -> Status:
    """A value against its measure's limit: 'fail' where the code it raises means quarantine, else 'warn'."""
    if value is None:
        return "missing"
    if measure.limit is None:
        return "info"
    if _holds(measure.limit, value, params):
        return "pass"
    return "fail" if FAULTS[measure.limit.fault].effect is Effect.QUARANTINE else "warn"


def _bound(limit: Limit, params: QualityParams) -> float:
    return float(getattr(params, limit.bound)) if isinstance(limit.bound, str) else limit.bound


def _holds(limit: Limit, value: float, params: QualityParams) -> bool:
    bound = _bound(limit, params)
    return value >= bound if limit.op == ">=" else value <= bound


def _lengths(decoded: Decoded, delivered_s: float | None) -> dict[str, float]:
    """Lengths of the tracks, and what is missing of those that the headers claim."""
    spans = {
        kind: trace.span_s
        for kind, trace in (("video", decoded.video), ("audio", decoded.audio))
        if trace is not None and trace.span_s is not None
    }
    values: dict[str, float] = {}
    video, audio = spans.get("video"), spans.get("audio")
    if video is not None:
        values |= {"video_duration_s": video[1] - video[0], "video_start_s": video[0]}
    if audio is not None:
        values |= {"audio_duration_s": audio[1] - audio[0], "audio_start_s": audio[0]}
    if video is not None and audio is not None:
        values["audio_start_offset_s"] = audio[0] - video[0]
        values["av_length_difference_s"] = abs(values["video_duration_s"] - values["audio_duration_s"])
    present_s = {kind: end - start for kind, (start, end) in spans.items()}
    if spans:
        values["duration_s"] = max(end for _, end in spans.values()) - min(start for start, _ in spans.values())
        # A length claimed for the whole counts from the container's start, wherever its first track begins.
        present_s["container"] = max(end for _, end in spans.values())
    claims = list(decoded.declared_s.items())
    if delivered_s is not None:
        claims.append(("container", delivered_s))
    if claims:
        values["declared_duration_s"] = max(claim for _, claim in claims)
        lacks = [(max(0.0, claim - present_s.get(kind, 0.0)), claim) for kind, claim in claims]
        values["missing_s"] = max(missing for missing, _ in lacks)
        values["decoded_share"] = min(1 - missing / claim if claim > 0 else 1.0 for missing, claim in lacks)
    return values


def _decode_errors(decoded: Decoded) -> dict[str, float]:
    traces: list[VideoTrace | AudioTrace] = [trace for trace in (decoded.video, decoded.audio) if trace is not None]
    shares = [trace.faulty_packets / trace.packets for trace in traces if trace.packets]
    if not shares:
        return {}
    return {
        "decode_errors": float(sum(trace.faulty_packets for trace in traces)),
        "decode_error_share": min(1.0, max(shares)),
    }


def _timing(trace: VideoTrace) -> dict[str, float]:
    values: dict[str, float] = {}
    if len(trace.packet_times_s) > 1:
        values["longest_frame_gap_s"] = float(np.diff(np.sort(trace.packet_times_s)).max())
    if len(trace.timestamps_s) < 2:
        return values
    intervals_s = np.diff(trace.timestamps_s)
    values["timestamp_reversals"] = float(np.count_nonzero(intervals_s <= 0))
    mean_s = float(intervals_s.mean())
    if mean_s > 0:
        values |= {"fps": 1 / mean_s, "frame_interval_cv": float(intervals_s.std()) / mean_s}
    return values


def _picture(trace: VideoTrace) -> dict[str, float]:
    if not trace.pictures or trace.width_px is None or trace.height_px is None:
        return {}
    brightness, contrast, sharpness = np.array(trace.pictures).T
    return {
        "width_px": float(trace.width_px),
        "height_px": float(trace.height_px),
        "brightness": float(brightness.mean()),
        "contrast": float(contrast.mean()),
        "sharpness": float(np.median(sharpness)),
    }
