"""What Prefect is told of a study: paths and names of recordings, in a form that lets nothing else through."""

import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from prefect.utilities.importtools import import_object

from flows.backfill import EngineName, Reason, StageName
from flows.deployments import POOL, deployments_of
from flows.environment import note_server, settings_for, traces_elsewhere
from flows.leftover import FLOWS
from pipelines.backfill import REASONS
from pipelines.params_face import FACE_ENGINES
from pipelines.params_night import NightParams
from pipelines.stages import MEDIA_STAGES
from tests.pipelines.landing_factory import LightStudy

ROOT = Path(__file__).parents[2]
CRON = NightParams().cron


@pytest.fixture(scope="module")
def written() -> dict[str, dict[str, Any]]:
    """The deployments of `prefect.yaml`, by name."""
    return {each["name"]: each for each in yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]}


def test_prefects_own_file_says_the_same(study: LightStudy, written: dict[str, dict[str, Any]]) -> None:
    ours = {each.name: each for each in deployments_of(study.study, CRON, pool=POOL)}
    assert ours.keys() == written.keys()
    for name, each in ours.items():
        there = written[name]
        assert (each.entrypoint, each.description, each.tags) == (
            there["entrypoint"],
            there["description"],
            there["tags"],
        )
        assert each.work_pool_name == there["work_pool"]["name"]
        assert each.parameters.keys() == there["parameters"].keys() == {"study"}
        there_env = there["work_pool"]["job_variables"]["env"]
        assert settings_for(study.study.state) == {**there_env, "PREFECT_HOME": str(study.study.state / "prefect")}
        # An entry point that is not there would only show by night.
        assert import_object(str(each.entrypoint)).name == each.flow_name
    assert {each.flow_name for each in ours.values()} == set(FLOWS)


def test_the_night_alone_has_a_schedule_in_the_hospitals_time_zone(
    study: LightStudy, written: dict[str, dict[str, Any]]
) -> None:
    scheduled = {each.name: [(s.schedule.cron, s.schedule.timezone) for s in each.schedules or []] for each in deployments_of(study.study, CRON)}  # type: ignore[union-attr]  # ours are of cron's kind  # fmt: skip
    zone = study.params.study.timezone
    assert {name: found for name, found in scheduled.items() if found} == {"nightly": [(CRON, zone)]}
    assert written["nightly"]["schedules"] == [{"cron": CRON, "timezone": zone}]


def test_a_label_keeps_two_studies_of_one_server_apart(study: LightStudy) -> None:
    assert {each.name.split("-", 1)[0] for each in deployments_of(study.study, CRON, "trial")} == {"trial"}


def test_a_back_fill_can_be_told_no_text_of_ones_own(study: LightStudy) -> None:
    (told,) = (each for each in deployments_of(study.study, CRON) if each.name == "backfill")
    assert told.enforce_parameter_schema
    fields = told._parameter_openapi_schema.properties
    free = {name for name, field in fields.items() if name != "study" and not _is_bound(field)}
    assert free == set()


def _is_bound(field: dict[str, Any]) -> bool:
    kinds = [kind.get("items", kind) for kind in field.get("anyOf", [field])]
    return all("enum" in kind or "pattern" in kind or kind["type"] == "null" for kind in kinds)


def test_what_the_forms_offer_is_what_there_is() -> None:
    assert get_args(StageName) == tuple(stage.name for stage in MEDIA_STAGES)
    assert get_args(Reason) == REASONS
    assert set(FACE_ENGINES) <= set(get_args(EngineName))


def test_erase_and_verify_are_told_nobody(study: LightStudy) -> None:
    for each in deployments_of(study.study, CRON):
        if each.name in {"erase", "verify"}:
            kinds = {name: field["type"] for name, field in each._parameter_openapi_schema.properties.items()}
            assert kinds.pop("study") == "string"
            assert set(kinds.values()) == {"boolean"}


def test_an_erasure_looks_into_every_server_that_the_study_was_entered_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PREFECT_HOME", raising=False)
    assert traces_elsewhere(tmp_path) == ()
    for home in ("b", "a", "b"):
        note_server(tmp_path, tmp_path / home)
    assert traces_elsewhere(tmp_path) == (tmp_path / "a", tmp_path / "b")
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "c"))
    assert traces_elsewhere(tmp_path) == tuple(tmp_path / name for name in "abc")


def test_the_schedule_of_the_parameters_file_is_the_default() -> None:
    assert re.search(rf"^  cron: {re.escape(CRON)}$", (ROOT / "params.yaml").read_text(), re.MULTILINE)
