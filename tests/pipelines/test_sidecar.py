import json
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import Rejection
from pipelines.recording import Task
from pipelines.sidecar import Sidecar, read_sidecar

ZONE = ZoneInfo("Europe/Amsterdam")
WHOLE = {
    "participant_id": "007",
    "visit": "V1",
    "recorded_at": "2026-03-15T10:30:00+01:00",
    "device": "Sony FDR-AX43",
    "language": "nl",
    "sha256": "Ab" * 32,
    "tasks": [
        {"name": "free_speech", "start_s": 4, "end_s": 9.5},
        {"name": "reading", "start_s": 0, "end_s": 4},
    ],
}


def read(**changed: object) -> Sidecar:
    return read_sidecar(json.dumps(WHOLE | changed).encode(), ZONE)


def test_a_whole_sidecar_reads_as_it_stands_with_tasks_in_the_order_of_time() -> None:
    sidecar = read()
    assert (sidecar.participant_id, sidecar.visit, sidecar.safe_device) == ("007", "V1", "Sony FDR-AX43")
    assert sidecar.recorded_at == datetime.fromisoformat("2026-03-15T09:30:00+00:00")
    assert sidecar.plain_tasks == (Task("reading", 0.0, 4.0), Task("free_speech", 4.0, 9.5))


def test_a_byte_order_mark_and_keys_of_other_contracts_are_passed_over() -> None:
    content = b"\xef\xbb\xbf" + json.dumps(WHOLE | {"operator": "Piet Jansen"}).encode()
    assert "Piet" not in repr(read_sidecar(content, ZONE))


def test_a_time_without_offset_is_the_hospitals() -> None:
    assert read(recorded_at="2026-07-15T10:30:00").recorded_at == datetime.fromisoformat("2026-07-15T08:30:00+00:00")


@pytest.mark.parametrize("key", ["device", "language", "sha256", "tasks"])
def test_what_the_contract_calls_optional_may_be_left_out(key: str) -> None:
    values = {name: value for name, value in WHOLE.items() if name != key}
    assert getattr(read_sidecar(json.dumps(values).encode(), ZONE), key) in {None, ()}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{}", b"[" * 100_000])
def test_what_is_no_json_is_invalid(content: bytes) -> None:
    with pytest.raises(Rejection, match="no JSON") as refused:
        read_sidecar(content, ZONE)
    assert refused.value.code == "SIDECAR_INVALID"


@pytest.mark.parametrize("content", [b"null", b"[]", b"7", b'"text"'])
def test_json_that_is_no_sidecar_is_invalid(content: bytes) -> None:
    with pytest.raises(Rejection, match="the document"):
        read_sidecar(content, ZONE)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("participant_id", 7),
        ("participant_id", None),
        ("visit", ["V1"]),
        ("recorded_at", "Piet's birthday"),
        ("recorded_at", "0001-01-01T00:00:00+14:00"),
        ("recorded_at", "9999-12-31T23:59:59-12:00"),
        ("sha256", "abc"),
        ("tasks", [{"name": "singing", "start_s": 0, "end_s": 1}]),
        ("tasks", [{"name": "reading", "start_s": 1, "end_s": 1}]),
        ("tasks", [{"name": "reading", "start_s": -1, "end_s": 1}]),
        ("tasks", [{"name": "reading", "start_s": 0, "end_s": "later"}]),
        ("tasks", [{"name": "reading", "start_s": 0, "end_s": 1}] * 2),
    ],
)
def test_a_value_outside_the_contract_is_named_by_its_key_alone(key: str, value: object) -> None:
    with pytest.raises(Rejection, match=f"^.*{key}") as refused:
        read(**{key: value})
    assert refused.value.code == "SIDECAR_INVALID"
    assert "Piet" not in refused.value.detail
    assert "singing" not in refused.value.detail


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_task_never_lasts_for_ever(number: str) -> None:
    content = json.dumps(WHOLE).replace("9.5", number).encode()
    with pytest.raises(Rejection, match="tasks"):
        read_sidecar(content, ZONE)


@pytest.mark.parametrize("device", ["Jan's iPhone", "camera@ward", "", "Cam 4711007", "x" * 41, None])
def test_a_device_that_may_name_somebody_is_left_out(device: str | None) -> None:
    assert read(device=device, participant_id="4711007").safe_device is None


@pytest.mark.parametrize(
    ("language", "code"),
    [("nl", "nl"), ("NL", "nl"), ("nl-BE", "nl"), ("en_GB", "en"), ("Nederlands", "nl"), ("eng", "en"), ("", None)],
)
def test_languages_have_many_spellings(language: str, code: str | None) -> None:
    assert read(language=language).language_code == code


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_no_value_whatsoever_breaks_the_reader(value: object) -> None:
    for key in WHOLE:
        assert outcome({key: value}) in {"whole", "SIDECAR_INVALID"}


def outcome(changed: dict[str, object]) -> str:
    try:
        sidecar = read(**changed)
    except Rejection as error:
        return error.code
    return "whole" if sidecar.recorded_at.tzinfo is not None else "without time zone"


def test_a_number_of_more_digits_than_python_reads_is_refused_like_any_other_nonsense() -> None:
    content = json.dumps(WHOLE | {"device": "@"}).replace('"@"', "9" * 5000).encode()
    with pytest.raises(Rejection) as refused:
        read_sidecar(content, ZONE)
    assert refused.value.code == "SIDECAR_INVALID"
