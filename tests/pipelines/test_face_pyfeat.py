"""The engine `pyfeat` where py-feat is not installed: what it says it does, what it lacks, and where weights are."""

import hashlib
import importlib.metadata
from pathlib import Path

import pytest
from pydantic import ValidationError

from pipelines.errors import UserError
from pipelines.face_engine import face_engine
from pipelines.face_pyfeat import support
from pipelines.params import read_params
from pipelines.params_face import FaceParams, PyFeatParams
from pipelines.pyfeat_weights import Weights, digest, find_weights, needed
from schemas.face import AU_NAMES, AU_SUPPORT

MULTITASK = "face_multitask_v28.safetensors"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's Hugging Face cache, with one file in it, as huggingface_hub lays them out."""
    cache = tmp_path / "hub"
    put(cache, "py-feat/face_multitask_v2", "c0ffee", MULTITASK, b"weights")
    monkeypatch.setenv("HF_HUB_CACHE", str(cache))
    return cache


def put(cache: Path, repository: str, commit: str, name: str, content: bytes) -> Path:
    stored = cache / f"models--{repository.replace('/', '--')}"
    for folder in ("blobs", "refs", f"snapshots/{commit}"):
        (stored / folder).mkdir(parents=True, exist_ok=True)
    blob = hashlib.sha256(content).hexdigest()
    (stored / "blobs" / blob).write_bytes(content)
    (stored / "refs" / "main").write_text(commit)
    path = stored / "snapshots" / commit / name
    path.symlink_to(f"../../blobs/{blob}")
    return path


def test_without_the_package_one_line_names_the_extra(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", version)
    params = FaceParams(engine="pyfeat")
    for ask in (face_engine("pyfeat").identity, face_engine("pyfeat").try_out):
        with pytest.raises(UserError, match=r"wants the extra `painlake\[pyfeat\]`: py-feat is not installed") as lacking:  # fmt: skip
            ask(params)
        assert "\n" not in str(lacking.value)


def test_weights_are_found_in_the_users_cache(cache: Path) -> None:
    (found,) = find_weights(PyFeatParams())
    assert found.path.is_relative_to(cache)
    assert (found.role, found.sha256) == ("multitask", hashlib.sha256(b"weights").hexdigest())


def test_of_several_commits_in_the_cache_the_current_one_counts(cache: Path) -> None:
    newer = put(cache, "py-feat/face_multitask_v2", "beef00", MULTITASK, b"newer")
    assert find_weights(PyFeatParams())[0].path == newer


@pytest.mark.parametrize(("variable", "below"), [("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub")])
def test_the_cache_is_where_huggingface_hub_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, below: str
) -> None:
    for each in ("HF_HUB_CACHE", "HF_HOME"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    path = put(tmp_path / below, "py-feat/face_multitask_v2", "c0ffee", MULTITASK, b"weights")
    assert find_weights(PyFeatParams())[0].path == path


def test_a_folder_that_is_named_goes_before_any_cache_and_is_the_only_place(cache: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    params = PyFeatParams(weights_folder=str(own))
    with pytest.raises(UserError, match=f"{MULTITASK} .* are neither in {own}:"):
        find_weights(params)
    (own / MULTITASK).write_bytes(b"own")
    assert find_weights(params)[0].path == own / MULTITASK


@pytest.mark.parametrize(
    ("params", "file", "repository"),
    [
        (PyFeatParams(), MULTITASK, "py-feat/face_multitask_v2"),
        (PyFeatParams(model="detectorv1"), "mobilefacenet_model_best.pth.tar", "py-feat/mobilefacenet"),
    ],
)
def test_what_is_missing_is_named_with_where_it_was_looked_for_and_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, params: PyFeatParams, file: str, repository: str
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "empty"))
    with pytest.raises(UserError) as lacking:
        find_weights(params)
    said = str(lacking.value)
    for part in (file, repository, str(tmp_path / "empty"), f"`hf download {repository} {file}`", "weights_folder"):
        assert part in said
    assert "\n" not in said


def test_other_weights_than_stated_are_refused(cache: Path) -> None:
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert find_weights(PyFeatParams(multitask_sha256=sha256))[0].sha256 == sha256
    with pytest.raises(UserError, match=f"have SHA-256 {sha256}, not face.pyfeat.multitask_sha256 {'0' * 64}"):
        find_weights(PyFeatParams(multitask_sha256="0" * 64))


def test_the_files_are_those_that_the_choice_of_models_needs() -> None:
    def names(**chosen: object) -> list[str]:
        return [each.repository for each in needed(PyFeatParams.model_validate(chosen))]

    assert names() == ["py-feat/face_multitask_v2"]
    assert names(model="detectorv1") == ["py-feat/mobilefacenet", "py-feat/xgb_au"]
    assert names(model="detectorv1", au_model="svm") == ["py-feat/mobilefacenet", "py-feat/svm_au"]


def test_several_files_have_one_hash_that_changes_with_each() -> None:
    one, other = Weights("landmarks", Path("a"), "1" * 64), Weights("classifiers", Path("b"), "2" * 64)
    assert digest((one,)) == "1" * 64
    assert len({digest((one, other)), digest((one, one)), digest((other, one))}) == 3


def test_support_says_of_every_unit_that_it_is_a_probability_or_whose_else() -> None:
    rows = {row["action_unit"]: row for row in support().iter_rows(named=True)}
    assert tuple(rows) == tuple(AU_NAMES)
    assert AU_SUPPORT.conform(support()).equals(support())
    assert {unit for unit, row in rows.items() if row["method"] != "model"} == {"AU45"}
    assert "MediaPipe's, in every frame" in rows["AU45"]["caveat"]
    for unit in rows.keys() - {"AU45"}:
        assert "A probability, and no intensity" in rows[unit]["caveat"]
        assert f"{unit}_c = p >= 0.5" in rows[unit]["source"]
    assert "AU04_r = 5 p" in rows["AU04"]["source"]
    assert "AU28_r = " not in rows["AU28"]["source"]


def test_by_default_no_gap_between_measured_frames_is_too_long_for_events_at_15_frames_a_second() -> None:
    params = read_params(Path(__file__).parents[2] / "params.yaml")
    gap_s = params.face.pyfeat.every_n_frames / params.quality.min_fps
    assert gap_s <= min(params.publish.events.max_gap_s, params.align.max_gap_s)


@pytest.mark.parametrize(
    "wrong",
    [
        {"every_n_frames": 0}, {"model": "detectorv3"}, {"au_model": "resnet"}, {"batch_size": 0},
        {"multitask_sha256": "ABC"},
    ],
)  # fmt: skip
def test_what_it_cannot_do_cannot_be_asked_for(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PyFeatParams.model_validate(wrong)


def test_a_misspelt_key_names_the_nearest(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("face:\n  pyfeat:\n    every_n_frame: 3\n")
    with pytest.raises(UserError, match=r"unknown key 'face\.pyfeat\.every_n_frame'; did you mean 'every_n_frames'"):
        read_params(path)
