"""The speed benchmark's own sums, its films, and what it prints; what it measures needs minutes and a quiet machine."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from benchmarks import kernels, speed
from benchmarks.deliveries import Batch, Camera, films, seconds_of, study_of, tasks_of
from benchmarks.nights import Night, phases_of, stages_of
from pipelines.discover import Candidate
from pipelines.media import video_frames
from pipelines.night import Night as RunNight

SMALL = Batch(2, 2.0, Camera(120, 10), clip_s=1.0)

pytest.importorskip("parselmouth", reason="synthetic patients speak with Praat")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return films(tmp_path_factory.mktemp("films"), SMALL)


def test_a_film_repeats_its_clip_without_a_gap_in_time(made: list[Path]) -> None:
    times_s = [frame.timestamp_s for frame in video_frames(made[0].read_bytes(), pixels="luma")]
    assert len(times_s) == 20
    np.testing.assert_allclose(np.diff(times_s), 0.1, atol=1e-6)
    assert tasks_of(made[0])[-1].end_s == 2.0
    assert seconds_of(made) == pytest.approx(4, abs=0.1)


def test_films_differ_and_are_made_once(made: list[Path]) -> None:
    assert made[0].read_bytes() != made[1].read_bytes()
    before = [path.stat().st_mtime_ns for path in made]
    assert [path.stat().st_mtime_ns for path in films(made[0].parent.parent, SMALL)] == before


def test_a_film_of_no_whole_number_of_clips_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="whole number of clips"):
        films(tmp_path, Batch(1, 2.5, Camera(120, 10), clip_s=1.0))


def test_every_film_of_a_delivered_study_is_accepted(made: list[Path], tmp_path: Path) -> None:
    study = study_of(tmp_path / "study", made, workers=2)
    assert study.params().study.workers == 2
    night = RunNight.open(study)
    try:
        found = night.look()
        night.take_tables(found)
        assert all(isinstance(each, Candidate) for each in found.candidates)
        assert [night.judge(each) is not None for each in found.candidates] == [True, True]
    finally:
        night.close()


def test_the_rest_is_what_is_neither_face_nor_voice() -> None:
    night = Night(60.0, 100.0, {"face": 60.0, "voice": 30.0, "quality": 5.0}, {}, 0.0)
    assert night.rest_share == pytest.approx(0.1)
    assert night.rest_share_of_clock(2) == pytest.approx(0.25)


def test_a_night_is_read_from_what_it_says() -> None:
    log = "INFO computed: face 1.0 s\nINFO run ended\nINFO computed: align 0.2 s, face 12.5 s\nINFO run ended: published\n"
    assert stages_of(log) == {"align": 0.2, "face": 12.5}
    assert stages_of("INFO run ended: nothing new") == {}
    assert phases_of("[    2 s] starting Prefect\n[   20 s] measuring recordings 3/120\n") == {
        "starting Prefect": 2.0,
        "measuring recordings": 20.0,
    }


def test_the_tracker_needs_the_detector_only_where_it_has_no_face() -> None:
    calls = kernels.calls_of([True, False, False, True, True], [2.0, None, None, 0.0, None])
    assert calls.detector == pytest.approx((1 + 2 + 2) / 5)
    assert calls.landmarks == pytest.approx((3 + 1) / 5)
    assert calls.scores == pytest.approx(3 / 5)


def test_each_kernel_counts_as_often_as_it_runs() -> None:
    alone = {kernels.DETECTOR: 1.0, kernels.LANDMARKS: 4.0, kernels.SCORES: 0.5}
    assert kernels.sum_ms(alone, kernels.Calls(0.1, 1.1, 1.0)) == pytest.approx(0.1 + 4.4 + 0.5)


def test_a_figure_says_what_is_to_be_reached_and_whether_it_is() -> None:
    assert speed.Figure("query", 100.0, 100.0, "ms").row[1:] == ["at most 100 ms", "100 ms", "yes"]
    assert speed.Figure("query", 100.1, 100.0, "ms").reached is False
    assert speed.Figure("ratio", 1.59, 1.6, "times", at_least=True).row[1:] == [
        "at least 1.6 times",
        "1.59 times",
        "no",
    ]
    assert speed.Figure("told", 3.0, None, "s").row[1:] == ["", "3 s", ""]


@pytest.fixture
def one_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(_: speed.Setting) -> speed.Found:
        return [speed.Figure("query", 90.0, 100.0, "ms")], {"runs": [90.0]}

    parts: Mapping[str, object] = {"query": part}
    monkeypatch.setattr(speed, "PARTS", parts)


def test_it_prints_a_table_and_json_with_the_machine(
    one_part: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert speed.main(["--json", str(tmp_path / "speed.json")]) == 0
    printed = capsys.readouterr().out
    assert "at most 100 ms" in printed
    data = json.loads((tmp_path / "speed.json").read_text(encoding="utf-8"))
    assert data == json.loads(printed[printed.index("\n{") :])
    assert data["machine"]["cores"] >= 1
    assert data["figures"][0]["reached"] is True
    assert data["details"] == {"query": {"runs": [90.0]}}


def test_a_quick_run_holds_nothing_against_what_is_to_be_reached(
    one_part: None, capsys: pytest.CaptureFixture[str]
) -> None:
    speed.main(["--quick"])
    assert "at most" not in capsys.readouterr().out


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        speed.main(["--json", str(tmp_path / "nowhere" / "speed.json")])
    assert stopped.value.code == 2
