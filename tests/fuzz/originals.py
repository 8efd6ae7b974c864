"""The good deliveries that are damaged: a second of a synthetic face that speaks up, tables, a sidecar."""

import json
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from pipelines.synthetic.face import FaceModel
from tests.fuzz.media_mutations import MKV, MP4, WAV
from tests.fuzz.text_mutations import CSV, JSON
from tests.pipelines.landing_factory import remuxed, wav
from tests.pipelines.video_factory import video

PATIENT, OTHER = "MRN-8830021", "MRN-8830022"
"""Hospital IDs that nothing else holds by chance: who delivers the damaged files, and somebody else."""
RECORDED_AT = "2026-02-10T10:00:00+01:00"
MUTATORS = {"mp4": MP4, "mkv": MKV, "wav": WAV, "csv": CSV, "json": JSON}

_HEADERS = {
    "participants": "participant_id,birth_date,sex,group,site,language,tumour_type,tumour_stage,admission_reason,enrolled_at,exclusion",
    "consent": "participant_id,recorded_at,status,scope",
    "clinical": "participant_id,observed_at,nrs_now,nrs_worst_24h,nrs_mean_24h,ecog,clinical_status",
    "medications": "participant_id,administered_at,atc_code,drug,dose_mg,route",
    "questionnaires": "participant_id,completed_at,instrument,item,value",
}


@cache
def film(seed: int, container: str = "mp4") -> bytes:
    """A face that frowns and hums for a second, 128 x 96 px; each seed gives other bytes."""
    face = FaceModel(seed, width=128, height=96)
    poses = [face.render({"AU04": strength, "AU25": strength}) for strength in (0.0, 1.0)]
    times_s = np.arange(16_000) / 16_000
    hum = 0.3 * np.sin(2 * np.pi * (120 + seed) * times_s) * (1 + np.sin(2 * np.pi * 3 * times_s)) / 2
    plain = video([poses[at // 6 % 2] for at in range(25)], sound=hum.astype(np.float32))
    if container == "faststart":
        return remuxed(plain, "mp4", movflags="faststart")
    # Without it, a Matroska file has random numbers in it, and a mutant's number would not name the same bytes again.
    return plain if container == "mp4" else remuxed(plain, container, fflags="+bitexact")


def tables() -> dict[str, bytes]:
    """The five tables of two people in pain who consented."""
    rows: dict[str, list[str]] = {name: [header] for name, header in _HEADERS.items()}
    for who in (PATIENT, OTHER):
        rows["participants"].append(f"{who},1960-04-02,female,pain,Rotterdam,en,lung,III,pain,2026-01-05,")
        rows["consent"] += [
            f"{who},2026-01-05T09:00:00+01:00,given,{scope}" for scope in ("recording", "ai_research", "sharing")
        ]
        for day in ("10", "11"):
            rows["clinical"].append(f"{who},2026-02-{day}T09:30:00+01:00,6,8,5.5,1,stable")
            rows["medications"].append(f"{who},2026-02-{day}T08:00:00+01:00,N02AA01,morphine,10,oral")
            rows["questionnaires"].append(f"{who},2026-02-{day}T11:00:00+01:00,HADS,HADS_1,2")
    return {f"{name}.csv": ("\n".join(lines) + "\n").encode() for name, lines in rows.items()}


def sidecar(participant_id: str, visit: str) -> bytes:
    """What goes with each media file; without its SHA-256, which would catch all damage at the door."""
    return json.dumps(
        {
            "participant_id": participant_id,
            "visit": visit,
            "recorded_at": RECORDED_AT,
            "device": "Camera 1",
            "language": "en",
            "tasks": [
                {"name": "reading", "start_s": 0.0, "end_s": 0.4},
                {"name": "free_speech", "start_s": 0.4, "end_s": 1.0},
            ],
        }
    ).encode()


def originals() -> dict[str, bytes]:
    """All that is damaged, by name."""
    return {**media(), "json": sidecar(PATIENT, "V0"), **tables()}


@cache
def media() -> dict[str, bytes]:
    """By name: what is damaged in landing's recordings."""
    return {
        "mp4": film(1),
        "mp4 with its index in front": film(1, "faststart"),
        "mkv": film(1, "matroska"),
        "wav": wav(1.0, 16_000),
    }


NEIGHBOURS: Mapping[str, Callable[[], bytes]] = {
    f"recordings/{PATIENT}/V1/good.mp4": lambda: film(2),
    f"recordings/{OTHER}/V1/good.mkv": lambda: film(3, "matroska"),
}
"""Good deliveries of the damaged files' own person and of another one."""
