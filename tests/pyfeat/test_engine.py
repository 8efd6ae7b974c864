"""The engine through py-feat's real loading and inference: one row a frame, NULL between, the same rows every time."""

import shutil
import socket
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
import torch
from polars.testing import assert_frame_equal

from pipelines.confine import Limits
from pipelines.errors import UserError
from pipelines.face import measure_face
from pipelines.face_engine import face_engine
from pipelines.params import Params
from pipelines.params_face import FaceParams
from pipelines.pool import Workers
from pipelines.selftest import check_engines
from pipelines.stages import _engine_of, media_stage
from schemas.face import AU_FRAMES, AU_NAMES, PRESENCE_ONLY
from tests.pipelines.video_factory import RECORDING
from tests.pyfeat.conftest import FACES, WITHOUT
from tests.pyfeat.weights_factory import CLASSIFIERS, MULTITASK, make_multitask

OF_PYFEAT = [f"{unit}_r" for unit in AU_NAMES if unit not in {"AU45", *PRESENCE_ONLY}]
DECIDED = [f"{unit}_c" for unit in AU_NAMES if unit != "AU45"]
FROM_PYFEAT = [*OF_PYFEAT, *DECIDED, "pspi"]


def but(params: FaceParams, **changed: object) -> FaceParams:
    """The parameters with something else in the block `pyfeat`."""
    return params.model_copy(update={"pyfeat": params.pyfeat.model_copy(update=changed)})


def measured(film: bytes, params: FaceParams) -> pl.DataFrame:
    return measure_face(film, RECORDING, params)


def key_of(params: FaceParams) -> str:
    # Asked once a process: files that change under a run are none of a study's.
    _engine_of.cache_clear()
    return media_stage("face").key("inputs", Params(face=params))


@pytest.fixture(scope="module")
def rows(film: bytes, weights: Path) -> pl.DataFrame:
    return measured(film, but(FaceParams(engine="pyfeat"), weights_folder=str(weights)))


def test_it_gives_every_column_of_the_table_and_a_row_for_every_frame(rows: pl.DataFrame) -> None:
    assert tuple(rows.columns) == AU_FRAMES.names
    assert rows["frame"].to_list() == list(range(FACES + WITHOUT))
    assert rows["face_found"].to_list() == [True] * FACES + [False] * WITHOUT


@pytest.mark.parametrize("column", FROM_PYFEAT)
def test_it_measures_every_second_frame_with_a_face_and_says_nothing_of_the_others(rows: pl.DataFrame, column: str) -> None:  # fmt: skip
    there = rows[column].is_not_null().to_list()
    assert there == [n % 2 == 0 and n < FACES for n in range(FACES + WITHOUT)]


def test_presence_is_a_probability_of_a_half_and_intensity_five_times_it(rows: pl.DataFrame) -> None:
    seen = rows.filter(pl.col("AU04_r").is_not_null())
    for unit in AU_NAMES:
        if unit not in {"AU45", *PRESENCE_ONLY}:
            assert seen[f"{unit}_r"].is_between(0, 5).all()
            assert (seen[f"{unit}_c"] == (seen[f"{unit}_r"] >= 2.5)).all()


def test_the_pain_score_is_made_of_py_feats_units(rows: pl.DataFrame) -> None:
    seen = rows.filter(pl.col("pspi").is_not_null())
    expected = (
        seen["AU04_r"]
        + seen.select(pl.max_horizontal("AU06_r", "AU07_r")).to_series()
        + seen.select(pl.max_horizontal("AU09_r", "AU10_r")).to_series()
        + seen["AU43_r"] / 5
    )
    assert seen["pspi"].to_numpy() == pytest.approx(expected.to_numpy(), abs=1e-5)


def test_what_mediapipe_measures_is_there_in_every_frame_as_mediapipe_has_it(rows: pl.DataFrame, film: bytes) -> None:
    assert_frame_equal(rows.drop(FROM_PYFEAT), measured(film, FaceParams()).drop(FROM_PYFEAT))
    assert rows.head(FACES)["AU45_r"].null_count() == 0


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize("batch_size", [1, 3, 4, 16])
def test_the_same_bytes_give_the_same_rows_whatever_the_batch(rows: pl.DataFrame, film: bytes, params: FaceParams, batch_size: int) -> None:  # fmt: skip
    assert_frame_equal(measured(film, but(params, batch_size=batch_size)), rows, check_exact=True)


@pytest.mark.parametrize("every", [1, 3])
def test_how_many_frames_are_passed_over_changes_nothing_in_those_that_are_measured(
    rows: pl.DataFrame, film: bytes, params: FaceParams, every: int
) -> None:
    others = measured(film, but(params, every_n_frames=every))
    assert others["AU04_r"].is_not_null().to_list() == [n % every == 0 and n < FACES for n in range(FACES + WITHOUT)]
    shared = pl.col("frame") % (2 * every) == 0
    assert_frame_equal(others.filter(shared), rows.filter(shared), check_exact=True)


def test_different_faces_read_differently(rows: pl.DataFrame) -> None:
    assert rows["AU04_r"].drop_nulls().n_unique() > 1


def test_classifiers_that_decide_leave_the_intensity_out(film: bytes, params: FaceParams) -> None:
    found = measured(film, but(params, model="detectorv1", au_model="svm"))
    assert found[OF_PYFEAT].null_count().row(0) == (found.height,) * len(OF_PYFEAT)
    assert set(found["AU04_c"].drop_nulls()) <= {0, 1}
    assert found["AU04_c"].is_not_null().sum() == (FACES + 1) // 2
    assert found["pspi"].null_count() == found.height


def test_in_a_worker_without_network_it_gives_what_it_gives_here(rows: pl.DataFrame, film: bytes, params: FaceParams) -> None:  # fmt: skip
    limits = Limits(wall_s=300, cpu_s=200, memory_mb=4000, max_picture_mpx=16, require_isolation=True)
    with Workers(1, limits) as workers:
        workers.run(check_engines, params)
        for _ in range(2):
            assert_frame_equal(workers.run(measure_face, film, RECORDING, params), rows, check_exact=True)


@pytest.mark.usefixtures("anew")
@pytest.mark.parametrize(("model", "au_model"), [("detectorv2", "xgb"), ("detectorv1", "xgb"), ("detectorv1", "svm")])
def test_it_opens_no_connection(
    film: bytes, params: FaceParams, model: str, au_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a connection was asked for")

    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refused)
    chosen = but(params, model=model, au_model=au_model)
    face_engine("pyfeat").try_out(chosen)
    assert measured(film, chosen)["AU04_c"].is_not_null().any()


@pytest.mark.parametrize(
    ("chosen", "missing", "repository"),
    [
        ({"model": "detectorv2"}, MULTITASK, "py-feat/face_multitask_v2"),
        ({"model": "detectorv1"}, CLASSIFIERS["xgb"], "py-feat/xgb_au"),
        ({"model": "detectorv1", "au_model": "svm"}, CLASSIFIERS["svm"], "py-feat/svm_au"),
    ],
)
def test_missing_weights_are_named_with_the_way_to_get_them(
    weights: Path, tmp_path: Path, chosen: dict[str, object], missing: str, repository: str
) -> None:
    for path in weights.iterdir():
        if path.name != missing:
            shutil.copyfile(path, tmp_path / path.name)
    lacking = but(FaceParams(engine="pyfeat"), weights_folder=str(tmp_path), **chosen)
    for ask in (face_engine("pyfeat").identity, face_engine("pyfeat").try_out):
        with pytest.raises(UserError, match=f"hf download {repository} {missing}"):
            ask(lacking)


def test_a_result_is_filed_under_the_bytes_of_its_weights(weights: Path, params: FaceParams, tmp_path: Path) -> None:
    shutil.copyfile(weights / MULTITASK, tmp_path / MULTITASK)
    here = but(params, weights_folder=str(tmp_path))
    before = key_of(here)
    assert key_of(here) == before
    make_multitask(tmp_path, seed=2)
    assert key_of(here) != before


def test_each_choice_of_models_is_an_engine_of_its_own(params: FaceParams) -> None:
    chosen = [but(params), but(params, model="detectorv1"), but(params, model="detectorv1", au_model="svm")]
    identities = [face_engine("pyfeat").identity(each) for each in chosen]
    assert len({each.model_sha256 for each in identities}) == 3
    assert {each.name for each in identities} == {"pyfeat"}
    assert "torch" in identities[0].version
    assert "xgboost" in identities[1].version


@pytest.mark.usefixtures("anew")
def test_weights_that_are_none_are_named_in_one_line(params: FaceParams, tmp_path: Path) -> None:
    (tmp_path / MULTITASK).write_bytes(b"not weights")
    with pytest.raises(UserError, match=f"cannot load its weights .*{MULTITASK}") as refused:
        face_engine("pyfeat").try_out(but(params, weights_folder=str(tmp_path)))
    assert "\n" not in str(refused.value)


@pytest.mark.usefixtures("anew")
def test_a_file_of_classifiers_that_could_do_other_things_is_not_opened(weights: Path, params: FaceParams, tmp_path: Path) -> None:  # fmt: skip
    for path in weights.iterdir():
        shutil.copyfile(path, tmp_path / path.name)
    skops.io.dump({"run": shutil.rmtree}, tmp_path / CLASSIFIERS["xgb"])
    with pytest.raises(UserError, match=r"hold more than classifiers: shutil\.rmtree"):
        face_engine("pyfeat").try_out(but(params, model="detectorv1", weights_folder=str(tmp_path)))


def test_torch_computes_in_one_thread_and_the_same_way_each_time(rows: pl.DataFrame) -> None:
    assert rows.height > 0
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert np.isfinite(rows["AU04_r"].drop_nulls().to_numpy()).all()
