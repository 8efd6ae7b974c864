"""Weights of the shapes that py-feat loads, with seeded random values: its real ones cannot be fetched everywhere.

They tell nothing of a face, and go through the same loading and inference as those that do.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
import torch
import xgboost
from feat.au_detectors.StatLearning.SL_test import SVMClassifier, XGBClassifier
from feat.landmark_detectors.mobilefacenet_test import MobileFaceNet
from feat.multitask.model_v2 import MEGraphAUv2, ModelV2Config
from safetensors.torch import save_file
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

MULTITASK, LANDMARKS = "face_multitask_v28.safetensors", "mobilefacenet_model_best.pth.tar"
CLASSIFIERS = {"xgb": "xgb_au_classifier_v2.skops", "svm": "svm_au_classifier_v2.skops"}

_CONFIG = {
    "n_au": 20, "n_emotion": 7, "n_blendshape": 52, "mesh_normalized": True, "use_head_v3": True, "drop_mefl": True,
    "emotion_use_au_prob": True, "gaze_eye_roi": True,
}  # fmt: skip
"""Of the shipped model as far as py-feat's code tells: 20 action units, 7 emotions, 52 blendshapes."""
_HOG = 5408
"""Features of a face of 112 px: 13 x 13 blocks of 2 x 2 cells with 8 directions each."""
_POINTS = 2 * 68
_UNITS = ("AU1", "AU2", "AU4", "AU5", "AU6", "AU7", "AU9", "AU10", "AU11", "AU12", "AU14", "AU15", "AU17", "AU20", "AU23", "AU24", "AU25", "AU26", "AU28", "AU43")  # fmt: skip


def make_multitask(folder: Path, seed: int = 1) -> Path:
    """Weights of Detectorv2's model: safetensors with the model's configuration in their metadata."""
    torch.manual_seed(seed)
    model = MEGraphAUv2(ModelV2Config(**_CONFIG, pretrained=False))
    folder.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), folder / MULTITASK, metadata={"config": json.dumps(_CONFIG)})
    return folder / MULTITASK


def make_landmarks(folder: Path, seed: int = 1) -> Path:
    """Weights of Detectorv1's landmark model: a random face that is a grid of points, spread so that it has an inside."""
    torch.manual_seed(seed)
    model = MobileFaceNet([112, 112], _POINTS, device="cpu")
    state = model.state_dict()
    last = [name for name in state if name.endswith("bias")][-1]
    points = np.random.default_rng(seed).uniform(0.15, 0.85, _POINTS)
    state[last] = torch.tensor(points, dtype=torch.float32)
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"state_dict": state}, folder / LANDMARKS)
    return folder / LANDMARKS


def make_classifiers(folder: Path, au_model: str, seed: int = 1) -> Path:
    """Classifiers of Detectorv1: scaler, PCA and one classifier a unit, fitted to noise."""
    rng = np.random.default_rng(seed)
    scaler = StandardScaler().fit(rng.uniform(0, 1, (30, _HOG)))
    pca = PCA(n_components=5, random_state=seed).fit(scaler.transform(rng.uniform(0, 1, (30, _HOG))))
    seen, answers = rng.normal(0, 30, (60, 5 + _POINTS)), np.arange(60) % 2
    classifiers = {unit: _classifier(au_model).fit(seen, rng.permutation(answers)) for unit in _UNITS}
    wrapper = XGBClassifier() if au_model == "xgb" else SVMClassifier()
    wrapper.load_weights(
        scaler_upper=scaler, pca_model_upper=pca, scaler_lower=scaler, pca_model_lower=pca, scaler_full=scaler,
        pca_model_full=pca, classifiers=classifiers,
    )  # fmt: skip
    folder.mkdir(parents=True, exist_ok=True)
    skops.io.dump(wrapper, folder / CLASSIFIERS[au_model])
    return folder / CLASSIFIERS[au_model]


def _classifier(au_model: str) -> Any:
    if au_model == "xgb":
        return xgboost.XGBClassifier(n_estimators=5, max_depth=2, n_jobs=1)
    return LinearSVC(max_iter=2000, random_state=1)
