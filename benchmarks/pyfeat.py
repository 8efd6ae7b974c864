"""`make bench-pyfeat`: the face engine `pyfeat` beside py-feat alone, on the same frames of one synthetic recording.

The weights are self-made ones of the real shapes: how long a model computes depends on shapes and not on values. py-feat
alone is its `Detectorv2.detect` on every frame, without identity, so RetinaFace and the multitask model; RetinaFace is
given weights that find nothing, so that there is one crop a frame to measure as with one face. Both compute in one
thread. Prints a table, and the same as JSON with the machine's description.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from feat import Detectorv2
from feat.face_detectors.Retinaface.Retinaface_test import Retinaface

from benchmarks.clock import cpu_s
from benchmarks.machine import describe
from flows.report import table
from pipelines.face_engine import face_engine
from pipelines.media import video_frames
from pipelines.params_face import FaceParams, PyFeatParams
from pipelines.synthetic.zone import make_landing_zone
from tests.pyfeat.weights_factory import make_classifiers, make_landmarks, make_multitask

_ALONE = 12
"""Frames that py-feat alone is given: half a second of film, and seconds of computing."""
_REPEATS = 2


def _least_cpu_s(work: Callable[[], object]) -> float:
    """The least of its CPU times: whatever adds to it is the machine's."""
    return min(cpu_s(work, _REPEATS))


def _blind_retinaface(**_: object) -> Retinaface:
    """RetinaFace that is sure of the background everywhere."""
    detector = Retinaface(device="cpu", pretrained="none")
    for name, parameter in detector.net.named_parameters():
        if name.startswith("ClassHead") and name.endswith("weight"):
            parameter.data.zero_()
        elif name.startswith("ClassHead"):
            parameter.data.copy_(torch.tensor([9.0, -9.0]).repeat(len(parameter) // 2))
    return detector


def _alone(media: bytes, weights: Path) -> float:
    """CPU time a frame of py-feat's own detector."""
    images = []
    for frame in video_frames(media, pixels="rgb"):
        images.append(frame.image)
        if len(images) == _ALONE:
            break
    pictures = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
    with patch("feat.detector_v2.Retinaface", _blind_retinaface):
        detector = Detectorv2(device="cpu", identity_model=None, multitask_weights=str(weights))
    found = detector.detect(pictures, data_type="tensor", batch_size=1, progress_bar=False)
    if len(found) != _ALONE:
        raise RuntimeError(f"{len(found)} crops were measured in {_ALONE} frames: the comparison is not fair")
    return (
        _least_cpu_s(lambda: detector.detect(pictures, data_type="tensor", batch_size=1, progress_bar=False)) / _ALONE
    )


def main() -> None:
    """Measure and print."""
    torch.set_num_threads(1)
    engine = face_engine("pyfeat")
    with tempfile.TemporaryDirectory() as folder:
        zone, weights = Path(folder) / "landing", Path(folder) / "weights"
        make_landing_zone(zone, participants=2, seed=1, seconds=(3.0, 3.0), faults=False)
        media = min(zone.rglob("*.mp4")).read_bytes()
        multitask = make_multitask(weights)
        make_landmarks(weights)
        make_classifiers(weights, "xgb")
        times_s = [frame.timestamp_s for frame in video_frames(media, pixels="luma")]
        figures = {"py-feat alone (Detectorv2), every frame": _alone(media, multitask)}
        for model, every in (("detectorv2", 1), ("detectorv2", 2), ("detectorv2", 3), ("detectorv1", 2)):
            block = PyFeatParams.model_validate(
                {"model": model, "every_n_frames": every, "weights_folder": str(weights)}
            )
            params = FaceParams(engine="pyfeat", pyfeat=block)
            spent = _least_cpu_s(lambda params=params: engine.measure(media, "bench", params))  # type: ignore[misc]  # mypy knows no default of a lambda
            figures[f"engine pyfeat, {model}, every_n_frames {every}"] = spent / len(times_s)
    fps = (len(times_s) - 1) / (times_s[-1] - times_s[0])
    alone = next(iter(figures.values()))
    rows = [
        [name, f"{1000 * spent:.0f}", f"{fps * spent:.2f}", f"{alone / spent:.1f}"] for name, spent in figures.items()
    ]
    print(f"one recording of {len(times_s)} frames, 640x360, {fps:.0f} a second; least of {_REPEATS} runs")
    print(table(["who", "CPU ms a frame", "CPU s a second of video", "times faster"], rows))
    json.dump(
        {"machine": describe(), "frames": len(times_s), "fps": fps, "cpu_s_a_frame": figures}, sys.stdout, indent=1
    )
    print()


if __name__ == "__main__":
    main()
