"""A text of its own in each place of a recording that could hold one: it is there before stripping, and gone after."""

import io

import av
import numpy as np
import pytest

from pipelines.media import read_sound, video_frames
from pipelines.strip import strip
from tests.pipelines.canary_factory import FILES, Planted

PLACES = {name: list(make().places) for name, make in FILES.items()}


@pytest.fixture(scope="module", params=FILES)
def planted(request: pytest.FixtureRequest) -> Planted:
    return FILES[request.param]()


def pictures(media: bytes) -> list[bytes]:
    return [frame.image.tobytes() for frame in video_frames(media, pixels="rgb")]


def test_there_are_canaries_enough_in_every_kind_of_container() -> None:
    assert sum(map(len, PLACES.values())) >= 100
    assert {FILES[name]().suffix for name in FILES} == {".mp4", ".mov", ".mkv", ".webm", ".avi", ".wav"}


@pytest.mark.parametrize(("name", "place"), [(name, place) for name in PLACES for place in PLACES[name]])
def test_a_canary_is_there_before_and_gone_after(name: str, place: str) -> None:
    planted = FILES[name]()
    assert planted.places[place] in planted.media
    stripped = strip(planted.media, planted.suffix).media
    assert planted.places[place] not in stripped
    assert planted.places[place][:8] not in stripped


def test_every_picture_and_sample_of_a_planted_recording_stays(planted: Planted) -> None:
    stripped = strip(planted.media, planted.suffix).media
    if planted.suffix != ".wav":
        assert len(pictures(stripped)) >= 4
        assert pictures(stripped) == pictures(planted.media)
    before, after = read_sound(planted.media, 16_000), read_sound(stripped, 16_000)
    assert (before is None) == (after is None)
    if before is not None and after is not None:
        assert np.array_equal(before.samples, after.samples)
        assert len(after.samples) > 1000


def test_only_picture_and_sound_are_streams_of_the_result(planted: Planted) -> None:
    with av.open(io.BytesIO(strip(planted.media, planted.suffix).media), "r") as container:
        assert sorted(stream.type for stream in container.streams) in (["audio"], ["video"], ["audio", "video"])
        assert container.chapters() == []
        assert {name for name in container.metadata if name != "encoder"} <= {
            "major_brand",
            "minor_version",
            "compatible_brands",
        }
        assert not any("title" in stream.metadata for stream in container.streams)
