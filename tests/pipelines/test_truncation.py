"""A good file, cut at every 2 % of its length: who loses half a second or more is told, and never passes as whole."""

import io
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import av
import pytest

from pipelines.errors import Rejection
from pipelines.params import ProtocolParams, QualityParams
from pipelines.quality import measure_quality, quality_reasons
from pipelines.strip import strip
from pipelines.wholeness import declared_duration_s
from schemas.faults import FAULTS, Effect
from tests.pipelines.container_factory import FPS, Film, piped, unclosed_wave, write
from tests.pipelines.landing_factory import remuxed, wav
from tests.pipelines.video_factory import RECORDING

ANY_TRACK = ProtocolParams(require_audio=False, require_video=False)
LOST_S = 0.5
VP8 = {"deadline": "realtime", "cpu-used": "8", "threads": "1"}
REORDERED = {"preset": "veryfast", "crf": "20", "bf": "3", "g": "250", "threads": "1"}


@cache
def film() -> bytes:
    return write(Film("mp4"))


def mp4(media: bytes, movflags: str, **options: str) -> bytes:
    return remuxed(media, "mp4", movflags=movflags, **options)


MEDIA: dict[str, tuple[str, Callable[[], bytes]]] = {
    "mp4": (".mp4", film),
    "mp4, fast start": (".mp4", lambda: mp4(film(), "faststart")),
    "mp4, frames out of order": (".mp4", lambda: mp4(write(Film("mp4", video_options=REORDERED)), "faststart")),
    "mp4 without sound": (".mp4", lambda: mp4(write(Film("mp4", audio=None)), "faststart")),
    "mp4, sound ends early": (".mp4", lambda: mp4(write(Film("mp4", audio_s=3.0)), "faststart")),
    "mp4, picture ends early": (".mp4", lambda: mp4(write(Film("mp4", video_s=3.0)), "faststart")),
    "mp4 of fragments": (".mp4", lambda: mp4(film(), "frag_keyframe+empty_moov", frag_duration="1000000")),
    "mp4 of fragments behind an index": (".mp4", lambda: mp4(film(), "frag_keyframe", frag_duration="1000000")),
    "mp4 of fragments, DASH": (".mp4", lambda: mp4(film(), "dash+frag_keyframe+empty_moov+global_sidx")),
    "mp4 of fragments, live": (
        ".mp4",
        lambda: mp4(film(), "frag_keyframe+empty_moov+default_base_moof+skip_trailer", frag_duration="1000000"),
    ),
    "mov with pcm": (".mov", lambda: write(Film("mov", audio="pcm_s16le", options={"movflags": "faststart"}))),
    "mkv": (".mkv", lambda: remuxed(film(), "matroska")),
    "mkv, cues in front": (".mkv", lambda: remuxed(film(), "matroska", cues_to_front="1")),
    "mkv, sound ends early": (".mkv", lambda: write(Film("matroska", audio_s=3.0))),
    "mkv, picture ends early": (".mkv", lambda: write(Film("matroska", video_s=3.0))),
    "mkv, live": (".mkv", lambda: piped(film(), "matroska", live="1")),
    "webm": (".webm", lambda: write(Film("webm", "libvpx", "libopus", sample_rate_hz=48_000, video_options=VP8))),
    "avi": (".avi", lambda: write(Film("avi", "mpeg4", "pcm_s16le", video_options={"threads": "1"}))),
    "avi with mjpeg": (".avi", lambda: write(Film("avi", "mjpeg", "libmp3lame", pixels="yuvj420p", video_options={}))),
    "wav": (".wav", lambda: wav(5.0)),
    "wav, RF64": (".wav", lambda: write(Film("wav", None, "pcm_s16le", options={"rf64": "always"}))),
    "wav with mp3": (".wav", lambda: write(Film("wav", None, "libmp3lame"))),
}
UNTOLD = ("wav, size 0", "wav, size unknown")
MEDIA |= {
    "wav, size 0": (".wav", lambda: unclosed_wave(wav(5.0), bytes(4))),
    "wav, size unknown": (".wav", lambda: unclosed_wave(wav(5.0), b"\xff" * 4)),
}


def code_of(media: bytes, suffix: str) -> str | None:
    """What a run quarantines it with before it counts as whole, or None."""
    try:
        declared_s = declared_duration_s(media)
        stripped = strip(media, suffix).media
        measures = measure_quality(
            stripped, replace(RECORDING, declared_duration_s=declared_s), QualityParams(image_every=1000)
        )
    except Rejection as error:
        return error.code
    reasons = quality_reasons(measures, QualityParams(), ANY_TRACK)
    return next((reason.code for reason in reasons if FAULTS[reason.code].effect is Effect.QUARANTINE), None)


def decoded_s(media: bytes) -> dict[str, float]:
    """How much of each track a plain decoder gets, by its own count."""
    lengths = {"video": 0.0, "audio": 0.0}
    with av.open(io.BytesIO(media), "r") as container:
        for packet in container.demux():
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                if isinstance(frame, av.AudioFrame):
                    lengths["audio"] += frame.samples / frame.sample_rate
                else:
                    lengths["video"] += 1 / FPS
    return lengths


@pytest.mark.parametrize("name", [name for name in MEDIA if name not in UNTOLD])
def test_each_cut_that_loses_half_a_second_is_caught(name: str) -> None:
    suffix, make = MEDIA[name]
    media = make()
    assert code_of(media, suffix) is None
    whole_s = decoded_s(media)
    passed = {}
    for percent in range(2, 100, 2):
        cut = media[: len(media) * percent // 100]
        if code_of(cut, suffix) is None:
            left_s = decoded_s(cut)
            passed[percent] = max(whole_s[kind] - left_s[kind] for kind in whole_s)
    assert all(lost_s < LOST_S for lost_s in passed.values()), passed
    assert min(passed, default=99) >= 90


@pytest.mark.parametrize("name", UNTOLD)
def test_a_cut_that_nothing_in_the_file_could_tell_never_passes_as_whole(name: str) -> None:
    _, make = MEDIA[name]
    media = make()
    for percent in range(2, 102, 2):
        assert declared_duration_s(media[: len(media) * percent // 100]) is None
