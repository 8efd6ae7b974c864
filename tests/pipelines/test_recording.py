import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.recording import Recording, Task
from tests.pipelines.video_factory import RECORDING

WHOLE = replace(
    RECORDING,
    device="Sony",
    tasks=(Task("reading", 0.0, 3.5), Task("free_speech", 3.5, 9.25)),
    declared_duration_s=9.3,
    flags=("NOISY", "SUPERSEDES"),
    superseded=True,
)


@pytest.mark.parametrize("recording", [RECORDING, WHOLE])
def test_a_sidecar_reads_back_as_it_was_written(tmp_path: Path, recording: Recording) -> None:
    (tmp_path / "a.json").write_bytes(recording.to_json())
    assert Recording.read(tmp_path / "a.json") == recording


def test_the_same_recording_gives_the_same_bytes_in_a_stable_order() -> None:
    assert WHOLE.to_json() == replace(WHOLE).to_json()
    keys = list(json.loads(WHOLE.to_json()))
    assert keys == sorted(keys)


@given(st.floats(0, 1e4), st.floats(0, 1e4))
def test_times_come_back_to_the_last_bit(start_s: float, end_s: float) -> None:
    tasks = json.loads(replace(RECORDING, tasks=(Task("reading", start_s, end_s),)).to_json())["tasks"]
    assert tasks == [{"name": "reading", "start_s": start_s, "end_s": end_s}]


def test_a_missing_sidecar_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Recording.read(tmp_path / "none.json")


@pytest.mark.parametrize("changed", [{"name": "Piet"}, {"tasks": [{"begin": 0}]}])
def test_keys_that_a_recording_does_not_have_are_an_error(tmp_path: Path, changed: dict[str, object]) -> None:
    (tmp_path / "a.json").write_text(json.dumps(json.loads(WHOLE.to_json()) | changed))
    with pytest.raises(TypeError):
        Recording.read(tmp_path / "a.json")
