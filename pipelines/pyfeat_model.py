"""py-feat's models, on faces that somebody else has found: its own loading, cropping and inference, without its detector.

py-feat 2.1 ships no types and has no such entry: its detectors load RetinaFace first and run it on every frame. Source:
`feat.detector_v2.Detectorv2` and `feat.detector.Detectorv1`, whose `forward` is followed here.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

# Before torch: two OpenMP runtimes get on with one another in this order alone, as py-feat says of itself.
import feat  # noqa: F401 - see above
import numpy as np
import torch
from feat.au_detectors.StatLearning.SL_test import SVMClassifier, XGBClassifier
from feat.detector_v2 import Detectorv2
from feat.landmark_detectors.mobilefacenet_test import MobileFaceNet
from feat.multitask.inference import CHIP_SIZE, MultitaskModel
from feat.pretrained import AU_LANDMARK_MAP
from feat.utils import N_OPENFACE_LANDMARKS_2D_FLAT
from feat.utils.face_mask import extract_hog_features_batched
from feat.utils.image_operations import HOGLayer, extract_face_from_bbox_torch
from numpy.typing import NDArray
from skops.io import get_untrusted_types, load

from pipelines.errors import UserError
from pipelines.pyfeat_weights import Weights

_V1_FACE_PX = 112
_OF_CLASSIFIERS = ("feat.", "sklearn.", "xgboost.", "numpy.", "__main__.XGBClassifier", "__main__.SVMClassifier")
"""What a file of classifiers may be made of; `__main__` are py-feat's own, as its earlier files name them."""


class Model(Protocol):
    """A model of action units: `crop` one face, then give what it says of some crops.

    `crop`: image, height x width x 3, RGB; box, x1, y1, x2, y2 in pixels of it. `read`: by action unit, one value a crop.
    """

    def crop(self, image: NDArray[np.uint8], box: Sequence[float]) -> Any:
        """The crop that the model wants of a face."""

    def read(self, crops: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
        """What the model says of crops: probabilities, or 0 and 1 of classifiers that decide."""


@lru_cache(maxsize=1)
def open_model(weights: tuple[Weights, ...], au_model: str) -> Model:
    """Load a model; kept for the recordings that follow, since it takes seconds.

    Args:
        weights: its files, as `pipelines.pyfeat_weights.find_weights` gives them.
        au_model: the kind of detectorv1's classifiers.

    Raises:
        UserError: a file does not hold what py-feat expects.
    """
    # One thread, and of several ways to compute the one that always gives the same.
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(mode=True)
    # A net for operations that read what nobody wrote: it would fill each tensor with NaN first, at 2 % of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    paths = {each.role: each.path for each in weights}
    try:
        if "multitask" in paths:
            return _Multitask(paths["multitask"])
        return _Classifiers(paths["landmarks"], paths["classifiers"], au_model)
    except (MemoryError, UserError):
        raise
    except Exception as error:  # py-feat, safetensors, skops and pickle have an error each
        named = ", ".join(str(path) for path in paths.values())
        said = " ".join(str(error).split())
        raise UserError(f"py-feat cannot load its weights ({named}): {type(error).__name__}: {said}") from error


class _Multitask(Detectorv2):  # type: ignore[misc]  # py-feat ships no types
    """Detectorv2 without RetinaFace and identity: whose weights and time are what the fast path does without."""

    def __init__(self, weights: Path) -> None:
        torch.nn.Module.__init__(self)
        self.device = torch.device("cpu")
        self.face_size = CHIP_SIZE
        self.multitask = MultitaskModel(device=self.device, weights_path=str(weights))

    def crop(self, image: NDArray[np.uint8], box: Sequence[float]) -> Any:
        """See `Model.crop`: the face with a margin of a fifth, squared, reflected beyond the picture's edge."""
        with torch.inference_mode():
            (found,) = self.crop_faces_from_boxes(_picture(image), torch.tensor([box], dtype=torch.float32))
        return found["faces"]

    def read(self, crops: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
        """See `Model.read`."""
        output = self.multitask(torch.cat(list(crops)))
        return dict(zip(output.au_names, output.au.T.astype(np.float64), strict=True))


class _Classifiers:
    """Detectorv1's landmarks and classifiers."""

    def __init__(self, landmarks: Path, classifiers: Path, au_model: str) -> None:
        self._landmarks = MobileFaceNet([_V1_FACE_PX, _V1_FACE_PX], N_OPENFACE_LANDMARKS_2D_FLAT, device="cpu")
        self._landmarks.load_state_dict(torch.load(landmarks, map_location="cpu", weights_only=True)["state_dict"])
        self._landmarks.eval()
        self._hog = HOGLayer(
            orientations=8,
            pixels_per_cell=8,
            cells_per_block=2,
            block_normalization="L2-Hys",
            feature_vector=True,
            device=torch.device("cpu"),
        )
        self._classifiers = XGBClassifier() if au_model == "xgb" else SVMClassifier()
        stored = load(classifiers, trusted=_trusted(classifiers))
        parts = ("scaler_upper", "pca_model_upper", "scaler_lower", "pca_model_lower", "scaler_full", "pca_model_full")
        self._classifiers.load_weights(
            **{name: getattr(stored, name) for name in parts}, classifiers=stored.classifiers
        )

    def crop(self, image: NDArray[np.uint8], box: Sequence[float]) -> Any:
        """See `Model.crop`: the face with a margin of a fifth, stretched to a square, black beyond the picture's edge."""
        with torch.inference_mode():
            found, _ = extract_face_from_bbox_torch(
                _picture(image).float() / 255, torch.tensor([box], dtype=torch.float32), face_size=_V1_FACE_PX
            )
        return found

    def read(self, crops: Sequence[Any]) -> dict[str, NDArray[np.float64]]:
        """See `Model.read`."""
        faces = torch.cat(list(crops))
        with torch.inference_mode():
            landmarks = self._landmarks(faces)[0]
            features, points = extract_hog_features_batched(faces, landmarks, hog_layer=self._hog)
        said = np.asarray(self._classifiers.detect_au(frame=features, landmarks=[points]), dtype=np.float64)
        return dict(zip(AU_LANDMARK_MAP["Feat"], said.T, strict=True))


def _picture(image: NDArray[np.uint8]) -> Any:
    """An image as py-feat wants it, 1 x 3 x height x width; of an array it would take the colours to be in BGR."""
    return torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).unsqueeze(0)


def _trusted(path: Path) -> list[str]:
    """The types that a file of classifiers is made of, where all of them are of py-feat and what it builds on.

    Raises:
        UserError: others are in it, which could do anything.
    """
    types = [str(each) for each in get_untrusted_types(file=path)]
    strange = [each for each in types if not each.startswith(_OF_CLASSIFIERS)]
    if strange:
        raise UserError(f"py-feat's weights {path} hold more than classifiers: {', '.join(strange)}")
    return types
