"""Rows as the stages would write them, from the tables' declarations: what they say is made up, how much they are is not."""

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.core import POLARS_TYPES, Column, Table
from schemas.quality import MEASURES
from schemas.tables import FEATURE_TABLES
from schemas.voice_sets import VOICE_CROSS_CHECK, VOICE_FEATURES_LONG, VOICE_SERIES

FPS = 30
_VOICE_HZ = 100
_GRID_HZ = 25
_SMOOTHED_OVER = 60
"""Frames: two seconds, as long as an expression of a face may last."""
_USABLE: Mapping[str, object] = {
    "face_found": True, "face_valid": True, "face_size": 0.4, "pose_Rx": 0.1, "pose_Ry": 0.1,
    "face_brightness": 120.0, "face_sharpness": 0.5, "face_speed": 0.1, "face_outside": 0.0,
}  # fmt: skip
_SIZES = {
    "duration_s": 1.0,
    "frames": float(FPS),
    "fps": FPS,
    "width_px": 640,
    "height_px": 480,
    "sample_rate_hz": 48000,
}
"""Measures that `recordings` shows; the first two grow with the recording's length."""
_LEFT_OUT = (VOICE_FEATURES_LONG, VOICE_SERIES, VOICE_CROSS_CHECK)
"""Empty, as with the parameters' defaults."""


def feature_rows(recording: str, duration_s: float, seed: int) -> dict[str, pl.DataFrame]:
    """The rows of each feature table of one recording.

    Args:
        recording: its name.
        duration_s: how long it is; 30 frames a second, a voice frame each 10 ms, 25 steps of the grid a second.
        seed: the same seed gives the same numbers.

    Example:
        feature_rows("P00000000A-00000000", 60.0, 1)["au_frames"].height  # 1800
    """
    numbers = np.random.default_rng(seed)
    spans = [("reading", 0.0, duration_s / 2), ("free_speech", duration_s / 2, duration_s), ("whole", 0.0, duration_s)]
    by_task: dict[str, object] = {"task": [s[0] for s in spans], "start_s": [s[1] for s in spans], "end_s": [s[2] for s in spans]}  # fmt: skip
    frames = {rate: np.arange(int(duration_s * rate)) for rate in (FPS, _VOICE_HZ, _GRID_HZ)}
    given: dict[str, dict[str, object]] = {
        "au_frames": {"frame": frames[FPS], "timestamp_s": frames[FPS] / FPS, **_USABLE},
        "voice_frames": {"frame": frames[_VOICE_HZ], "timestamp_s": frames[_VOICE_HZ] / _VOICE_HZ},
        "aligned_frames": {"t_s": frames[_GRID_HZ] / _GRID_HZ, **_USABLE},
        "av_offsets": {"cause": [None]},
        "quality_measures": _measures(duration_s),
        "speech_segments": _segments(duration_s),
    }
    found = {}
    for table in FEATURE_TABLES:
        if table in _LEFT_OUT:
            found[table.name] = table.frame()
            continue
        columns = given.get(table.name, by_task)
        rows = max(len(each) for each in columns.values() if isinstance(each, list | np.ndarray))
        found[table.name] = _frame(table, rows, {"cause": None, **columns, "recording": recording}, numbers)
    return found


def _measures(duration_s: float) -> dict[str, object]:
    sizes = _SIZES | {"duration_s": duration_s, "frames": float(int(duration_s * FPS))}
    names = list(MEASURES)
    return {
        "measure": names,
        "value": [float(sizes.get(name, 1.0)) for name in names],
        "unit": [MEASURES[name].unit for name in names],
        "status": ["info"] * len(names),
        "source": [MEASURES[name].source for name in names],
    }


def _segments(duration_s: float) -> dict[str, object]:
    starts = np.arange(0.0, duration_s, 2.0)
    return {"stretch": np.arange(len(starts)), "start_s": starts, "end_s": np.minimum(starts + 1.5, duration_s)}


def _frame(table: Table, rows: int, given: Mapping[str, object], numbers: np.random.Generator) -> pl.DataFrame:
    columns = []
    for column in table:
        values = given[column.name] if column.name in given else _made_up(column, rows, numbers)
        if not isinstance(values, list | np.ndarray):
            values = [values] * rows
        columns.append(pl.Series(column.name, values, strict=False).cast(POLARS_TYPES[column.type]))
    return pl.DataFrame(columns)


def _made_up(column: Column, rows: int, numbers: np.random.Generator) -> Any:
    """Values that the declaration allows: numbers go up and down as slowly as a face or a voice does."""
    if column.allowed:
        return column.allowed[0]
    if column.name.endswith("_c"):
        # Publication decides whether an action unit is present, as with the default engine.
        return None
    if column.type == "VARCHAR":
        return None if column.nullable or column.pattern else "text"
    if column.type == "BOOLEAN":
        return True
    low = column.minimum if column.minimum is not None else 0.0
    high = column.maximum if column.maximum is not None else low + 1.0
    if column.type not in {"DOUBLE", "FLOAT"}:
        return int(low)
    rough = numbers.normal(size=rows + _SMOOTHED_OVER)
    smooth = np.convolve(rough, np.ones(_SMOOTHED_OVER) / _SMOOTHED_OVER, mode="same")[:rows]
    # Near the least value most of the time, as a face is: above the onset threshold 14 times a minute, which is about
    # 230 events a minute of all action units together; two films of real faces have 128 and 203.
    return low + (high - low) * np.clip(np.abs(smooth) * _SMOOTHED_OVER**0.5 / 3, 0.0, 1.0) ** 3


def parquet_bytes(frame: pl.DataFrame, provenance: Mapping[str, object] | None = None) -> bytes:
    """A parquet file without compression, in which a text can be exchanged for another of its length.

    Args:
        frame: the rows.
        provenance: what the file says of its making.
    """
    table = frame.to_arrow(compat_level=pl.CompatLevel.oldest())
    if provenance is not None:
        table = table.replace_schema_metadata({b"painlake": json.dumps(provenance, sort_keys=True)})
    texts = [f.name for f in table.schema if pa.types.is_string(f.type) or pa.types.is_large_string(f.type)]
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="none", use_dictionary=texts, store_schema=True)
    return buffer.getvalue()
