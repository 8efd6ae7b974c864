"""What of a codec's packets and decoder configuration is picture or sound: one allow-list for all codecs.

A codec that does not stand here is not known to be safe, so its recordings are refused.
"""

from collections.abc import Callable
from typing import NamedTuple

from pipelines import payload_audio, payload_video, sei
from pipelines.errors import Rejection


class Payload(NamedTuple):
    """A stream's decoder configuration, cleaned, and what cleans each of its packets."""

    extradata: bytes
    clean: Callable[[bytes], bytes]


def _as_it_is(packet: bytes) -> bytes:
    return packet


def _none(_: bytes) -> bytes:
    return b""


def _alac_cookie(extradata: bytes) -> bytes:
    return extradata[:36]


_CODECS: dict[str, tuple[Callable[[bytes], bytes], Callable[[bytes], bytes]]] = {
    "av1": (payload_video.clean_av1_configuration, payload_video.clean_av1),
    "mpeg4": (payload_video.clean_mpeg4, payload_video.clean_mpeg4),
    "mjpeg": (_none, payload_video.clean_mjpeg),
    # Their frames are one arithmetic-coded whole; VP9's configuration only repeats what is in the frames.
    "vp8": (_none, _as_it_is),
    "vp9": (_none, _as_it_is),
    "aac": (payload_audio.check_aac_configuration, payload_audio.clean_aac),
    "mp3": (_none, payload_audio.clean_mp3),
    "opus": (payload_audio.clean_opus_head, payload_audio.clean_opus),
    "vorbis": (payload_audio.clean_vorbis_headers, _as_it_is),
    "flac": (payload_audio.clean_flac_header, _as_it_is),
    "alac": (_alac_cookie, _as_it_is),
}
"""Codec -> what cleans its decoder configuration, what cleans a packet."""


def payload(codec: str, extradata: bytes) -> Payload:
    """How a stream is cleaned.

    Args:
        codec: FFmpeg's name of the codec (not of one of its decoders).
        extradata: the decoder configuration; may be empty.

    Raises:
        Rejection: `CODEC_NOT_ALLOWED` where the codec is not on the list; `SCRUB_FAILED` where its configuration cannot be read.

    >>> payload("pcm_s16le", b"").clean(b"samples")
    b'samples'
    """
    if codec in {"h264", "hevc"}:
        return Payload(sei.clean_configuration(codec, extradata), sei.packet_cleaner(codec, extradata))
    if codec.startswith("pcm_"):
        return Payload(b"", _as_it_is)
    if codec not in _CODECS:
        raise Rejection("CODEC_NOT_ALLOWED", f"the codec {codec} is not known to be safe")
    configuration, packet = _CODECS[codec]
    return Payload(configuration(extradata), packet)
