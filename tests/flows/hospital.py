"""Delivering by hand: one person, any media, as the landing contract has it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.synthetic.face import FaceModel
from tests.pipelines.video_factory import video

CONSENT_AT = "2026-01-05T09:00:00+01:00"


@dataclass(frozen=True)
class Delivery:
    """A media file that is to land."""

    participant_id: str
    visit: str
    name: str
    media: bytes
    recorded_at: str = "2026-02-10T10:00:00+01:00"
    tasks: tuple[tuple[str, float, float], ...] = (("reading", 0.0, 1.0), ("free_speech", 1.0, 2.0))


def film_face(seed: int, seconds: float = 2.0) -> bytes:
    """An MP4 of a synthetic face that frowns, with a humming sound."""
    face = FaceModel(seed, width=320, height=240)
    poses = [face.render({"AU04": strength, "AU25": strength}) for strength in (0.0, 0.5, 1.0, 0.5)]
    times = np.arange(int(seconds * 16_000)) / 16_000
    sound = (0.3 * np.sin(2 * np.pi * (120 + seed) * times) * (1 + np.sin(2 * np.pi * 3 * times)) / 2).astype(
        np.float32
    )
    return video([poses[frame // 6 % 4] for frame in range(int(seconds * 25))], sound=sound)


def deliver(landing: Path, delivery: Delivery) -> Path:
    """Put a media file and its sidecar into the landing zone."""
    folder = landing / "recordings" / delivery.participant_id / delivery.visit
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / delivery.name
    path.write_bytes(delivery.media)
    sidecar = {
        "participant_id": delivery.participant_id,
        "visit": delivery.visit,
        "recorded_at": delivery.recorded_at,
        "device": "Camera 1",
        "language": "en",
        "sha256": hashlib.sha256(delivery.media).hexdigest(),
        "tasks": [{"name": name, "start_s": start, "end_s": end} for name, start, end in delivery.tasks],
    }
    path.with_suffix(".json").write_text(json.dumps(sidecar), encoding="utf-8")
    return path


def register(landing: Path, *participant_ids: str) -> None:
    """Write the five tables for pain patients who consented and scored once."""
    landing.mkdir(parents=True, exist_ok=True)
    tables = {
        "participants": "participant_id,birth_date,sex,group,site,language,tumour_type,tumour_stage,admission_reason,enrolled_at,exclusion",
        "consent": "participant_id,recorded_at,status,scope",
        "clinical": "participant_id,observed_at,nrs_now,nrs_worst_24h,nrs_mean_24h,ecog,clinical_status",
        "medications": "participant_id,administered_at,atc_code,drug,dose_mg,route",
        "questionnaires": "participant_id,completed_at,instrument,item,value",
    }
    for one in participant_ids:
        tables["participants"] += f"\n{one},1960-04-02,female,pain,Rotterdam,en,lung,III,pain,2026-01-05,"
        for scope in ("recording", "ai_research", "sharing"):
            tables["consent"] += f"\n{one},{CONSENT_AT},given,{scope}"
        tables["clinical"] += f"\n{one},2026-02-10T09:30:00+01:00,6,8,5,1,stable"
        tables["medications"] += f"\n{one},2026-02-10T08:00:00+01:00,N02AA01,morphine,10,oral"
        tables["questionnaires"] += f"\n{one},2026-02-10T11:00:00+01:00,HADS,HADS_1,2"
    for name, text in tables.items():
        (landing / f"{name}.csv").write_text(text + "\n", encoding="utf-8")
