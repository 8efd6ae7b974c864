"""Our tracker against MediaPipe's own graph, with the same model on the same frames."""

import itertools
from pathlib import Path
from typing import Any, NamedTuple

import mediapipe
import numpy as np
import pytest
from mediapipe.tasks.python import BaseOptions, vision
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.face_geometry import LANDMARKS
from pipelines.face_model import load_model
from pipelines.face_networks import Networks
from pipelines.head_pose import openface_angles
from pipelines.landmarker import Face, open_landmarker
from pipelines.media import video_frames
from pipelines.params_face import FaceParams
from tests.pipelines.video_factory import Image, plain

pytest.importorskip("skimage", reason="the synthetic face is scikit-image's photograph")
from pipelines.synthetic.face import FaceModel

PARAMS = FaceParams()
RECORDINGS = Path(__file__).parents[2] / "../shared/recordings"


def mediapipe_landmarker(mode: Any, faces: int) -> Any:
    return vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=load_model(PARAMS), delegate=BaseOptions.Delegate.CPU),
            running_mode=mode,
            num_faces=faces,
            output_face_blendshapes=True,
            output_facial_transformation_matrixes=True,
        )
    )


def a_picture_of(image: Image) -> Any:
    return mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image))


def theirs(images: list[Image], times_s: list[float]) -> list[Face | None]:
    """What MediaPipe's VIDEO mode sees, as our faces; `stance` has the rotation, `scored` the scores."""
    faces: list[Face | None] = []
    with mediapipe_landmarker(vision.RunningMode.VIDEO, 1) as landmarker:
        for image, time_s in zip(images, times_s, strict=True):
            found = landmarker.detect_for_video(a_picture_of(image), round(time_s * 1000))
            if not found.face_landmarks:
                faces.append(None)
                continue
            height, width = image.shape[:2]
            points = np.array([[each.x, each.y, each.z] for each in found.face_landmarks[0]])
            low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
            faces.append(
                Face(
                    box=np.concatenate((low, high - low)),
                    outside=float(np.any((points[:, :2] < 0) | (points[:, :2] > 1), axis=1).mean()),
                    points=points[list(LANDMARKS)] * (width, height, width),
                    scored=np.array([each.score for each in found.face_blendshapes[0]]),
                    stance=np.asarray(found.facial_transformation_matrixes[0])[:3, :3],
                )
            )
    return faces


class Ours(NamedTuple):
    """A face or none of each frame; of those with one their expression scores and rotations."""

    faces: list[Face | None]
    scores: NDArray[np.float64]
    rotations: NDArray[np.float64]


def ours(images: list[Image], times_s: list[float]) -> Ours:
    landmarker = open_landmarker(PARAMS)
    faces = [landmarker.track(image, time_s) for image, time_s in zip(images, times_s, strict=True)]
    there = [face for face in faces if face is not None]
    return Ours(faces, landmarker.scores(there), landmarker.rotations(np.stack([face.stance for face in there])))


def compare(images: list[Image], times_s: list[float], *, points_px: float, score: float, angle_rad: float) -> None:
    expected, (found, scores, rotations) = theirs(images, times_s), ours(images, times_s)
    assert [face is None for face in found] == [face is None for face in expected]
    pairs = [(a, b) for a, b in zip(found, expected, strict=True) if a is not None and b is not None]
    assert pairs
    assert max(float(np.abs(a.points - b.points)[:, :2].max()) for a, b in pairs) < points_px
    assert float(np.abs(scores - np.stack([b.scored for _, b in pairs])).max()) < score
    assert max(float(np.abs(a.box - b.box).max()) for a, b in pairs) < points_px / 100
    assert max(abs(a.outside - b.outside) for a, b in pairs) < 0.01
    turned = openface_angles(np.stack([b.stance for _, b in pairs]))
    assert float(np.abs(openface_angles(rotations) - turned).max()) < angle_rad


@pytest.fixture(scope="module")
def film() -> list[Image]:
    """A head that moves, speaks and turns, is gone for a while, and comes back elsewhere."""
    person = FaceModel(3, width=480, height=360)
    seen = [person.render({"AU12": 0.1 * i, "AU26": 0.5 * (i % 3), "AU43": float(i == 6)}) for i in range(12)]
    moved = [np.roll(image, 4 * i, axis=1) for i, image in enumerate(seen)]
    return [*moved, *[plain(60, width=480, height=360)] * 3, *[np.roll(image, -30, axis=1) for image in seen[:6]]]


def test_a_film_is_seen_as_mediapipe_sees_it(film: list[Image]) -> None:
    compare(film, [i / 30 for i in range(len(film))], points_px=0.3, score=0.02, angle_rad=0.003)


def test_uneven_times_are_taken_as_mediapipe_takes_them(film: list[Image]) -> None:
    times_s = list(itertools.accumulate([0.5, *([0.02, 0.05, 0.033] * 7)]))[: len(film)]
    compare(film, times_s, points_px=0.3, score=0.02, angle_rad=0.003)


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the real recordings are not at hand")
@pytest.mark.parametrize(("name", "points_px"), [("man_smiling_2s.mp4", 0.2), ("woman_distress.mp4", 1.0)])
def test_real_recordings_are_seen_as_mediapipe_sees_them(name: str, points_px: float) -> None:
    media = (RECORDINGS / name).read_bytes()
    frames = list(itertools.islice(video_frames(media, pixels="rgb", max_width=640), 60))
    compare(
        [frame.image for frame in frames],
        [frame.timestamp_s for frame in frames],
        points_px=points_px,
        score=0.06,
        angle_rad=0.005,
    )


def test_a_fourth_channel_changes_nothing(film: list[Image]) -> None:
    opaque = [np.concatenate((image, np.full((*image.shape[:2], 1), 255, np.uint8)), axis=2) for image in film[:4]]
    times_s = [i / 30 for i in range(4)]
    one, other = ours(film[:4], times_s), ours(opaque, times_s)
    assert np.array_equal(one.scores, other.scores)
    for seen, again in zip(one.faces, other.faces, strict=True):
        assert seen is not None
        assert again is not None
        assert np.array_equal(seen.points, again.points)


def test_each_recording_is_seen_for_the_first_time(film: list[Image]) -> None:
    times_s = [i / 30 for i in range(5)]
    again = [ours(film[:5], times_s).faces for _ in range(2)]
    for one, other in zip(*again, strict=True):
        assert one is not None
        assert other is not None
        assert np.array_equal(one.points, other.points)


@pytest.fixture(scope="module")
def crowd() -> list[Image]:
    """One face, two, two of which one is farther away, and none."""
    person = FaceModel(2, width=480, height=360).render({})
    nobody = plain(90, width=480, height=360)
    far = nobody[:, :240].copy()
    far[90:270] = person[::2, ::2]
    pairs = ((person, nobody), (person, person), (person, far), (nobody, nobody))
    return [np.concatenate(pair, axis=1) for pair in pairs]


def test_faces_are_counted_as_mediapipe_finds_them(crowd: list[Image]) -> None:
    ours_counted = [open_landmarker(PARAMS).count(image, 0.0) for image in crowd]
    with mediapipe_landmarker(vision.RunningMode.IMAGE, 3) as landmarker:
        assert ours_counted == [len(landmarker.detect(a_picture_of(image)).face_landmarks) for image in crowd]
    assert ours_counted == [1, 2, 2, 0]


def test_a_small_face_counts_where_it_is_large_enough_against_the_largest(crowd: list[Image]) -> None:
    landmarker = open_landmarker(PARAMS)
    assert landmarker.count(crowd[2], 0.3) == 2
    assert landmarker.count(crowd[2], 0.7) == 1


def test_the_face_that_is_tracked_is_counted_without_a_second_look(
    crowd: list[Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    landmarker = open_landmarker(PARAMS)
    face = landmarker.track(crowd[1], 0.0)
    looked: list[int] = []
    look = Networks.landmarks

    def counted(networks: Networks, picture: Image) -> tuple[NDArray[np.float64], float]:
        looked.append(1)
        return look(networks, picture)

    monkeypatch.setattr(Networks, "landmarks", counted)
    assert landmarker.count(crowd[1], 0.4, face) == 2
    assert len(looked) == 1


@pytest.mark.parametrize("content", [b"no archive", b"PK\x05\x06" + bytes(18)])
def test_a_model_that_is_no_bundle_is_refused_in_one_line(content: bytes) -> None:
    with pytest.raises(UserError, match="no bundle of MediaPipe's Face Landmarker"):
        Networks(content)
