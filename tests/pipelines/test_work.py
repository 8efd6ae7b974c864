from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import polars as pl
import pyrage
import pytest

from pipelines.engine import Engine
from pipelines.errors import Reason, Rejection
from pipelines.params import Params
from pipelines.parquet import read_provenance
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.stages import Inputs, Measured, MediaStage
from pipelines.work import Unit, do_unit, finished, key_of
from tests.pipelines.video_factory import RECORDING

if TYPE_CHECKING:
    import av

IDENTITY = pyrage.x25519.Identity.generate()
FRAME = pl.DataFrame({"recording": [RECORDING.recording], "value": [1.5]})


class Counting:
    """A stage that notes how often it measured, and what it was given."""

    def __init__(self) -> None:
        self.seen: list[bytes] = []

    def measure(self, inputs: Inputs, _: Recording, __: Params) -> Measured:
        self.seen.append(inputs.media())
        return Measured({"": FRAME, ".more": FRAME.clear()}, (Reason("NOISY", "5 dB"),))


@pytest.fixture
def counting() -> Counting:
    return Counting()


Measure = Callable[[Inputs, Recording, Params], Measured]


def stage_of(measure: Measure, name: str = "quality", needs: tuple[str, ...] = ()) -> MediaStage:
    endings = ("", ".more") if name == "quality" else ("",)
    return MediaStage(
        name, name, endings, "pipelines.calendar", (), needs, measure, lambda _: Engine("made up", "1", None)
    )


@pytest.fixture
def lake(tmp_path: Path, counting: Counting, monkeypatch: pytest.MonkeyPatch) -> Path:
    def second(inputs: Inputs, _: Recording, __: Params) -> Measured:
        return Measured({"": inputs.table("quality").with_columns(value=pl.col("value") * 2)})

    stages = (stage_of(counting.measure), stage_of(second, "align", ("quality",)))
    monkeypatch.setattr("pipelines.stages.MEDIA_STAGES", stages)
    folder = recordings_folder(tmp_path, RECORDING.participant)
    folder.mkdir(parents=True)
    (folder / f"{RECORDING.recording}.age").write_bytes(pyrage.encrypt(b"the film", [IDENTITY.to_public()]))
    return tmp_path


def unit(lake: Path, key: str = "key", stage: str = "quality") -> Unit:
    return Unit(stage, RECORDING, lake, Params(), key, str(IDENTITY))


def files(lake: Path) -> dict[str, bytes]:
    folder = lake / RECORDING.participant / "quality"
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def test_a_unit_measures_the_decrypted_film_and_leaves_files_that_say_what_made_them(
    lake: Path, counting: Counting
) -> None:
    done = do_unit(unit(lake))
    assert counting.seen == [b"the film"]
    assert (done.stage, done.recording, done.key) == ("quality", RECORDING.recording, "key")
    assert done.reasons == (Reason("NOISY", "5 dB"),)
    folder = lake / RECORDING.participant / "quality"
    assert sorted(files(lake)) == [f"{RECORDING.recording}.more.parquet", f"{RECORDING.recording}.parquet"]
    assert pl.read_parquet(folder / f"{RECORDING.recording}.parquet").equals(FRAME)
    provenance = read_provenance(folder / f"{RECORDING.recording}.more.parquet")
    assert provenance is not None
    assert (provenance["key"], provenance["engine"]) == ("key", "made up")


def test_what_is_there_under_the_same_key_is_not_measured_again(lake: Path, counting: Counting) -> None:
    first = do_unit(unit(lake))
    before = files(lake)
    again = do_unit(unit(lake))
    assert again == first
    assert first.cpu_s > again.cpu_s == 0
    assert len(counting.seen) == 1
    assert files(lake) == before


def test_another_key_measures_again(lake: Path, counting: Counting) -> None:
    do_unit(unit(lake))
    assert do_unit(unit(lake, "other")).key == "other"
    assert len(counting.seen) == 2


@pytest.mark.parametrize("ending", ["", ".more"])
def test_half_of_a_killed_run_is_measured_again_to_the_same_bytes(lake: Path, counting: Counting, ending: str) -> None:
    first = do_unit(unit(lake))
    before = files(lake)
    (lake / RECORDING.participant / "quality" / f"{RECORDING.recording}{ending}.parquet").unlink()
    assert do_unit(unit(lake)) == first
    assert files(lake) == before
    assert len(counting.seen) == 2


def test_files_of_two_keys_are_no_result(lake: Path) -> None:
    do_unit(unit(lake))
    path = lake / RECORDING.participant / "quality" / f"{RECORDING.recording}.more.parquet"
    kept = path.read_bytes()
    do_unit(unit(lake, "other"))
    path.write_bytes(kept)
    assert finished(stage_of(Counting().measure), lake, RECORDING) is None


def test_a_stage_of_tables_needs_no_film_and_no_key(lake: Path) -> None:
    do_unit(unit(lake))
    do_unit(replace(unit(lake, stage="align"), identity=""))
    made = pl.read_parquet(lake / RECORDING.participant / "align" / f"{RECORDING.recording}.parquet")
    assert made["value"].to_list() == [3.0]


def test_a_refused_recording_leaves_no_file(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Measured:
        raise Rejection("TRUNCATED", "half")

    monkeypatch.setattr("pipelines.stages.MEDIA_STAGES", (stage_of(refuse),))
    with pytest.raises(Rejection):
        do_unit(unit(lake))
    assert files(lake) == {}


def test_what_is_finished_is_told_from_what_is_not(lake: Path, counting: Counting) -> None:
    stage = stage_of(counting.measure)
    assert finished(stage, lake, RECORDING) is None
    done = do_unit(unit(lake))
    assert finished(stage, lake, RECORDING) == done
    assert finished(stage, lake, RECORDING, "key") == done
    assert finished(stage, lake, RECORDING, "other") is None


def test_a_units_key_is_that_of_its_inputs(lake: Path, counting: Counting) -> None:
    stage = stage_of(counting.measure, "align", ("quality",))
    keys = {key_of(stage, RECORDING, Params(), {"quality": sha256}) for sha256 in ("a", "b", "a")}
    assert len(keys) == 2


def test_the_persons_key_is_never_shown(lake: Path) -> None:
    assert "AGE-SECRET-KEY" not in repr(unit(lake))


class Led:
    """A stage that goes along another one, or does it by itself."""

    def __init__(self) -> None:
        self.alone = 0
        self.frames: list[float] = []

    def measure(self, inputs: Inputs, _: Recording, __: Params) -> Measured:
        inputs.media()
        self.alone += 1
        return Measured({"": FRAME})

    def take(self, decoded: object, timestamp_s: float) -> None:  # noqa: ARG002 - of the protocol
        self.frames.append(timestamp_s)

    def measured(self) -> Measured:
        return Measured({"": FRAME}, (Reason("NO_FACE", "none"),))


@pytest.fixture
def led() -> Led:
    return Led()


@pytest.fixture
def two_stages(lake: Path, led: Led, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Two stages, of which the first shows two frames to the second, and gives these reasons."""

    def enter(*reasons: Reason, goes_along: bool = True) -> None:
        def leading(inputs: Inputs, _: Recording, __: Params) -> Measured:
            for timestamp_s in (0.0, 0.04):
                if inputs.taker is not None:
                    inputs.taker.take(cast("av.VideoFrame", None), timestamp_s)
            return Measured({"": FRAME, ".more": FRAME.clear()}, reasons)

        begin = (lambda *_: lambda: led) if goes_along else (lambda *_: None)
        stages = (
            replace(stage_of(leading), leads="face"),
            replace(stage_of(led.measure, "face"), along=begin),
        )
        monkeypatch.setattr("pipelines.stages.MEDIA_STAGES", stages)

    return enter


def face_files(lake: Path) -> list[str]:
    folder = lake / RECORDING.participant / "face"
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_stage_that_goes_along_has_its_files_and_its_key(
    lake: Path, led: Led, two_stages: Callable[..., None]
) -> None:
    two_stages(Reason("NOISY", "5 dB"))
    done = do_unit(replace(unit(lake), along="its key"))
    assert (done.stage, done.key, done.reasons) == ("quality", "key", (Reason("NOISY", "5 dB"),))
    assert done.along is not None
    assert (done.along.stage, done.along.key, done.along.reasons) == ("face", "its key", (Reason("NO_FACE", "none"),))
    assert led.frames == [0.0, 0.04]
    # By itself it finds what it left, and measures nothing.
    assert do_unit(unit(lake, "its key", "face")) == done.along
    assert led.alone == 0


def test_what_the_leading_stage_refuses_leaves_nothing_of_the_other(
    lake: Path, led: Led, two_stages: Callable[..., None]
) -> None:
    two_stages(Reason("TRUNCATED", "half"))
    done = do_unit(replace(unit(lake), along="its key"))
    assert led.frames
    assert done.along is None
    assert face_files(lake) == []


def test_without_being_asked_nothing_goes_along(lake: Path, led: Led, two_stages: Callable[..., None]) -> None:
    two_stages()
    assert do_unit(unit(lake)).along is None
    assert led.frames == []
    assert face_files(lake) == []


def test_a_stage_that_cannot_go_along_is_left_to_its_own_turn(
    lake: Path, led: Led, two_stages: Callable[..., None]
) -> None:
    two_stages(goes_along=False)
    assert do_unit(replace(unit(lake), along="its key")).along is None
    assert do_unit(unit(lake, "its key", "face")).key == "its key"
    assert led.alone == 1
