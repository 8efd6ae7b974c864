"""Messages on a night's end: to whom, when, what is in them, and that none of them ever fails a night."""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread
from typing import Any

import pytest

from pipelines.night_summary import NightSummary, summarise
from pipelines.notify import is_wanted, notify
from pipelines.params_night import NotifyParams
from tests.pipelines.test_night_summary import STATE

PSEUDONYM = "PXXXXXXXX1"
SECRET = "token-of-the-webhook"  # noqa: S105 - what no log may hold


def night(outcome: str = "published", before: dict[str, int] | None = None, event: str = "night") -> NightSummary:
    result = {"outcome": outcome, "version": 2, "failures": []}
    return summarise(event, result, {**STATE, "to_erase": [PSEUDONYM]}, before)


SAME = {"EMPTY_FILE": 2, "TO_ERASE": 1}


@dataclass
class Receiver:
    """An HTTP server that takes what it gets."""

    url: str
    got: list[dict[str, Any]] = field(default_factory=list)
    answer: int = 200


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.got.append(json.loads(body))
            self.send_response(found.answer)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found = Receiver(f"127.0.0.1:{server.server_port}/{SECRET}")
        Thread(target=server.serve_forever, daemon=True).start()
        yield found
        server.shutdown()


@pytest.mark.parametrize(
    ("when", "outcome", "before", "wanted"),
    [
        (("failure",), "published", None, False),
        (("failure",), "failed", SAME, True),
        (("failure",), "held back: 1 critical checks failed", SAME, True),
        (("attention",), "published", None, True),
        (("attention",), "published", SAME, False),
        (("always",), "nothing new", SAME, True),
        ((), "failed", None, False),
    ],
)
def test_when_a_night_is_told(when: tuple[Any, ...], outcome: str, before: dict[str, int] | None, wanted: bool) -> None:  # noqa: FBT001 - a column of the table above
    assert is_wanted(night(outcome, before), NotifyParams(when=when)) is wanted


def test_what_looks_after_a_study_is_told_where_it_fails_alone() -> None:
    assert not is_wanted(night("nothing wrong", None, "verify"), NotifyParams())
    assert is_wanted(night("failed: 1 wrong", None, "verify"), NotifyParams())


def test_a_webhook_gets_counts_codes_and_versions(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHT_HOOK", f"http://{receiver.url}")
    assert notify(night(), NotifyParams(webhook_variable="NIGHT_HOOK")) == 1
    (document,) = receiver.got
    assert (document["outcome"], document["new_version"], document["good"]) == ("published", "v0002", True)
    assert document["fates"]["published"] == 3
    assert {each["code"]: each["count"] for each in document["attention"]} == SAME
    assert "EMPTY_FILE 2" in document["text"]
    assert PSEUDONYM not in json.dumps(document)


def test_apprise_tells_by_its_own_addresses(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHT_APPRISE", f"json://{receiver.url} json://{receiver.url}?one=more")
    assert notify(night("failed"), NotifyParams(apprise_variable="NIGHT_APPRISE")) == 1
    assert len(receiver.got) == 2
    assert receiver.got[0]["title"] == "PainLake night: failed (FAILED)"
    assert receiver.got[0]["type"] == "failure"
    assert PSEUDONYM not in json.dumps(receiver.got)


@pytest.fixture
def post_office() -> Iterator[tuple[int, list[bytes]]]:
    """A mail server that takes one letter; gives its port and what it was told."""
    answers = {b"DATA": b"354 go on", b"QUIT": b"221 bye"}
    told: list[bytes] = []

    class Office(StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 here\r\n")
            inside = False
            for line in self.rfile:
                told.append(line)
                inside = inside and line != b".\r\n"
                if not inside:
                    word = line[:4].upper()
                    self.wfile.write(answers.get(word, b"250 fine") + b"\r\n")
                    inside = word == b"DATA"

    with ThreadingTCPServer(("127.0.0.1", 0), Office) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], told
        server.shutdown()


def test_apprise_sends_e_mail(post_office: tuple[int, list[bytes]], monkeypatch: pytest.MonkeyPatch) -> None:
    port, told = post_office
    address = f"mailto://127.0.0.1:{port}?from=night@example.org&to=engineer@example.org&mode=insecure&format=text"
    monkeypatch.setenv("NIGHT_APPRISE", address)
    assert notify(night("failed"), NotifyParams(apprise_variable="NIGHT_APPRISE")) == 1
    letter = b"".join(told)
    assert b"engineer@example.org" in letter
    assert b"Subject: PainLake night: failed" in letter
    assert PSEUDONYM.encode() not in letter


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("webhook_variable", ""),
        ("webhook_variable", f"http://127.0.0.1:1/{SECRET}"),
        ("webhook_variable", f"ftp://127.0.0.1/{SECRET}"),
        ("webhook_variable", f"http://[{SECRET}"),
        ("apprise_variable", f"nosuch://{SECRET}"),
        ("apprise_variable", f"json://127.0.0.1:1/{SECRET}"),
    ],
)
def test_a_message_that_cannot_be_delivered_is_logged_without_its_address(
    variable: str, address: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NIGHT_TOLD", address)
    monkeypatch.setattr(logging.getLogger("painlake"), "propagate", True)
    with caplog.at_level(logging.DEBUG):
        assert notify(night(), NotifyParams.model_validate({variable: "NIGHT_TOLD", "timeout_s": 2})) == 0
    assert "NIGHT_TOLD" in caplog.text
    assert SECRET not in caplog.text


def test_a_receiver_that_refuses_is_named_by_its_answer(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answer = 403
    monkeypatch.setenv("NIGHT_HOOK", f"http://{receiver.url}")
    monkeypatch.setattr(logging.getLogger("painlake"), "propagate", True)
    assert notify(night(), NotifyParams(webhook_variable="NIGHT_HOOK")) == 0
    assert "answered 403" in caplog.text
    assert SECRET not in caplog.text


def test_one_way_that_fails_keeps_no_other_from_being_tried(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHT_APPRISE", f"json://{receiver.url}")
    told = notify(night(), NotifyParams(webhook_variable="NIGHT_NOWHERE", apprise_variable="NIGHT_APPRISE"))
    assert told == 1
