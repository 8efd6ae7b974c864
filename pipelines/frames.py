"""Decoded frames as pictures: scaled down, in the pixels that are asked for, and upright."""

from dataclasses import dataclass
from typing import Literal, Protocol, cast

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

Pixels = Literal["rgb", "rgba", "luma"]
"""What a picture is made of; rgba has an opaque fourth channel, with which OpenCV is three times as quick."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame: `image` is uint8, height x width x 3 or 4 (RGB, RGBA) or height x width (luma), as shown (rotated).

    `shown_width_px` and `shown_height_px` are the size as shown before any scaling down.
    """

    index: int
    timestamp_s: float
    image: NDArray[np.uint8]
    shown_width_px: int
    shown_height_px: int


class FrameTaker(Protocol):
    """Somebody who looks at the frames that another one decodes."""

    def take(self, decoded: av.VideoFrame, timestamp_s: float) -> None:
        """The next frame, in presentation order.

        Args:
            decoded: as it is coded.
            timestamp_s: its true time, as `pipelines.media` counts.
        """

    def decoded_in(self, cpu_s: float) -> None:
        """How long it took to decode the next frames, or none: whoever takes all of them needs that, too."""

    def give_up(self) -> None:
        """The container broke, so that what was taken may not be all there is."""


_PAINTED_AT_ONCE_PX = 16
"""FFmpeg's conversion to four channels may leave columns after the last multiple of it unwritten; that to three does not."""
_FORMATS = {"rgb": "rgb24", "rgba": "rgba", "luma": "gray"}


class FrameConverter:
    """Scales frames down and brings them to one pixel format.

    Each step has a converter of its own for all frames, of one thread: to set one up for a frame takes longer than to
    use it. Scaling comes first, while chroma is still subsampled: that takes half the time.

    Args:
        pixels: what to give.
        max_width: scale down to at most this width (of the coded frame).
    """

    def __init__(self, pixels: Pixels, max_width: int | None) -> None:
        self._format = _FORMATS[pixels]
        self._max_width = max_width
        self._scaler, self._painter = VideoReformatter(), VideoReformatter()

    def convert(self, decoded: av.VideoFrame, index: int, timestamp_s: float) -> Frame:
        """A decoded frame, as it is to be shown.

        Args:
            decoded: as it is coded.
            index: its place among all decoded frames.
            timestamp_s: its time.
        """
        turned = round(decoded.rotation / 90) % 2 == 1
        shown = (decoded.height, decoded.width) if turned else (decoded.width, decoded.height)
        return Frame(index, timestamp_s, upright(self._image(decoded), decoded.rotation), *shown)

    def _image(self, frame: av.VideoFrame) -> NDArray[np.uint8]:
        if self._max_width is not None and frame.width > self._max_width:
            height = round(frame.height * self._max_width / frame.width / 2) * 2
            frame = self._scaler.reformat(
                frame, width=self._max_width, height=height, format=frame.format.name, interpolation="AREA", threads=1
            )
        if self._format == "rgba" and frame.width % _PAINTED_AT_ONCE_PX:
            rgb = self._painter.reformat(frame, format="rgb24", threads=1).to_ndarray()
            return np.concatenate((rgb, np.full((*rgb.shape[:2], 1), 255, dtype=np.uint8)), axis=2)
        painted = self._painter.reformat(frame, format=self._format, threads=1)
        if self._format != "rgba":
            return np.asarray(painted.to_ndarray(), dtype=np.uint8)
        # Where it lies: the array keeps the frame alive.
        (plane,) = painted.planes
        # PyAV's planes are buffers, yet its stub does not say so.
        pixels: NDArray[np.uint8] = np.frombuffer(cast("memoryview", plane), np.uint8)
        return pixels.reshape(painted.height, plane.line_size // 4, 4)[:, : painted.width]


def upright(image: NDArray[np.uint8], rotation_deg: int) -> NDArray[np.uint8]:
    """The image as it is to be shown: turned counter-clockwise by the container's display matrix."""
    quarter_turns = round(rotation_deg / 90) % 4
    if not quarter_turns:
        return image
    if image.ndim == 3 and image.shape[2] == 4:
        # A pixel moved as one number: a quarter of the time.
        turned = np.ascontiguousarray(np.rot90(image.view(np.uint32)[..., 0], quarter_turns))
        return turned[..., np.newaxis].view(np.uint8)
    return np.ascontiguousarray(np.rot90(image, quarter_turns))
