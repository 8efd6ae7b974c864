"""How far action units change where the same performance is filmed and encoded otherwise: repeatability of the face stage."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.film import Codec, encode, h264, h265, vp9
from benchmarks.looks import COLUMNS, MEASURES, RECORDING, Values
from benchmarks.performance import Performance
from benchmarks.report import Part, Table
from pipelines.face import measure_face
from pipelines.frame_views import usable_sql
from pipelines.params_face import FaceParams
from pipelines.params_publish import UsableParams

PERSONS = (1, 2)
SECONDS = 4.0
_GAP_S = 0.1
"""Between usable frames further apart nothing is interpolated."""


@dataclass(frozen=True, slots=True)
class Shot:
    """How the performance is filmed.

    Args:
        name: for the table.
        codec: how it is encoded.
        height: of the picture, px.
        fps: frames a second.
        noise: standard deviation of the sensor's noise in each colour, grey levels of 255.
        light: what all pixel values are multiplied by.
    """

    name: str
    codec: Codec
    height: int = 720
    fps: float = 30.0
    noise: float = 0.0
    light: float = 1.0


REFERENCE = Shot("reference: h264 crf 4, 1080p, 30 fps", h264(crf=4), height=1080)
SHOTS = (
    Shot("h264 crf 23", h264()), Shot("h265 crf 28", h265()), Shot("vp9 crf 33", vp9()),
    *(Shot(f"{height}p", h264(), height=height) for height in (360, 480, 1080)),
    *(Shot(f"{fps} fps", h264(), fps=float(fps)) for fps in (24, 25, 50, 60)),
    *(Shot(f"noise {noise}", h264(), noise=float(noise)) for noise in (2, 5, 10, 15, 25)),
    *(Shot(f"light {light:g}", h264(), light=light) for light in (0.3, 0.5, 0.7, 1.25, 1.5)),
)  # fmt: skip
"""The first is what the others differ from in one thing each: 720p, 30 fps, no noise."""


class Readings(NamedTuple):
    """Times of a film's frames (s), their n x measures values, NaN where a frame is not usable."""

    times_s: Values
    values: Values


def measure(persons: Sequence[int] = PERSONS, seconds: float = SECONDS) -> Part:
    """All shots of all persons, against their references."""
    shots = (REFERENCE, *SHOTS)
    cameras = sorted({(shot.height, shot.fps) for shot in shots}, key=lambda camera: -camera[0] * camera[1])
    jobs = [(person, seconds, *camera) for person in persons for camera in cameras]
    found: dict[tuple[int, str], Readings] = {}
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(min(cores, len(jobs)), mp_context=get_context("spawn")) as pool:
        begun = [pool.submit(filmed, *job) for job in jobs]
        for number, done in enumerate(as_completed(begun), start=1):
            found.update(done.result())
            print(f"encodings: {number} of {len(jobs)} films", file=sys.stderr, flush=True)
    return summarise({shot.name: [found[person, shot.name] for person in persons] for shot in shots})


def filmed(person: int, seconds: float, height: int, fps: float) -> dict[tuple[int, str], Readings]:
    """What is measured in every shot that one camera takes; rendered once for all of them."""
    images = list(Performance(person, seconds).images(height, fps))
    shots = [shot for shot in (REFERENCE, *SHOTS) if (shot.height, shot.fps) == (height, fps)]
    return {(person, shot.name): readings(encode(_spoilt(images, shot), shot.codec, fps)) for shot in shots}


def _spoilt(images: Sequence[NDArray[np.uint8]], shot: Shot) -> Sequence[NDArray[np.uint8]]:
    """The pictures in a shot's light, with its noise."""
    if shot.noise == 0 and shot.light == 1:
        return images
    rng = np.random.default_rng(7)
    spoilt = []
    for image in images:
        lit = image.astype(np.float32) * np.float32(shot.light)
        if shot.noise:
            lit += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(shot.noise)
        spoilt.append(np.clip(np.rint(lit), 0, 255).astype(np.uint8))
    return spoilt


def readings(media: bytes) -> Readings:
    """Measure a film, as far as publication lets its frames count."""
    frames = measure_face(media, RECORDING, FaceParams())
    usable = frames.select(pl.sql_expr(usable_sql(UsableParams())).alias("usable"))["usable"].to_numpy()
    values = frames.select(pl.col(*COLUMNS).cast(pl.Float64).fill_null(float("nan"))).to_numpy().copy()
    values[~usable] = np.nan
    return Readings(frames["timestamp_s"].to_numpy(), values)


def changes(reference: Readings, other: Readings) -> Values:
    """How far each measure differs, by time.

    Args:
        reference: the film to compare with.
        other: interpolated to its times, between usable frames at most 0.1 s apart.

    Returns:
        Times of the reference x measures; NaN where either has no value.
    """
    interpolated = np.stack(
        [_interpolated(reference.times_s, other.times_s, column) for column in other.values.T], axis=1
    )
    return np.asarray(interpolated - reference.values, dtype=np.float64)


def _interpolated(at_s: Values, times_s: Values, values: Values) -> Values:
    known = ~np.isnan(values)
    if known.sum() < 2:
        return np.full(len(at_s), np.nan)
    times_s, values = times_s[known], values[known]
    after = np.clip(np.searchsorted(times_s, at_s), 1, len(times_s) - 1)
    before_s, after_s = times_s[after - 1], times_s[after]
    exact = (at_s == before_s) | (at_s == after_s)
    near = exact | ((after_s - before_s <= _GAP_S) & (before_s < at_s) & (at_s < after_s))
    return np.asarray(np.where(near, np.interp(at_s, times_s, values), np.nan), dtype=np.float64)


def summarise(found: dict[str, list[Readings]]) -> Part:
    """The table of mean absolute changes.

    Args:
        found: by a shot's name the readings of each person; the reference's first.
    """
    references = found[REFERENCE.name]
    data: dict[str, dict[str, float]] = {}
    rows = [["SD over time in the reference", "", *_cells(_mean([np.nanstd(each.values, axis=0, ddof=1) for each in references]))]]  # fmt: skip
    for shot in SHOTS:
        differences = [changes(*pair) for pair in zip(references, found[shot.name], strict=True)]
        means = _mean([_column_means(np.abs(each)) for each in differences])
        matched = float(np.mean([np.mean(~np.isnan(each[:, -1])) for each in differences]))
        data[shot.name] = {"matched": matched, **dict(zip(MEASURES, means.tolist(), strict=True))}
        rows.append([shot.name, f"{matched:.0%}", *_cells(means)])
    return Part(
        (
            Table(
                "Action units over encodings, sizes, frame rates, noise and light",
                f"Mean absolute change of intensity (0-5; PSPI 0-16) against the same performance in near-lossless 1080p at 30 fps "
                f"(h264 crf 4), matched by time over usable frames; mean of {len(references)} synthetic persons of {SECONDS:g} s. Each row differs "
                "in one thing from h264 crf 23, 720p, 30 fps, no noise, light 1. Noise: standard deviation in grey levels; light: factor on "
                "pixel values. Matched: share of the reference's frames that have a usable counterpart.",
                ("shot", "matched", *MEASURES),
                rows,
            ),
        ),
        {"mean_absolute_change": data},
    )


def _column_means(values: Values) -> Values:
    known = ~np.isnan(values)
    sums = np.where(known, values, 0).sum(axis=0)
    means = np.divide(sums, known.sum(axis=0), out=np.full(values.shape[1], np.nan), where=known.any(axis=0))
    return np.asarray(means, dtype=np.float64)


def _mean(each: Sequence[Values]) -> Values:
    return np.asarray(np.mean(np.stack(each), axis=0), dtype=np.float64)


def _cells(values: Values) -> list[str]:
    return ["NULL" if np.isnan(value) else f"{value:.2f}" for value in values]
