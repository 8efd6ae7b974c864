"""`painlake status` as monitors ask it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from flows.cli import app
from pipelines.heartbeat import beat
from pipelines.night_summary import summarise
from pipelines.study import Study
from tests.flows.conftest import painlake
from tests.pipelines.landing_factory import LightStudy


@pytest.fixture
def root(study: LightStudy) -> Path:
    (study.study.root / "dvc.yaml").touch()
    return study.study.root


def asked(root: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["status", *words, "--study", str(root)])
    return done.exit_code, done.stdout


def ran(root: Path, ago: timedelta) -> None:
    at = datetime.now(tz=UTC) - ago
    result: dict[str, Any] = {"outcome": "nothing new", "version": None, "failures": []}
    beat(Study(root), summarise("night", result, None, None), at, at)


def test_a_study_without_a_good_run_is_too_old(root: Path) -> None:
    assert asked(root, "--max-age", "26h") == (1, "no good run yet\n")


@pytest.mark.parametrize(("ago", "code"), [(timedelta(hours=25), 0), (timedelta(hours=27), 1)])
def test_the_exit_code_says_whether_the_last_good_run_is_older(root: Path, ago: timedelta, code: int) -> None:
    ran(root, ago)
    assert asked(root, "--max-age", "26h")[0] == code
    assert len(asked(root, "--max-age", "26h")[1].splitlines()) == 1
    found = json.loads(asked(root, "--max-age", "26h", "--json")[1])
    assert (found["ok"], found["last_good_run"] is None) == (code == 0, False)


def test_metrics_are_what_prometheus_reads(root: Path) -> None:
    ran(root, timedelta(hours=1))
    code, text = asked(root, "--metrics")
    assert code == 0
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"painlake_deliveries", "painlake_last_good_run_timestamp_seconds", "painlake_ledger_balanced"} <= names


@pytest.mark.parametrize("words", [["--metrics", "--json"], ["--metrics", "--max-age", "26h"], ["--max-age", "soon"]])
def test_wrong_use_is_one_line(root: Path, words: list[str]) -> None:
    done = CliRunner().invoke(app, ["status", *words, "--study", str(root)])
    assert (done.exit_code, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


def test_a_monitor_waits_for_no_heavy_library(root: Path) -> None:
    ran(root, timedelta(hours=1))
    done = painlake("status", "--max-age", "26h", "--study", root, env={"PYTHONPROFILEIMPORTTIME": "1"})
    loaded = {line.rsplit("|", 1)[-1].strip() for line in done.stderr.splitlines()}
    assert "pipelines.heartbeat" in loaded
    assert not loaded & {"prefect", "duckdb", "pyarrow", "great_expectations", "boto3", "dvc", "apprise", "av"}
