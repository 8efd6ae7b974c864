"""What a face engine is, and which there are. Imports nothing heavy: engines load their libraries when they measure."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import polars as pl

from pipelines.engine import Engine
from pipelines.errors import UserError
from pipelines.params_face import FACE_ENGINES, FaceParams

if TYPE_CHECKING:
    import av


class FaceAlong(Protocol):
    """An engine at work on one recording, whose frames it is shown."""

    def take(self, decoded: "av.VideoFrame", timestamp_s: float) -> None:
        """See `pipelines.frames.FrameTaker`."""

    def rows(self) -> pl.DataFrame:
        """What `FaceEngine.measure` gives, of the frames taken."""


class FaceEngine(Protocol):
    """Something that measures the main face of a video. All engines give the same table.

    What an engine cannot measure it leaves NULL, and says so in its rows of `au_support` (method 'none').
    """

    name: str
    """As in `face.engine` and `meta.provenance`."""

    def identity(self, params: FaceParams) -> Engine:
        """Name, version and model hash, for provenance and for the key of every result.

        Raises:
            UserError: the engine or its model is not there, or another one than stated.
        """

    def try_out(self, params: FaceParams) -> None:
        """Do the least that shows whether the engine works on this machine.

        Raises:
            UserError: see `identity`.
            ImportError, OSError, RuntimeError: a library is missing or broken, or the model is damaged.
        """

    def measure(self, media: bytes, recording: str, params: FaceParams) -> pl.DataFrame:
        """Measure every decoded frame of a video.

        Args:
            media: the whole file, which has a video track.
            recording: its name in the lake.
            params: how faces are found and measured.

        Returns:
            `au_frames` without the column `recording`, in presentation order; same bytes in, same rows out. `AUnn_c`
            is NULL where the engine has no classifier of its own: publication sets it from `AUnn_r`.

        Raises:
            Rejection: the container cannot be opened.
        """

    def along(self, params: FaceParams) -> "Callable[[], FaceAlong] | None":
        """What begins to measure a recording along a pass over its frames that somebody else makes.

        Args:
            params: how faces are found and measured.

        Returns:
            None where this engine has to see the file itself.
        """

    def support(self) -> pl.DataFrame:
        """The engine's rows of `au_support`: one for each action unit, in their order."""


def face_engine(name: str) -> FaceEngine:
    """The engine of a name.

    Raises:
        UserError: there is none of that name.

    >>> face_engine("mediapipe").name
    'mediapipe'
    """
    # Here, since it imports this module's protocol and a stage's key follows imports wherever they stand.
    from pipelines.face_mediapipe import MediaPipe  # noqa: PLC0415 - see above
    from pipelines.face_openface import OpenFace  # noqa: PLC0415 - the same
    from pipelines.face_pyfeat import PyFeat  # noqa: PLC0415 - the same

    engines: tuple[FaceEngine, ...] = (MediaPipe(), PyFeat(), OpenFace())
    for engine in engines:
        if engine.name == name:
            return engine
    raise UserError(f"no face engine is called {name!r}; there are: {', '.join(FACE_ENGINES)}")


def au_support() -> pl.DataFrame:
    """The table `au_support`: what each engine measures of each action unit, and how."""
    return pl.concat(face_engine(name).support() for name in FACE_ENGINES)
