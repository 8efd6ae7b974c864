"""How far voice features change where the same speech is encoded, recorded louder or in noise: repeatability of the voice stage."""

import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.film import Codec, encode_sound
from benchmarks.looks import RECORDING, Values
from benchmarks.performance import Performance
from benchmarks.report import Part, Table
from pipelines.params import VoiceParams
from pipelines.synthetic.speech import SAMPLE_RATE_HZ
from pipelines.voice import measure_voice
from schemas.people import WHOLE
from schemas.voice import FUNCTIONALS

PERSONS = (0, 1, 2, 3, 4, 5)
SECONDS = 6.0
FEATURES = tuple(column.name for column in FUNCTIONALS)
_FLAC = Codec("flac", "flac", "matroska")


@dataclass(frozen=True, slots=True)
class Take:
    """How speech is recorded: `gain_db` on it, then white noise at `snr_db` below its mean power (None for none)."""

    name: str
    codec: Codec = _FLAC
    gain_db: float = 0.0
    snr_db: float | None = None


REFERENCE = Take("reference: FLAC")
TAKES = (
    Take("AAC 128k", Codec("aac", "aac", "mp4", bit_rate=128_000)),
    Take("AAC 64k", Codec("aac", "aac", "mp4", bit_rate=64_000)),
    Take("Opus 64k", Codec("opus", "libopus", "webm", bit_rate=64_000)),
    Take("Opus 24k", Codec("opus", "libopus", "webm", bit_rate=24_000)),
    *(Take(f"SNR {snr} dB", snr_db=float(snr)) for snr in (40, 30, 20, 15, 10)),
    *(Take(f"{gain:+d} dB", gain_db=float(gain)) for gain in (-20, -12, -6, 3, 6)),
)


def measure(persons: Sequence[int] = PERSONS, seconds: float = SECONDS) -> Part:
    """All takes of all voices, against their references."""
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(min(cores, len(persons)), mp_context=get_context("spawn")) as pool:
        each = []
        for number, found in enumerate(pool.map(takes, persons, [seconds] * len(persons)), start=1):
            each.append(found)
            print(f"voices: {number} of {len(persons)}", file=sys.stderr, flush=True)
    return summarise(np.stack(each))


def takes(person: int, seconds: float) -> Values:
    """The functionals of one person's speech in every take; the reference first.

    Returns:
        Takes x features, NaN where openSMILE has nothing to measure.
    """
    samples, _ = Performance(person, seconds).sound
    rng = np.random.default_rng([person, 11])
    noise = rng.standard_normal(len(samples)).astype(np.float32)
    return np.stack([functionals(_recorded(samples, noise, take)) for take in (REFERENCE, *TAKES)])


def _recorded(samples: NDArray[np.float32], noise: NDArray[np.float32], take: Take) -> bytes:
    heard = samples * np.float32(10 ** (take.gain_db / 20))
    if take.snr_db is not None:
        heard = heard + noise * np.float32(np.sqrt(np.mean(heard.astype(np.float64) ** 2)) * 10 ** (-take.snr_db / 20))
    return encode_sound(np.clip(heard, -1, 1), SAMPLE_RATE_HZ, take.codec)


def functionals(media: bytes) -> Values:
    """eGeMAPSv02 over the whole of a recording."""
    tables = measure_voice(media, RECORDING, VoiceParams())
    row = tables.functionals.filter(pl.col("task") == WHOLE).select(
        pl.col(FEATURES).cast(pl.Float64).fill_null(float("nan"))
    )
    return np.asarray(row.to_numpy()[0], dtype=np.float64)


def summarise(found: Values) -> Part:
    """Tables of changes in shares of the spread between voices.

    Args:
        found: voices x (1 + takes) x features.
    """
    spread = np.nanstd(found[:, 0], axis=0, ddof=1)
    change = np.nanmean(np.abs(found[:, 1:] - found[:, :1]), axis=0)
    # A feature that all voices share has no spread to compare with.
    share = np.divide(change, spread, out=np.full(change.shape, np.nan), where=spread > 0)
    summary, names = [], np.array(FEATURES)
    for take, row in zip(TAKES, share, strict=True):
        worst = np.argsort(-np.nan_to_num(row))[:3]
        quartiles = np.nanquantile(row, (0.5, 0.9))
        summary.append([take.name, *(f"{value:.2f}" for value in quartiles), f"{np.nanmean(row < _SMALL):.0%}",
                        ", ".join(f"{names[at]} {row[at]:.1f}" for at in worst)])  # fmt: skip
    note = (
        f"Mean absolute change against FLAC at 44.1 kHz, over the standard deviation between {len(found)} synthetic voices of {SECONDS:g} s "
        "(1 is as far as two voices lie apart)"
    )
    return Part(
        (
            Table(
                "Voice features over codecs, noise and level",
                f"{note}: median and 90th percentile over the {len(FEATURES)} functionals of eGeMAPSv02, the share of them that change by less than "
                f"{_SMALL:g}, and the three that change most. Noise is white, its level relative to the speech's mean power. "
                "A stddevNorm is a deviation over a mean, which in noise can come near 0.",
                ("take", "median", "90 %", f"below {_SMALL:g}", "most"),
                summary,
            ),
            Table(
                "Each voice feature",
                f"{note}.",
                ("feature", *(take.name for take in TAKES)),
                [[name, *("NULL" if np.isnan(value) else f"{value:.2f}" for value in share[:, at])] for at, name in enumerate(FEATURES)],
            ),
        ),
        {"takes": [take.name for take in TAKES], "features": FEATURES, "share_of_spread": share.tolist(), "spread": spread.tolist()},
    )  # fmt: skip


_SMALL = 0.1
