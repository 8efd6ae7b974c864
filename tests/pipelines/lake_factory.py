"""A valid lake without any media: what the stages would have written, from the tables' declarations."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import polars as pl

from pipelines.parquet import read_provenance, write_parquet
from pipelines.recording import Recording, Task
from schemas.aligned import ALIGNED_FRAMES
from schemas.av_offset import AV_OFFSETS
from schemas.clinical import CLINICAL_OBSERVATIONS, MEDICATIONS, QUESTIONNAIRE_ITEMS
from schemas.core import Column, Table
from schemas.face import AU_FRAMES
from schemas.people import PARTICIPANTS
from schemas.quality import MEASURES, QUALITY_MEASURES
from schemas.speech import SPEECH_SEGMENTS, SPEECH_TIMING
from schemas.voice import VOICE_FRAMES, VOICE_FUNCTIONALS
from schemas.voice_sets import (
    CROSS_CHECKED,
    VOICE_CROSS_CHECK,
    VOICE_FEATURES_LONG,
    VOICE_FUNCTIONALS_SPEECH,
    VOICE_SERIES,
)

DURATION_S = 8.0
FPS = 25
FRAMES = int(DURATION_S * FPS)
TASKS = (Task("reading", 0.0, 3.0), Task("free_speech", 3.0, 8.0))
SPANS = {"reading": (0.0, 3.0), "free_speech": (3.0, 8.0), "whole": (0.0, 8.0)}
RECORDED_AT_MIN = 10_000

_MEASURED = {
    "duration_s": DURATION_S,
    "frames": FRAMES,
    "fps": FPS,
    "width_px": 640,
    "height_px": 480,
    "sample_rate_hz": 48000,
    "snr_db": 21.5,
}
FEATURES = {
    "quality_measures": ("quality", "{}.parquet"),
    "au_frames": ("face", "{}.parquet"),
    "voice_frames": ("voice", "{}.parquet"),
    "voice_functionals": ("voice", "{}.functionals.parquet"),
    "voice_functionals_speech": ("voice", "{}.functionals_speech.parquet"),
    "speech_segments": ("voice", "{}.speech_segments.parquet"),
    "speech_timing": ("voice", "{}.speech_timing.parquet"),
    "voice_features_long": ("voice", "{}.features_long.parquet"),
    "voice_series": ("voice", "{}.series.parquet"),
    "voice_cross_check": ("voice", "{}.cross_check.parquet"),
    "aligned_frames": ("aligned", "{}.parquet"),
    "av_offsets": ("aligned", "{}.av_offset.parquet"),
}


def pseudonym(number: int) -> str:
    return f"P{number:09d}"


def recording_name(person: int, number: int) -> str:
    return f"{pseudonym(person)}-{number:08d}"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def write_lake(lake: Path, people: int = 2, recordings: int = 2) -> Path:
    """Odd people are of the pain group with `recordings` each, even ones controls with one."""
    for person in range(1, people + 1):
        write_person(lake, person, recordings if person % 2 else 1)
    (lake / "index.yaml").write_text("people: []\n")
    return lake


def write_person(lake: Path, person: int, recordings: int) -> None:
    group = "pain" if person % 2 else "control"
    write_clinical(lake, person, PARTICIPANTS, [
        {"group": group, "sex": "female", "age_band": "50-59", "site": "north", "language": "nl", "tumour_type": "breast"},
    ])  # fmt: skip
    write_clinical(lake, person, CLINICAL_OBSERVATIONS, [
        {"study_minute": RECORDED_AT_MIN + 30, "nrs_now": 6.0 if group == "pain" else 0.0},
    ])  # fmt: skip
    write_clinical(lake, person, MEDICATIONS, [])
    write_clinical(lake, person, QUESTIONNAIRE_ITEMS, [])
    for number in range(1, recordings + 1):
        write_recording(lake, person, number)


def write_clinical(lake: Path, person: int, table: Table, rows: list[dict[str, object]]) -> None:
    filled = [
        {"participant": pseudonym(person)}
        | ({"study_day": 7, "time_of_day_min": 600} if "study_day" in table.names else {})
        | row
        for row in rows
    ]
    write_parquet(lake / pseudonym(person) / "clinical" / f"{table.name}.parquet", table.frame(filled))


def write_recording(lake: Path, person: int, number: int, *, superseded: bool = False) -> str:
    name = recording_name(person, number)
    minute = RECORDED_AT_MIN + (number - 1) * 1440
    one = Recording(
        name, pseudonym(person), f"day{number}", minute // 1440, minute % 1440, minute, "camera", "nl", TASKS,
        sha256(name), flags=("NOISY", "DARK"), superseded=superseded,
    )  # fmt: skip
    sidecar = lake / pseudonym(person) / "recordings" / f"{name}.json"
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    sidecar.write_bytes(one.to_json())
    write_feature(lake, name, QUALITY_MEASURES, [
        {"measure": m, "unit": MEASURES[m].unit, "value": float(v), "status": "info", "source": "made up"}
        for m, v in _MEASURED.items()
    ])  # fmt: skip
    write_feature(lake, name, AU_FRAMES, [{"frame": n, "timestamp_s": n / FPS} for n in range(FRAMES)])
    write_feature(lake, name, VOICE_FRAMES, [{"frame": n, "timestamp_s": n / 100} for n in range(50)])
    write_feature(lake, name, VOICE_FUNCTIONALS, [
        {"task": task, "start_s": start, "end_s": end, "feature_set": "eGeMAPSv02", "cause": None}
        for task, (start, end) in SPANS.items()
    ])  # fmt: skip
    for table in (VOICE_FUNCTIONALS_SPEECH, SPEECH_TIMING):
        write_feature(lake, name, table, [
            {"task": task, "start_s": start, "end_s": end, "cause": None} for task, (start, end) in SPANS.items()
        ])  # fmt: skip
    write_feature(lake, name, SPEECH_SEGMENTS, [{"stretch": 0, "start_s": 0.5, "end_s": 2.5}])
    write_feature(lake, name, VOICE_FEATURES_LONG, [
        {"task": "reading", "feature_set": "emobase", "feature": feature} for feature in ("F0_sma_max", "F0_sma_min")
    ])  # fmt: skip
    write_feature(
        lake, name, VOICE_SERIES, [{"feature_set": "emobase", "feature": "F0_sma", "values": [0.0, 110.0, None]}]
    )
    write_feature(lake, name, VOICE_CROSS_CHECK, [
        {"task": "reading", "feature": feature, "unit": each.unit, "value": 1.0, "cause": None}
        for feature, each in CROSS_CHECKED.items()
    ])  # fmt: skip
    write_feature(lake, name, ALIGNED_FRAMES, [{"t_s": n / 25} for n in range(50)])
    write_feature(lake, name, AV_OFFSETS, [{"av_offset_s": 0.02, "cause": None}])
    return name


def feature_file(lake: Path, recording: str, table: str) -> Path:
    folder, pattern = FEATURES[table]
    return lake / recording.partition("-")[0] / folder / pattern.format(recording)


USABLE: dict[str, object] = {
    "face_found": True, "face_size": 0.4, "pose_Rx": 0.0, "pose_Ry": 0.0, "face_brightness": 120.0,
    "face_sharpness": 0.5, "face_speed": 0.1, "face_outside": 0.0,
}  # fmt: skip
"""Of a frame that counts in summaries."""


def write_feature(lake: Path, recording: str, table: Table, rows: list[dict[str, object]]) -> None:
    """Rows as a stage writes them; columns that a row does not name get some valid value."""
    usable = USABLE if table is AU_FRAMES else {}
    full = [{column.name: _valid(column, n) for column in table} | {"recording": recording} | usable | row
            for n, row in enumerate(rows)]  # fmt: skip
    stage = {"aligned": "align"}.get(FEATURES[table.name][0], FEATURES[table.name][0])
    provenance = {
        "stage": stage,
        "key": sha256(recording + stage),
        "media_sha256": sha256(recording),
        "params_sha256": sha256("params"),
        "code_sha256": sha256("code"),
        "engine": f"{stage}-engine",
        "engine_version": "1.2.3",
        "model_sha256": None,
    }
    write_parquet(feature_file(lake, recording, table.name), table.frame(full), provenance)


def change(lake: Path, recording: str, table: str, edit: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Damage a feature file as a faulty stage would: its provenance stays."""
    path = feature_file(lake, recording, table)
    write_parquet(path, edit(pl.read_parquet(path)), read_provenance(path))


def _valid(column: Column, n: int) -> object:
    if column.allowed:
        return column.allowed[0]
    if column.type == "VARCHAR":
        return None if column.pattern or column.nullable else "text"
    if column.type == "BOOLEAN":
        return True
    low = 0 if column.minimum is None else column.minimum
    high = low + 1 if column.maximum is None else column.maximum
    return int(low) if column.type.endswith("INT") or column.type == "INTEGER" else low + (high - low) * (n % 10) / 10
