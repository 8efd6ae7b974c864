"""Do the engines work on this machine at all? Asked once a run, before a recording could be blamed for it."""

import numpy as np

from pipelines.errors import PainLakeError
from pipelines.params_face import FaceParams


def check_engines(face: FaceParams) -> None:
    """Look for a face in a grey picture and listen to noise.

    Args:
        face: which model.

    Raises:
        PainLakeError: an engine cannot be loaded or run: a system library is missing, or the model is damaged.
    """
    try:
        from pipelines.landmarker import open_landmarker  # noqa: PLC0415 - loading it is what is tried
        from pipelines.smile import try_engine  # noqa: PLC0415 - the same

        with open_landmarker(face) as landmarker:
            landmarker.track(np.full((120, 160, 3), 128, dtype=np.uint8), 0.0)
        try_engine()
    except (ImportError, OSError, RuntimeError) as error:
        raise PainLakeError(
            f"an engine does not run on this machine: {error}; `make setup` checks what it needs"
        ) from error
