"""Two nights of a small hospital: the first one, and a later one with everything that can change."""

import shutil
from datetime import date
from pathlib import Path

import numpy as np

from pipelines.quarantine_list import Wanted
from pipelines.repository import Repository
from pipelines.study import Study, make_study
from pipelines.try_again import release_from_quarantine
from pipelines.vault import Vault
from tests.flows.crash_factory import Nights
from tests.flows.hospital import Delivery, deliver, register
from tests.pipelines.video_factory import video

_DAY_ZERO = date(2026, 1, 5)


def _film(seed: int, *, sound: bool = True) -> bytes:
    """Half a second of noise; without sound the quality stage refuses it."""
    rng = np.random.default_rng(seed)
    images = [rng.integers(0, 255, (96, 128, 3), dtype=np.uint8) for _ in range(3)]
    hum = (0.3 * np.sin(2 * np.pi * (120 + seed) * np.arange(9600) / 16_000)).astype(np.float32)
    return video([images[index % 3] for index in range(15)], sound=hum if sound else None)


def _know(study: Study, *participant_ids: str) -> None:
    """Enrol people before the night, so that every run of it finds the same pseudonyms and keys."""
    vault = Vault.open(study.vault)
    for each in participant_ids:
        vault.enrol(each, _DAY_ZERO, {})
    vault.save()


def _deliver(study: Study, participant_id: str, visit: str, name: str, media: bytes) -> None:
    tasks = (("reading", 0.0, 0.3), ("free_speech", 0.3, 0.6))
    deliver(study.root / "landing", Delivery(participant_id, visit, name, media, tasks=tasks))


def _add_row(study: Study, table: str, row: str) -> None:
    with (study.root / "landing" / f"{table}.csv").open("a", encoding="utf-8") as handle:
        handle.write(f"{row}\n")


def first(folder: Path) -> Path:
    """A new study: two persons, a duplicate, a film without sound, one of somebody unknown, a row out of range."""
    study = make_study(folder / "study", None, "/remote")
    config = study.root / ".dvc" / "config"
    # A relative one, so that a copy of the study has a remote of its own.
    config.write_text(config.read_text(encoding="utf-8").replace("url = /remote", "url = ../../remote"))
    text = study.params_file.read_text(encoding="utf-8")
    study.params_file.write_text(text.replace("keep_warehouses: 3", "keep_warehouses: 1"), encoding="utf-8")
    Repository(study.root).commit("A remote beside the study")
    _know(study, "PT-1", "PT-2")
    register(study.root / "landing", "PT-1", "PT-2")
    _add_row(study, "clinical", "PT-1,2026-02-11T09:30:00+01:00,99,8,5,1,stable")
    _deliver(study, "PT-1", "V1", "a.mp4", _film(1))
    _deliver(study, "PT-1", "V1", "copy of a.mp4", _film(1))
    _deliver(study, "PT-2", "V1", "b.mp4", _film(2))
    _deliver(study, "PT-2", "V2", "mute.mp4", _film(3, sound=False))
    _deliver(study, "PT-9", "V1", "stranger.mp4", _film(4))
    return study.root


def later(folder: Path, nights: Nights) -> Path:
    """The same study one night on, its first version not at the remote, which is back.

    New since then: a recording, new bytes under an old name (once good, once without sound), changed rows, a stranger
    who is registered and released from quarantine, and a person who took back consent and is filmed all the same.
    """
    root = first(folder)
    study = Study(root)
    _know(study, "PT-3")
    landing = root / "landing"
    register(landing, "PT-1", "PT-2", "PT-3")
    _add_row(study, "clinical", "PT-1,2026-02-11T09:30:00+01:00,99,8,5,1,stable")
    _deliver(study, "PT-3", "V1", "c.mp4", _film(5))
    remote = folder / "remote"
    remote.write_text("a file where a folder should be", encoding="utf-8")
    code, _ = nights.night(root)
    assert code == 0, (folder / "night.log").read_text(encoding="utf-8")
    remote.unlink()
    _know(study, "PT-9")
    register(landing, "PT-1", "PT-2", "PT-3", "PT-9")
    _add_row(study, "consent", "PT-3,2026-03-01T09:00:00+01:00,withdrawn,recording")
    _add_row(study, "clinical", "PT-1,2026-02-11T09:30:00+01:00,9,8,5,1,stable")
    _add_row(study, "clinical", "PT-2,2026-02-12T09:30:00+01:00,-1,8,5,1,stable")
    release_from_quarantine(study, Wanted(code="UNKNOWN_ID"), "registered")
    _deliver(study, "PT-1", "V2", "d.mp4", _film(6))
    _deliver(study, "PT-2", "V1", "b.mp4", _film(7))
    _deliver(study, "PT-1", "V1", "a.mp4", _film(8, sound=False))
    _deliver(study, "PT-3", "V2", "e.mp4", _film(9))
    return root


def copy_of(root: Path, folder: Path) -> Path:
    """A study with its remote, elsewhere."""
    shutil.copytree(root.parent, folder, symlinks=True)
    return folder / root.name
