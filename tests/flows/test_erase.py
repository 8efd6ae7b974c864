"""Withdrawal and erasure as people meet them: by the night, by the command line, and when the hospital sends it again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.study import Study
from tests.flows.conftest import ask, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow

Ingest = Callable[[Study], dict[str, Any]]
WITHDRAWN = "2026-03-01T09:00:00+01:00"


@pytest.fixture(scope="module")
def ingest(prefect_server: dict[str, str]) -> Ingest:
    def run(study: Study) -> dict[str, Any]:
        done = painlake("ingest", "--json", "--study", study.root, env=prefect_server, check=False)
        assert done.stdout, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    return run


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory, ingest: Ingest) -> Study:
    root = tmp_path_factory.mktemp("erasure") / "study"
    painlake("init", root, "--remote", root.parent / "remote")
    register(root / "landing", "PT-8101", "PT-8102", "PT-8103")
    for number in (1, 2, 3):
        deliver(root / "landing", Delivery(f"PT-810{number}", "V1", f"film-{number}.mp4", film_face(seed=number)))
    assert ingest(Study(root))["version"] == "v0001"
    return Study(root)


@pytest.fixture(scope="module")
def waiting(published: Study, ingest: Ingest) -> dict[str, Any]:
    """The night after the first person took back consent."""
    consent = published.root / "landing" / "consent.csv"
    consent.write_text(consent.read_text() + f"PT-8101,{WITHDRAWN},withdrawn,ai_research\n")
    return ingest(published)


def test_who_takes_back_consent_is_listed_and_waits(published: Study, waiting: dict[str, Any]) -> None:
    (pseudonym,) = waiting["to_erase"]
    assert (published.lake / pseudonym).is_dir()
    assert pseudonym in painlake("status", "--study", published.root).stdout


@pytest.fixture(scope="module")
def erased(published: Study, waiting: dict[str, Any], prefect_server: dict[str, str]) -> dict[str, Any]:
    """The person is erased by hand."""
    words = ("erase", "PT-8101", "--reason", "consent withdrawn", "--yes", "--json", "--study", published.root)
    receipt: dict[str, Any] = json.loads(painlake(*words, env=prefect_server).stdout)
    return receipt


def test_the_command_erases_and_verify_passes(
    published: Study, waiting: dict[str, Any], erased: dict[str, Any], prefect_server: dict[str, str]
) -> None:
    (pseudonym,) = waiting["to_erase"]
    assert erased["pseudonym"] == pseudonym
    state = status(published.root)
    assert (state["erased"], state["published"], state["balanced"], state["to_erase"]) == (1, 2, True, [])
    assert ask(published.root, "SELECT count(*) AS n FROM participants") == [{"n": 2}]
    verified = json.loads(painlake("verify", "--json", "--study", published.root).stdout)
    assert verified["ok"], verified["wrong"]
    recording = f"{pseudonym}-".encode()
    for path in Path(prefect_server["PREFECT_HOME"]).rglob("*"):
        assert not path.is_file() or recording not in path.read_bytes(), path


@pytest.fixture(scope="module")
def by_itself(published: Study, erased: dict[str, Any], ingest: Ingest) -> dict[str, Any]:
    """The second person takes back consent, and the night may erase; a film of the first one lands again."""
    text = published.params_file.read_text()
    published.params_file.write_text(text.replace("on_withdrawal: wait", "on_withdrawal: erase"))
    consent = published.root / "landing" / "consent.csv"
    consent.write_text(consent.read_text() + f"PT-8102,{WITHDRAWN},withdrawn,recording\n")
    deliver(published.root / "landing", Delivery("PT-8101", "V2", "back.mp4", film_face(seed=9)))
    return ingest(published)


def test_the_night_erases_by_itself_where_it_may(published: Study, by_itself: dict[str, Any]) -> None:
    assert (by_itself["erased"], by_itself["to_erase"], by_itself["failures"]) == (2, [], [])
    assert ask(published.root, "SELECT count(*) AS n FROM participants") == [{"n": 1}]
    painlake("verify", "--study", published.root)


def test_what_returns_of_an_erased_person_is_known(published: Study, by_itself: dict[str, Any]) -> None:
    listed = json.loads(
        painlake("quarantine", "list", "--code", "ERASED_SUBJECT", "--json", "--study", published.root).stdout
    )
    assert [entry["kind"] for entry in listed] == ["media"]
    assert not (published.quarantine / f"{listed[0]['delivery']}.age").exists()
    assert by_itself["reasons"]["ERASED_SUBJECT"] > 1
    assert by_itself["balanced"]


def test_an_erased_persons_copy_in_landing_is_left_alone(
    published: Study, by_itself: dict[str, Any], ingest: Ingest
) -> None:
    assert ingest(published)["outcome"] == "nothing new"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["PT-8103"], "--reason"),
        (["PT-8103", "--reason", "asked"], "--yes"),
        (["PT-9999", "--reason", "asked", "--yes"], "no such ID"),
    ],
)
def test_wrong_use_is_one_line(published: Study, words: list[str], said: str) -> None:
    done = painlake("erase", *words, "--study", published.root, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "PT-8103" not in done.stderr
