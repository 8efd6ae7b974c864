"""`python -m benchmarks.bare_loop OUT FILM...`: what somebody without a platform would write in an afternoon.

One process, one film after the other: decode, MediaPipe's Face Landmarker with its expression scores in VIDEO mode on
each frame, openSMILE's eGeMAPSv02 descriptors and functionals of the sound, two parquet files. No delivery is checked,
nothing is stripped, encrypted, aligned, validated, versioned or published. Prints its seconds by the clock, without
Python's own start.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl

from pipelines.face_model import load_model
from pipelines.params_face import FaceParams

_SOUND_HZ = 16_000


def main(arguments: Sequence[str]) -> None:
    """Go through films.

    Args:
        arguments: a folder for the results, and the films.
    """
    begun = time.perf_counter()
    out = Path(arguments[0])
    out.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:]:
        film = Path(name)
        faces(film).write_parquet(out / f"{film.stem}.face.parquet")
        for level, table in voice(film).items():
            table.write_parquet(out / f"{film.stem}.{level}.parquet")
    print(time.perf_counter() - begun)


def faces(film: Path) -> pl.DataFrame:
    """A row a frame: its time, and 52 expression scores where there is a face."""
    import mediapipe  # noqa: PLC0415 - as a script imports what it needs
    from mediapipe.tasks.python import BaseOptions, vision  # noqa: PLC0415 - as above

    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_buffer=load_model(FaceParams())),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
    )
    rows: list[dict[str, Any]] = []
    with vision.FaceLandmarker.create_from_options(options) as landmarker, av.open(str(film)) as container:
        for frame in container.decode(video=0):
            image = mediapipe.Image(
                image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame.to_ndarray(format="rgb24"))
            )
            time_s = float(frame.time or 0.0)
            found = landmarker.detect_for_video(image, round(time_s * 1000))
            scores = found.face_blendshapes[0] if found.face_blendshapes else []
            rows.append({"timestamp_s": time_s, **{each.category_name: each.score for each in scores}})
    return pl.DataFrame(rows)


def voice(film: Path) -> dict[str, pl.DataFrame]:
    """The descriptors of openSMILE every 10 ms, and its functionals of the whole."""
    import opensmile  # noqa: PLC0415 - as above

    with av.open(str(film)) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=_SOUND_HZ)
        parts = [out.to_ndarray()[0] for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    sound = np.concatenate(parts)
    found = {}
    for level in (opensmile.FeatureLevel.LowLevelDescriptors, opensmile.FeatureLevel.Functionals):
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, level)
        found[level.name] = pl.from_pandas(smile.process_signal(sound, _SOUND_HZ))
    return found


if __name__ == "__main__":
    main(sys.argv[1:])
