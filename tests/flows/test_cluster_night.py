"""A whole night with its media stages on a cluster: the same files, and a version."""

import hashlib
from pathlib import Path

import pytest

from tests.flows.conftest import ask, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytest.importorskip("prefect_dask", reason="the extra dask is missing")

pytestmark = pytest.mark.slow


def features(study: Path) -> dict[str, str]:
    """The SHA-256 of each feature file of a recording."""
    files = [
        path for stage in ("quality", "face", "voice", "aligned") for path in study.glob(f"lake/*/{stage}/*.parquet")
    ]
    return {str(path.relative_to(study)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_night_on_a_cluster_leaves_the_same_bits(tmp_path: Path, prefect_server: dict[str, str]) -> None:
    study, landing = tmp_path / "study", tmp_path / "study" / "landing"
    painlake("init", study)
    register(landing, "PT-1", "PT-2")
    for seed in (1, 2):
        deliver(landing, Delivery(f"PT-{seed}", "V1", "film.mp4", film_face(seed)))
    params = study / "params.yaml"
    here = params.read_text()
    params.write_text(here.replace("runner: process", "runner: dask").replace("  workers: 0", "  workers: 2"))
    painlake("ingest", "--study", study, env=prefect_server)
    by_cluster = features(study)
    assert (status(study)["published"], ask(study, "SELECT count(*) AS n FROM recordings")) == (2, [{"n": 2}])
    for name in by_cluster:
        # DVC may have made them read-only; what is missing is made again.
        (study / name).unlink()
    params.write_text(here)
    painlake("ingest", "--study", study, env=prefect_server)
    assert features(study) == by_cluster != {}
    assert not any((study / "state" / "handover").iterdir())
