"""py-feat's weights: which files its models need, where they are on this machine, and which bytes. Nothing is fetched.

py-feat fetches them itself from the Hugging Face hub where a person uses it. Here they must be there before: workers
have no network, and a run opens no connection that nobody configured.
"""

import hashlib
import importlib.util
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import UserError
from pipelines.params_face import PyFeatParams


@dataclass(frozen=True, slots=True)
class Needed:
    """A file that a model needs.

    Args:
        role: what it is, as in `face.pyfeat.<role>_sha256`.
        repository: on the Hugging Face hub.
        names: of the file; the first one there is taken, as py-feat does.
    """

    role: str
    repository: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Weights:
    """A file of weights that is there: its role, its path and its SHA-256."""

    role: str
    path: Path
    sha256: str


_MULTITASK = Needed("multitask", "py-feat/face_multitask_v2", ("face_multitask_v28.safetensors",))
_LANDMARKS = Needed("landmarks", "py-feat/mobilefacenet", ("mobilefacenet_model_best.pth.tar",))
_CLASSIFIERS = {
    "xgb": Needed("classifiers", "py-feat/xgb_au", ("xgb_au_classifier_v2.skops", "xgb_au_classifier.skops")),
    "svm": Needed("classifiers", "py-feat/svm_au", ("svm_au_classifier_v2.skops", "svm_au_classifier.skops")),
}


def needed(params: PyFeatParams) -> tuple[Needed, ...]:
    """The files that a choice of models needs, by the names that py-feat 2.1 gives them.

    >>> [each.names[0] for each in needed(PyFeatParams())]
    ['face_multitask_v28.safetensors']
    """
    return (_MULTITASK,) if params.model == "detectorv2" else (_LANDMARKS, _CLASSIFIERS[params.au_model])


def find_weights(params: PyFeatParams) -> tuple[Weights, ...]:
    """The files that the chosen models need: in `weights_folder`, else in a Hugging Face cache.

    Raises:
        UserError: one is missing, cannot be read, or is another than `face.pyfeat` says.
    """
    return tuple(_find(each, params) for each in needed(params))


def digest(weights: tuple[Weights, ...]) -> str:
    """One SHA-256 for all files: that of the file where there is one, else of their SHA-256 in order.

    >>> digest((Weights("multitask", Path("w"), "ab" * 32),)) == "ab" * 32
    True
    """
    if len(weights) == 1:
        return weights[0].sha256
    return hashlib.sha256("\n".join(each.sha256 for each in weights).encode()).hexdigest()


def _find(file: Needed, params: PyFeatParams) -> Weights:
    places = list(_places(file, params.weights_folder))
    path = next((place / name for name in file.names for place in places if (place / name).is_file()), None)
    if path is None:
        raise UserError(
            f"py-feat's weights {file.names[0]} (repository {file.repository} on the Hugging Face hub) are neither in "
            f"{' nor in '.join(_searched(params.weights_folder))}: fetch them where there is a network with "
            f"`hf download {file.repository} {file.names[0]}`, or put them into a folder and name it as "
            "face.pyfeat.weights_folder"
        )
    try:
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"py-feat's weights {path} cannot be read: {error.strerror}") from error
    stated = getattr(params, f"{file.role}_sha256")
    if stated not in {None, found}:
        raise UserError(
            f"py-feat's weights {path} have SHA-256 {found}, not face.pyfeat.{file.role}_sha256 {stated}: "
            "restore the file, or state its hash if the change is meant"
        )
    return Weights(file.role, path, found)


def _places(file: Needed, folder: str | None) -> Iterator[Path]:
    """Where a file may be: the folder that is named, and no other; else what each cache holds of its repository."""
    if folder is not None:
        yield Path(folder).expanduser()
        return
    for cache in _caches():
        stored = cache / f"models--{file.repository.replace('/', '--')}"
        try:
            commit = (stored / "refs" / "main").read_text(encoding="utf-8").strip()
        except OSError:
            continue
        yield stored / "snapshots" / commit


def _caches() -> list[Path]:
    """The user's Hugging Face cache, as huggingface_hub finds it, and the one in py-feat's own package."""
    above = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{above}/huggingface"
    caches = [Path(os.environ.get("HF_HUB_CACHE") or f"{home}/hub").expanduser()]
    # Found without importing, which takes seconds.
    spec = importlib.util.find_spec("feat")
    if spec is not None and spec.submodule_search_locations:
        caches.append(Path(spec.submodule_search_locations[0]) / "resources")
    return caches


def _searched(folder: str | None) -> list[str]:
    return [folder] if folder is not None else [str(cache) for cache in _caches()]
