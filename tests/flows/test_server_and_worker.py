"""A study at a Prefect server of its own life, with a process worker: what is served, shown, killed, and taken up again."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pipelines.study import Study
from tests.flows.conftest import PAINLAKE, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow

IDENTITIES = (b"PT-8201", b"PT-8202", b"1960-04-02", b"Grootenboer", b"MRN-of-the-letter")


def wait_until(what: Callable[[], bool], limit_s: float = 300.0) -> None:
    until = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(1)


@dataclass
class House:
    """A study, and a server with a worker for it that can be killed and started again."""

    study: Study
    data: Path
    port: int
    running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    said: str = ""

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def env(self) -> dict[str, str]:
        return {"PREFECT_API_URL": self.api}

    def start(self, name: str, *words: str) -> None:
        with (self.data.parent / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [str(PAINLAKE), *words, "--study", str(self.study.root)],
                env={**os.environ, **self.env}, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def serve(self) -> None:
        self.start("server", "server", str(self.data), "--port", str(self.port))
        wait_until(lambda: self.ask("/health") is True)

    def stop(self, name: str, how: signal.Signals) -> None:
        process = self.running.pop(name, None)
        if process is not None:
            os.killpg(process.pid, how)
            process.wait(timeout=90)

    def ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            self.api + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return {"refused": error.code}
        except OSError:
            return None

    def order(self, deployment: str, **parameters: Any) -> dict[str, Any]:
        """Have a deployment run; gives the run, or the refusal."""
        known = self.ask(f"/deployments/name/{deployment}")
        wanted = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        answer: dict[str, Any] = self.ask(f"/deployments/{known['id']}/create_flow_run", wanted)
        return answer

    def state(self, run: dict[str, Any]) -> str:
        found = self.ask(f"/flow_runs/{run['id']}")
        return str(found["state_name"]) if found else ""

    def ended(self, run: dict[str, Any]) -> str:
        """How a run ended, once it has."""
        wait_until(lambda: self.state(run) in {"Completed", "Skipped", "Failed", "Crashed", "Cancelled"})
        return self.state(run)

    def runs(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("/flow_runs/filter", {"flow_runs": {"name": {"any_": [name]}}})
        return found


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("house")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    study = Study(folder / "study")
    painlake("init", study.root)
    register(study.root / "landing", "PT-8201", "PT-8202")
    deliver(study.root / "landing", Delivery("PT-8201", "V1", "Grootenboer.mp4", film_face(seed=1)))
    found = House(study, folder / "server", port)
    try:
        found.serve()
        yield found
    finally:
        found.stop("worker", signal.SIGTERM)
        found.stop("server", signal.SIGTERM)


@pytest.fixture(scope="module")
def first(house: House) -> House:
    """Entered at the server, which finds that a night was missed; two more are ordered before there is a worker."""
    house.said = painlake("deploy", "--study", house.study.root, env=house.env).stdout
    runs = [house.order("painlake-ingest/nightly") for _ in range(2)]
    house.start("worker", "worker")
    wait_until(lambda: len(house.runs("ingest")) == 1 and house.ended(house.runs("ingest")[0]) == "Completed")
    for run in runs:
        house.ended(run)
    return house


def test_a_missed_night_is_made_up_for_once(first: House) -> None:
    assert "a night was missed" in first.said
    wanted = {"deployments": {"name": {"any_": ["nightly"]}}, "flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
    done = first.ask("/flow_runs/filter", wanted)
    assert sorted(run["state_name"] for run in done) == ["Completed", "Skipped", "Skipped"]
    state = status(first.study.root)
    assert (state["version"], state["published"], state["balanced"]) == ("v0001", 1, True)


def test_the_pages_show_each_recordings_stages_by_pseudonym(first: House) -> None:
    (recording,) = (path.stem for path in first.study.lake.glob("*/recordings/*.json"))
    shown = {task["name"] for task in first.ask("/task_runs/filter", {})}
    stages = ("pseudonymise", "quality", "face", "voice", "align")
    assert {recording, *(f"{stage} {recording}" for stage in stages)} <= shown


def test_the_nights_summary_is_an_artifact_with_a_table_and_links(first: House) -> None:
    found = {each["key"]: each for each in first.ask("/artifacts/filter", {})}
    page = found["painlake-night"]["data"]
    assert "| published | 1 |" in page
    assert f"]({(first.study.reports / 'validation.json').as_uri()})" in page
    assert "`painlake quarantine list" in page
    rows = json.loads(found["painlake-night-table"]["data"])
    assert {"kind": "fate", "what": "published", "count": 1, "next step": ""} in rows


def test_the_server_forgets_runs_of_long_ago(first: House) -> None:
    vacuum = first.ask("/admin/settings")["server"]["services"]["db_vacuum"]
    assert set(vacuum["enabled"]) == {"events", "flow_runs"}
    assert vacuum["retention_period"] == "P90D"


def test_the_schedule_stands_at_the_server_in_the_hospitals_time_zone(first: House) -> None:
    (schedule,) = first.ask("/deployments/name/painlake-ingest/nightly")["schedules"]
    assert (schedule["schedule"]["cron"], schedule["schedule"]["timezone"]) == ("0 2 * * *", "Europe/Amsterdam")


@pytest.mark.parametrize(
    "parameters",
    [
        {"stage": "face", "recordings": ["PT-8201"]},
        {"stage": "face", "reason": "MRN-of-the-letter"},
        {"stage": "MRN-of-the-letter"},
        {"stage": "face", "engine": "MRN-of-the-letter"},
    ],
)
def test_the_server_refuses_a_back_fill_that_names_anybody(first: House, parameters: dict[str, Any]) -> None:
    assert first.order("painlake-backfill/backfill", **parameters) == {"refused": 409}


def test_a_back_fill_measures_again_and_changes_nothing_that_was_right(first: House) -> None:
    (table,) = first.study.lake.glob("*/face/*.parquet")
    before, at = table.read_bytes(), table.stat().st_mtime_ns
    run = first.order("painlake-backfill/backfill", stage="face", recordings=[table.stem], reason="output damaged")
    assert first.ended(run) == "Completed"
    assert (table.read_bytes(), table.stat().st_mtime_ns > at) == (before, True)
    assert status(first.study.root)["version"] == "v0001"


@pytest.fixture(scope="module")
def second(first: House) -> House:
    """Server and worker are killed while a recording is measured; both are started again."""
    deliver(first.study.root / "landing", Delivery("PT-8202", "V1", "second.mp4", film_face(seed=2)))
    first.order("painlake-ingest/nightly")
    wait_until(lambda: len(list(first.study.lake.glob("*/recordings/*.json"))) == 2)
    for name in ("server", "worker"):
        first.stop(name, signal.SIGKILL)
    wait_until(lambda: not first.study.is_held(), 120)
    first.serve()
    first.start("worker", "worker")
    first.said = first.ended(first.order("painlake-ingest/new-deliveries"))
    return first


def test_the_run_after_a_killed_server_and_worker_gets_all_done(second: House) -> None:
    assert second.said == "Completed"
    state = status(second.study.root)
    assert (state["version"], state["published"], state["balanced"]) == ("v0002", 2, True)
    assert "Crashed" in {run["state_name"] for run in second.runs("ingest")}
    assert "Running" not in {run["state_name"] for run in second.runs("ingest")}


def test_a_run_that_finds_the_study_held_waits_and_shows_it(second: House) -> None:
    with second.study.held():
        run = second.order("painlake-verify/verify", quick=True)
        wait_until(lambda: second.state(run) == "WaitingForStudy")
    assert second.ended(run) == "Completed"
    found = {each["key"]: each["data"] for each in second.ask("/artifacts/filter", {})}
    assert "Nothing is wrong" in found["painlake-verify"]


@pytest.fixture(scope="module")
def erased(second: House) -> House:
    words = ("erase", "PT-8202", "--reason", "asked by letter", "--yes", "--later")
    second.said = painlake(*words, "--study", second.study.root).stdout
    assert second.ended(second.order("painlake-erase/erase")) == "Completed"
    return second


def test_an_erasure_that_was_entered_is_carried_out_and_leaves_the_servers_database(erased: House) -> None:
    pseudonym = erased.said.split()[0]
    state = status(erased.study.root)
    assert (state["erased"], state["published"], state["erasing"]) == (1, 1, [])
    assert (erased.study.state / "receipts" / f"{pseudonym}.json").is_file()
    assert [path for path in erased.data.rglob("*") if path.is_file() and pseudonym.encode() in path.read_bytes()] == []


def test_no_identity_is_in_anything_that_server_and_worker_keep(erased: House) -> None:
    erased.stop("worker", signal.SIGTERM)
    erased.stop("server", signal.SIGTERM)
    kept = [path for path in erased.data.parent.rglob("*") if path.is_file()]
    aside = (erased.study.root / "landing", erased.study.vault)
    searched = [path for path in kept if not any(path.is_relative_to(folder) for folder in aside)]
    assert erased.data / "prefect.db" in searched
    assert [(path, who) for path in searched for who in IDENTITIES if who in path.read_bytes()] == []
