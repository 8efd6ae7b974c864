"""What is computed again, and what is not: a result's key."""

import importlib.metadata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines import stages
from pipelines.engine import Engine
from pipelines.params import Params, QualityParams, VoiceParams
from pipelines.params_face import FACE_ENGINES, FaceParams, OpenFaceParams, PyFeatParams
from pipelines.recording import Task
from pipelines.stages import MEDIA_STAGES, STAGES, MediaStage, inputs_digest, media_stage, params_sha256
from tests.pipelines.video_factory import RECORDING

ROOT = Path(__file__).parents[2]
MEASURED = replace(RECORDING, tasks=(Task("reading", 0.0, 3.0),), declared_duration_s=9.0)


def stage(module: str = "pipelines.calendar", version: str = "1", libraries: tuple[str, ...] = ()) -> MediaStage:
    base = media_stage("quality")
    return replace(base, module=module, libraries=libraries, engine=lambda _: Engine("made up", version, None))


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    stages.code_sha256_of.cache_clear()
    yield
    stages.code_sha256_of.cache_clear()


# --- the list ---


def test_the_stages_stand_in_their_order_and_dvc_has_the_same() -> None:
    dvc = list(yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"])
    assert dvc == [name for name in STAGES if name in dvc]
    assert [each.name for each in MEDIA_STAGES] == [name for name in STAGES if name in dvc][: len(MEDIA_STAGES)]


def test_a_stage_comes_after_those_that_it_needs() -> None:
    names = [each.name for each in MEDIA_STAGES]
    assert all(names.index(need) < names.index(each.name) for each in MEDIA_STAGES for need in each.needs)


@pytest.mark.parametrize("each", MEDIA_STAGES, ids=lambda each: each.name)
def test_a_stage_has_a_block_a_module_and_libraries_that_exist(each: MediaStage) -> None:
    assert each.params(Params()) == getattr(Params(), each.name)
    assert all(importlib.metadata.version(library) for library in each.libraries)
    assert len(each.code_sha256()) == 64


def test_every_table_of_a_recording_has_a_file_of_its_own(tmp_path: Path) -> None:
    paths = [path for each in MEDIA_STAGES for path in each.files(tmp_path, RECORDING)]
    assert len(set(paths)) == len(paths) == sum(len(each.endings) for each in MEDIA_STAGES)
    assert all(path.is_relative_to(tmp_path / RECORDING.participant) for path in paths)


# --- the key ---


def test_the_same_inputs_parameters_and_code_have_the_same_key() -> None:
    assert stage().key("inputs", Params()) == stage().key("inputs", Params())


@pytest.mark.parametrize(
    ("one", "inputs", "params"),
    [
        (stage(), "other", Params()),
        (stage(), "inputs", Params(quality=QualityParams(min_fps=12))),
        (stage(version="2"), "inputs", Params()),
        (stage(module="pipelines.consent"), "inputs", Params()),
        (stage(libraries=("numpy",)), "inputs", Params()),
        (replace(stage(), name="voice"), "inputs", Params()),
    ],
    ids=["inputs", "its parameters", "its engine", "its code", "a library", "its name"],
)
def test_what_could_change_a_result_changes_its_key(one: MediaStage, inputs: str, params: Params) -> None:
    assert one.key(inputs, params) != stage().key("inputs", Params())


def test_parameters_of_another_stage_do_not_count() -> None:
    assert stage().key("inputs", Params(voice=VoiceParams(sample_rate_hz=8000))) == stage().key("inputs", Params())


def test_a_default_written_out_is_the_default() -> None:
    assert params_sha256(QualityParams(min_fps=15.0)) == params_sha256(QualityParams())


def test_the_code_of_all_that_a_stage_imports_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stages._imported("pipelines.consent") == {
        "pipelines.consent", "pipelines.calendar", "pipelines.vault_records",
    }  # fmt: skip
    before = stage("pipelines.consent").code_sha256()
    true_source = stages._source

    def edited(module: str) -> bytes:
        return true_source(module) + (b"# edited\n" if module == "pipelines.calendar" else b"")

    stages.code_sha256_of.cache_clear()
    monkeypatch.setattr(stages, "_source", edited)
    assert stage("pipelines.consent").code_sha256() != before


def test_a_module_counts_however_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = {
        "pipelines.one": b"from pipelines import two\nimport pipelines.three\n",
        "pipelines.two": b"def f():\n    from schemas.four import x\n",
        "pipelines.three": b"import numpy\nfrom pathlib import Path\n",
        "schemas.four": b"from pipelines.errors import Rejection\n",
    }
    monkeypatch.setattr(stages, "_source", sources.__getitem__)
    assert stages._imported("pipelines.one") == set(sources)


def test_code_without_numbers_recomputes_nothing() -> None:
    assert not stages._imported("pipelines.consent") & stages._NO_NUMBERS
    assert stages._imported("schemas.faults") == set()


# --- what goes in ---


@pytest.mark.parametrize(
    "changed",
    [
        replace(MEASURED, media_sha256="1" * 64),
        replace(MEASURED, tasks=()),
        replace(MEASURED, tasks=(Task("reading", 0.0, 3.5),)),
        replace(MEASURED, declared_duration_s=8.0),
        replace(MEASURED, recording="P000000000-00000001"),
    ],
    ids=["the film", "no task", "a task's time", "the declared length", "the recording"],
)
def test_other_inputs_have_another_digest(changed: object) -> None:
    assert isinstance(changed, type(MEASURED))
    assert inputs_digest(changed, {}, stage()) != inputs_digest(MEASURED, {}, stage())


def test_facts_that_no_stage_measures_with_do_not_count() -> None:
    told = replace(MEASURED, device="Sony", flags=("NOISY",), superseded=True, visit="V2", study_day=3)
    assert inputs_digest(told, {}, stage()) == inputs_digest(MEASURED, {}, stage())


def test_a_stage_of_tables_depends_on_what_the_earlier_ones_left() -> None:
    align = media_stage("align")
    outputs = {"face": "a", "voice": "b"}
    base = inputs_digest(MEASURED, outputs, align)
    assert inputs_digest(MEASURED, outputs | {"quality": "c"}, align) == base
    assert inputs_digest(MEASURED, outputs | {"face": "x"}, align) != base
    with pytest.raises(KeyError):
        inputs_digest(MEASURED, {"face": "a"}, align)


def test_provenance_says_what_made_a_file_and_names_nobody() -> None:
    stated = stage().provenance("key", MEASURED, Params(), ())
    assert stated == {
        "stage": "quality", "key": "key", "media_sha256": MEASURED.media_sha256,
        "params_sha256": params_sha256(Params().quality), "code_sha256": stage().code_sha256(),
        "engine": "made up", "engine_version": "1", "model_sha256": None, "reasons": [],
    }  # fmt: skip


def test_many_threads_may_ask_for_a_stages_code_at_once() -> None:
    stages.code_sha256_of.cache_clear()
    with ThreadPoolExecutor(8) as threads:
        found = set(threads.map(lambda _: media_stage("quality").code_sha256(), range(64)))
    assert len(found) == 1


def test_the_parameters_of_an_engine_that_is_not_chosen_change_no_result() -> None:
    def key(**face: Any) -> str:
        return params_sha256(FaceParams(**face))

    elsewhere = OpenFaceParams(csv_folder="/elsewhere")
    assert key(openface=elsewhere, pyfeat=PyFeatParams(batch_size=8)) == key()
    assert key(engine="openface", openface=elsewhere) != key(engine="openface")
    assert key(engine="openface", pyfeat=PyFeatParams(batch_size=8)) == key(engine="openface")
    assert len({key(engine=engine) for engine in FACE_ENGINES}) == len(FACE_ENGINES)
