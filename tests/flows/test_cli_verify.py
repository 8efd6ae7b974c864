"""`painlake verify` on a study that was never put under git: what is wrong is said, and the exit code tells."""

import json

from typer.testing import CliRunner, Result

from flows.cli import app
from tests.pipelines.landing_factory import LightStudy


def run(study: LightStudy, *options: str) -> Result:
    (study.study.root / "dvc.yaml").touch()
    return CliRunner().invoke(app, ["verify", "--study", str(study.study.root), *options])


def test_what_is_wrong_is_one_line_each_with_what_to_do_and_the_exit_code_is_1(study: LightStudy) -> None:
    done = run(study)
    assert done.exit_code == 1
    assert ".git is damaged" in done.stdout or ".git cannot be read" in done.stdout
    assert done.stdout.splitlines()[-1].endswith("1 wrong")


def test_json_has_the_lines_and_each_finding_in_parts(study: LightStudy) -> None:
    done = run(study, "--json", "--quick")
    document = json.loads(done.stdout)
    assert done.exit_code == 1
    assert {"ok", "checked", "wrong", "findings", "notes"} == document.keys()
    assert document["ok"] is False
    (finding,) = document["findings"]
    assert document["wrong"] == [f"{finding['name']} {finding['problem']}: {finding['remedy']}"]


def test_while_a_run_holds_the_study_it_exits_with_3(study: LightStudy) -> None:
    with study.study.held():
        done = run(study)
    assert done.exit_code == 3
    assert "RUN_IN_PROGRESS" in done.output
