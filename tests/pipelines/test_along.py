"""Face goes along quality's pass over the frames: what comes of it is what it gives by itself, or it is given up."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import av
import numpy as np
import polars as pl
import pytest

from pipelines.along import Along, Companion
from pipelines.media import decoded_frames
from pipelines.params import Params, QualityParams
from pipelines.quality_decode import decode
from pipelines.stages import Inputs, Measured, media_stage
from tests.pipelines.video_factory import RECORDING, plain, video, with_packets_overwritten

pytest.importorskip("skimage", reason="the synthetic face is scikit-image's photograph")
from pipelines.synthetic.face import FaceModel

PICTURE = cast("av.VideoFrame", None)
"""A stand-in of a stage looks at times alone."""


class Times:
    """A stage that notes when its frames were."""

    def __init__(self) -> None:
        self.times_s: list[float] = []

    def take(self, decoded: av.VideoFrame, timestamp_s: float) -> None:  # noqa: ARG002 - of the protocol
        self.times_s.append(timestamp_s)

    def measured(self) -> Measured:
        return Measured({"": pl.DataFrame({"timestamp_s": self.times_s})})


def companion(begin: Callable[[], Along] = Times, **limits: float) -> Companion:
    return Companion(begin, **{"longest_s": 60.0, "most_cpu_s": 60.0} | limits)


def times_of(measured: Measured | None) -> list[float] | None:
    return None if measured is None else measured.tables[""]["timestamp_s"].to_list()


class Watching(Companion):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__(Times, 60.0, 60.0)
        self.seen: list[tuple[float, bytes]] = []
        self.ended_early = False

    def take(self, decoded: av.VideoFrame, timestamp_s: float) -> None:
        self.seen.append((timestamp_s, decoded.to_ndarray(format="rgb24").tobytes()))

    def give_up(self) -> None:
        self.ended_early = True


SOUND = (0.5 * np.sin(np.arange(16_000) / 5)).astype(np.float32)
FILMS = {
    "plain": video([plain(20 * i) for i in range(10)], sound=SOUND),
    "uneven": video([plain(20 * i) for i in range(6)], [0.0, 0.04, 0.05, 0.2, 0.21, 0.5]),
    "turned": video([plain(20 * i) for i in range(6)], rotation_deg=90, sound=SOUND),
    "damaged": with_packets_overwritten(video([plain(8 * i) for i in range(20)], sound=SOUND), {7, 8}),
}


@pytest.mark.parametrize("media", FILMS.values(), ids=FILMS)
def test_qualitys_pass_shows_the_frames_that_face_would_decode(media: bytes) -> None:
    watching = Watching()
    decode(media, QualityParams(), watching)
    alone = [(timestamp_s, frame.to_ndarray(format="rgb24").tobytes()) for frame, timestamp_s in decoded_frames(media)]
    assert watching.seen == alone
    assert not watching.ended_early


def test_a_container_that_breaks_is_left_to_faces_own_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Iterator[Any]:
        yield from ()
        raise av.error.InvalidDataError(1, "damaged")

    monkeypatch.setattr("pipelines.quality_decode.read_packets", broken)
    watching = Watching()
    decode(FILMS["plain"], QualityParams(), watching)
    assert watching.ended_early


def test_face_along_gives_the_table_that_face_gives_alone() -> None:
    person = FaceModel(2, width=480, height=360)
    seen = [person.render({"AU12": 0.05 * i, "AU43": float(i % 9 == 4)}) for i in range(70)]
    media = video([*seen[:40], *[plain(90, width=480, height=360)] * 3, *seen[40:]], sound=SOUND)
    params, face, quality = Params(), media_stage("face"), media_stage("quality")
    begin = face.along(RECORDING, params)
    assert begin is not None
    going = companion(begin)
    inputs = Inputs(lambda: media, lambda _: pl.DataFrame())
    led = quality.measure(Inputs(inputs.media, inputs.table, going), RECORDING, params)
    along, alone = going.measured(), face.measure(inputs, RECORDING, params)
    assert along is not None
    assert along.tables[""].equals(alone.tables[""])
    assert along.reasons == alone.reasons
    assert alone.tables[""]["face_found"].sum() == 70
    assert led.tables[""].equals(quality.measure(inputs, RECORDING, params).tables[""])


@pytest.mark.parametrize(("engine", "can"), [("mediapipe", True), ("openface", False), ("pyfeat", False)])
def test_only_an_engine_that_takes_frame_by_frame_goes_along(engine: str, can: bool) -> None:  # noqa: FBT001 - a parameter of the test
    params = Params.model_validate({"face": {"engine": engine}})
    assert (media_stage("face").along(RECORDING, params) is not None) == can


def test_all_frames_are_taken() -> None:
    going = companion()
    for timestamp_s in (0.0, 0.5, 1.0):
        going.take(PICTURE, timestamp_s)
    assert times_of(going.measured()) == [0.0, 0.5, 1.0]


def test_without_frames_there_is_nothing() -> None:
    assert companion().measured() is None


def test_a_film_that_will_be_refused_for_its_length_is_not_measured_on() -> None:
    stage = Times()
    going = companion(lambda: stage, longest_s=1.0)
    for timestamp_s in (0.0, 1.0, 1.1, 0.9):
        going.take(PICTURE, timestamp_s)
    assert stage.times_s == [0.0, 1.0]
    assert going.measured() is None


def test_what_would_leave_the_earlier_stage_no_time_is_given_up() -> None:
    going = companion(most_cpu_s=2.0)
    going.take(PICTURE, 0.0)
    going.decoded_in(2.5)
    going.take(PICTURE, 0.1)
    assert going.measured() is None


def test_decoding_counts_as_its_own_computing() -> None:
    going = companion()
    going.decoded_in(1.5)
    going.take(PICTURE, 0.0)
    assert going.cpu_s >= 1.5


class Failing(Times):
    """Breaks at its second frame."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    def take(self, decoded: av.VideoFrame, timestamp_s: float) -> None:
        super().take(decoded, timestamp_s)
        if len(self.times_s) == 2:
            raise self.error


def test_what_fails_does_not_take_the_earlier_stage_with_it() -> None:
    going = companion(lambda: Failing(ValueError("no such face")))
    for timestamp_s in (0.0, 0.5, 1.0):
        going.take(PICTURE, timestamp_s)
    assert going.measured() is None


class FailingAtTheEnd(Times):
    """Breaks once all frames are taken."""

    def measured(self) -> Measured:
        raise ValueError("no such face")


def test_what_fails_at_the_end_does_not_either() -> None:
    going = companion(FailingAtTheEnd)
    going.take(PICTURE, 0.0)
    assert going.measured() is None


def test_a_worker_without_memory_says_so_at_once() -> None:
    going = companion(lambda: Failing(MemoryError()))
    going.take(PICTURE, 0.0)
    with pytest.raises(MemoryError):
        going.take(PICTURE, 0.5)
