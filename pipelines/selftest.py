"""Do the engines work on this machine at all? Asked once a run, before a recording could be blamed for it."""

from pipelines.errors import PainLakeError
from pipelines.face_engine import face_engine
from pipelines.params_face import FaceParams


def check_engines(face: FaceParams) -> None:
    """Try the face engine, and listen to noise.

    Args:
        face: which engine and model.

    Raises:
        PainLakeError: an engine cannot be loaded or run: a system library is missing, or the model is damaged.
    """
    try:
        from pipelines.smile import try_engine  # noqa: PLC0415 - loading it is what is tried

        face_engine(face.engine).try_out(face)
        try_engine()
    except (ImportError, OSError, RuntimeError) as error:
        raise PainLakeError(
            f"an engine does not run on this machine: {error}; `make setup` checks what it needs"
        ) from error
