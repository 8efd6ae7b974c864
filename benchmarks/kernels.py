"""`python -m benchmarks.kernels FILM FRAMES REPEATS`: the face stage's CPU time a frame, beside its TFLite kernels alone.

The face model's bundle holds three networks: a face detector, the landmarks, the expression scores. Run by themselves
in LiteRT's interpreter (one thread, XNNPACK, the crops of the same frames), they are what no code around them can save.
How often the stage runs each is counted from what it found: while it tracks a face it needs no detector.
"""

import io
import json
import sys
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pipelines.params_face import FaceParams

DETECTOR, LANDMARKS, SCORES = (
    "face_detector.tflite",
    "face_landmarks_detector.tflite",
    "face_blendshapes.tflite",
)


@dataclass(frozen=True, slots=True)
class Calls:
    """How often a stage runs each network, a frame."""

    detector: float
    landmarks: float
    scores: float


def calls_of(found: Sequence[bool], counts: Sequence[float | None]) -> Calls:
    """How often each network ran.

    The tracker looks for a face where the frame before had none, and measures where there is one; the counter looks
    for faces in the frames that it counts, and measures those that are not the tracked one.

    Args:
        found: a face in each frame?
        counts: the number of faces where they were counted, None elsewhere.

    >>> calls_of([True, True, True, True], [1, None, None, None])
    Calls(detector=0.5, landmarks=1.0, scores=1.0)
    """
    frames = len(found)
    sought = sum(not before for before in [False, *found[:-1]])
    counted = [(count, there) for count, there in zip(counts, found, strict=True) if count is not None]
    return Calls(
        detector=(sought + len(counted)) / frames,
        landmarks=(sum(found) + sum(max(count - there, 0) for count, there in counted)) / frames,
        scores=sum(found) / frames,
    )


def sum_ms(kernel_ms: dict[str, float], calls: Calls) -> float:
    """The networks' time a frame, as often as they are run."""
    return sum(
        kernel_ms[name] * often
        for name, often in ((DETECTOR, calls.detector), (LANDMARKS, calls.landmarks), (SCORES, calls.scores))
    )


def kernels(frames: list[NDArray[np.uint8]], box: NDArray[np.float64], runs: int) -> dict[str, Callable[[], float]]:
    """For each network, what runs it on the frames' crops and gives its CPU time in ms a run.

    Args:
        frames: each height x width x 3, RGB.
        box: x, y, width, height of the face, as shares of the frame; the landmarks' crop is half as large again.
        runs: how many.
    """
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415 - the child process alone measures

    from pipelines.face_model import load_model  # noqa: PLC0415 - the child process alone measures
    from pipelines.params_face import FaceParams  # noqa: PLC0415 - as above

    bundle = zipfile.ZipFile(io.BytesIO(load_model(FaceParams())))
    middle, half = box[:2] + box[2:] / 2, box[2:] * 0.75
    points = np.random.default_rng(0).uniform(0, 1, (1, 146, 2)).astype(np.float32)
    inputs = {
        DETECTOR: [_crop(frame, np.zeros(2), np.ones(2), 128) for frame in frames],
        LANDMARKS: [_crop(frame, middle - half, middle + half, 256) for frame in frames],
        SCORES: [points],
    }
    return {name: _runner(Interpreter(model_content=bundle.read(name), num_threads=1), given, runs) for name, given in inputs.items()}  # fmt: skip


def _crop(frame: NDArray[np.uint8], low: NDArray[np.float64], high: NDArray[np.float64], side: int) -> NDArray[Any]:
    """A part of a frame (shares of it) as a network takes it: 1 x side x side x 3, 0 to 1."""
    at = [
        np.clip(np.linspace(low[1 - axis], high[1 - axis], side) * frame.shape[axis], 0, frame.shape[axis] - 1)
        for axis in (0, 1)
    ]
    part = frame[at[0].astype(int)[:, np.newaxis], at[1].astype(int)]
    return np.asarray((part / np.float32(255))[np.newaxis], dtype=np.float32)


def _runner(interpreter: Any, inputs: list[NDArray[Any]], runs: int) -> Callable[[], float]:
    interpreter.allocate_tensors()
    place = interpreter.get_input_details()[0]["index"]

    def run() -> float:
        spent = 0.0
        for given in islice(cycle(inputs), runs):
            interpreter.set_tensor(place, given)
            begun = time.process_time()
            interpreter.invoke()
            spent += time.process_time() - begun
        return 1000 * spent / runs

    return run


def measure(film: Path, frames: int, repeats: int) -> dict[str, Any]:
    """Both side by side, in turns, medians of `repeats`.

    Args:
        film: any film with a face.
        frames: how many of its first frames the networks are run on.
        repeats: how often.

    Returns:
        `stage_ms`, `along_ms` (of that what is not decoding), `kernels_ms` (as often as the stage runs them), `three_ms`
        (each once), all a frame; `calls`.
    """
    from pipelines.face import measure_face  # noqa: PLC0415 - the child process alone measures
    from pipelines.media import video_frames  # noqa: PLC0415 - as above
    from pipelines.params_face import FaceParams  # noqa: PLC0415 - as above
    from pipelines.recording import Recording  # noqa: PLC0415 - as above

    params, media = FaceParams(), film.read_bytes()
    recording = Recording("P00000000A-00000000", "P00000000A", "V1", 0, 600, 600, None, "en", (), "0" * 64)
    table = measure_face(media, recording, params)
    size = next(video_frames(media, pixels="luma"))
    face = table.filter("face_found").row(0, named=True)
    width, height = size.shown_width_px, size.shown_height_px
    box = np.array([face["face_x"] / width, face["face_y"] / height, face["face_w"] / width, face["face_h"] / height])
    images = [frame.image for frame in islice(video_frames(media, pixels="rgb", max_width=params.max_width_px), frames)]
    runners = kernels(images, box, frames)
    stage_ms, along_ms, kernel_ms = [], [], []
    for _ in range(repeats):
        begun = time.process_time()
        measure_face(media, recording, params)
        stage_ms.append(1000 * (time.process_time() - begun) / table.height)
        along_ms.append(1000 * _along_s(media, params) / table.height)
        kernel_ms.append({name: run() for name, run in runners.items()})
    calls = calls_of(table["face_found"].to_list(), table["face_count"].to_list())
    alone = {name: median(each[name] for each in kernel_ms) for name in runners}
    return {
        "frames": table.height,
        "width_px": width,
        "stage_ms": median(stage_ms),
        "along_ms": median(along_ms),
        "kernels_ms": sum_ms(alone, calls),
        "three_ms": sum(alone.values()),
        "alone_ms": alone,
        "calls": asdict(calls),
    }


def _along_s(media: bytes, params: "FaceParams") -> float:
    """The stage's CPU time where the frames are decoded by somebody else, as quality does in a night."""
    from pipelines.face_mediapipe import Along  # noqa: PLC0415 - the child process alone measures
    from pipelines.media import decoded_frames  # noqa: PLC0415 - as above

    along, spent = Along(params), 0.0
    for frame, timestamp_s in decoded_frames(media):
        begun = time.process_time()
        along.take(frame, timestamp_s)
        spent += time.process_time() - begun
    begun = time.process_time()
    along.rows()
    return spent + time.process_time() - begun


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
