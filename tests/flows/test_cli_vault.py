"""The commands of vault and audit log: what they say, as text and as JSON, and their exit codes."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from pipelines.study import Study
from pipelines.vault_key import KEY_VARIABLE, read_key
from tests.pipelines.landing_factory import LightStudy


@pytest.fixture
def opened(study: LightStudy) -> Study:
    """A study that `open_study` takes for one."""
    (study.study.root / "dvc.yaml").touch()
    study.vault.enrol("MRN-4711007", study.now.date(), {})
    study.vault.save()
    return study.study


def painlake(study: Study, *arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments), "--study", str(study.root)])


def said(study: Study, *arguments: object) -> Any:
    done = painlake(study, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_check_says_what_there_is_and_what_could_be_better(opened: Study) -> None:
    done = painlake(opened, "vault", "check")
    assert done.exit_code == 0
    assert "the vault opens: 1 people, 1 pseudonyms" in done.stdout
    assert "advice: the master key lies beside the vault" in done.stdout
    found = said(opened, "vault", "check")
    assert (found["opens"], found["people"], found["problems"]) == (True, 1, [])


def test_check_of_a_spoilt_vault_is_1(study: LightStudy, opened: Study) -> None:
    study.vault.people[0].pseudonym = "P000000001"
    study.vault.save()
    done = painlake(opened, "vault", "check")
    assert (done.exit_code, "PROBLEM: the pseudonym P000000001" in done.stdout) == (1, True)


@pytest.mark.parametrize(
    "command", [("vault", "check"), ("vault", "rotate"), ("vault", "backup", "."), ("audit", "verify")]
)
def test_without_its_key_each_is_refused_with_one_line(opened: Study, command: tuple[str, ...]) -> None:
    (opened.vault / "master.key").unlink()
    done = painlake(opened, *command)
    assert (done.exit_code, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
    assert "master.key cannot be read" in done.stderr


@pytest.mark.parametrize(
    "command",
    [("vault", "init"), ("vault", "check"), ("vault", "rotate"), ("vault", "backup", "."), ("audit", "verify")],
)
def test_beside_a_run_each_is_3(opened: Study, command: tuple[str, ...]) -> None:
    with opened.held():
        done = painlake(opened, *command)
    assert (done.exit_code, "RUN_IN_PROGRESS" in done.stderr) == (3, True)


def test_a_vault_is_made_where_there_is_none(opened: Study) -> None:
    assert painlake(opened, "vault", "init").exit_code == 2
    for path in opened.vault.iterdir():
        path.unlink()
    done = painlake(opened, "vault", "init")
    assert (done.exit_code, str(opened.vault / "master.key") in done.stdout) == (0, True)
    assert said(opened, "vault", "check")["people"] == 0


def test_a_backup_and_a_rotation_tell_what_to_do_next(opened: Study, tmp_path: Path) -> None:
    done = painlake(opened, "vault", "backup", tmp_path / "copy.age", "--keep-days", 30)
    assert (done.exit_code, f"{tmp_path / 'copy.age'}\nDelete it by 20" in done.stdout) == (0, True)
    done = painlake(opened, "vault", "rotate")
    assert (done.exit_code, "1 backups were made before" in done.stdout) == (0, True)
    checked = painlake(opened, "vault", "check").stdout
    assert [line.split()[-2:] for line in checked.splitlines() if "copy.age" in line] == [["yes", "no"]]


def test_a_key_of_the_environment_is_rotated_into_a_file(
    opened: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY_VARIABLE, read_key(opened.vault / "master.key"))
    done = painlake(opened, "vault", "rotate")
    assert (done.exit_code, "--new-key-file" in done.stderr) == (2, True)
    done = painlake(opened, "vault", "rotate", "--new-key-file", tmp_path / "new.key")
    assert (done.exit_code, "have the environment name that key" in done.stdout) == (0, True)
    assert painlake(opened, "vault", "check").exit_code == 2
    monkeypatch.setenv(KEY_VARIABLE, read_key(tmp_path / "new.key"))
    assert said(opened, "vault", "check")["people"] == 1


def test_the_audit_log_is_shown_and_verified(opened: Study) -> None:
    assert "no entries yet" in painlake(opened, "audit", "show").stdout
    painlake(opened, "vault", "rotate")
    assert "2 lines, all as they were written" in painlake(opened, "audit", "verify").stdout
    assert [entry["action"] for entry in said(opened, "audit", "show")] == ["vault_rotating", "vault_rotated"]
    assert [entry["seq"] for entry in said(opened, "audit", "show", "--last", "1")] == [2]
    assert "vault_rotated" in painlake(opened, "audit", "show").stdout
    assert said(opened, "audit", "verify") == {
        "sound": True, "entries": 2, "bad_line": None, "problem": None, "note": None,
    }  # fmt: skip


def test_a_bad_line_is_named_and_is_1(opened: Study) -> None:
    painlake(opened, "vault", "rotate")
    lines = opened.audit.read_bytes().splitlines(keepends=True)
    opened.audit.write_bytes(lines[1])
    done = painlake(opened, "audit", "verify")
    assert (done.exit_code, f"line 1 of {opened.audit}: entry 2 stands where 1 should" in done.stdout) == (1, True)
    done = painlake(opened, "audit", "verify", "--json")
    assert (done.exit_code, json.loads(done.stdout)["bad_line"]) == (1, 1)


def test_a_workers_key_is_made_in_a_new_file(tmp_path: Path) -> None:
    key = tmp_path / "worker.key"
    done = CliRunner().invoke(app, ["vault", "worker-key", str(key)])
    assert (done.exit_code, done.stdout) == (
        0,
        f"Set PAINLAKE_WORKER_KEY_FILE={key} for `painlake` and for the workers.\n",
    )
    assert read_key(key).startswith("AGE-SECRET-KEY-")
    before = key.read_bytes()
    assert CliRunner().invoke(app, ["vault", "worker-key", str(key)]).exit_code == 2
    assert key.read_bytes() == before
