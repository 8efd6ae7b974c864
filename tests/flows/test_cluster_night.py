"""A whole night with its media stages on a cluster, a bucket between them: the same files, and a version."""

import shutil
from pathlib import Path

import pytest

from pipelines.lake import recordings
from pipelines.study import Study
from pipelines.vault import Vault
from tests.flows.conftest import ask, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register
from tests.flows.s3_server import client
from tests.pipelines.fleet_factory import Inline, Unmeasured

pytest.importorskip("prefect_dask", reason="the extra dask is missing")

pytestmark = pytest.mark.slow


def measured_here(study: Study, root: Path) -> dict[str, str]:
    """The SHA-256 of each feature file, as this process measures the recordings of a study."""
    found = tuple(recordings(study.lake))
    for recording in found:
        folder = Path(recording.participant) / "recordings"
        shutil.copytree(study.lake / folder, root / "lake" / folder)
    shutil.copyfile(study.params_file, root / "params.yaml")
    vault = Vault.open(study.vault)
    keys = {each.participant: vault.of_pseudonym(each.participant).identity for each in found}
    return Unmeasured(Study(root), found, keys).measure(Inline(), at_once=1)


def test_a_night_on_a_cluster_leaves_the_same_bits_and_an_empty_bucket(
    tmp_path: Path, prefect_server: dict[str, str], s3: dict[str, str]
) -> None:
    study, landing = Study(tmp_path / "study"), tmp_path / "study" / "landing"
    painlake("init", study.root)
    register(landing, "PT-1")
    deliver(landing, Delivery("PT-1", "V1", "film.mp4", film_face(1)))
    asked = {"runner: process": "runner: dask", "workers: 0": "workers: 1", "exchange: null": "exchange: s3://backup/x"}
    params = study.params_file.read_text()
    for before, after in asked.items():
        assert f"\n  {before}\n" in params
        params = params.replace(f"\n  {before}\n", f"\n  {after}\n")
    study.params_file.write_text(params)
    painlake("ingest", "--study", study.root, env=prefect_server | s3)
    assert (status(study.root)["published"], ask(study.root, "SELECT count(*) AS n FROM recordings")) == (1, [{"n": 1}])
    by_cluster = Unmeasured(study, (), {}).digests()
    here = measured_here(study, tmp_path / "here")
    assert {name: by_cluster.get(name) for name in here} == here != {}
    assert client(s3).list_object_versions(Bucket="backup").get("Versions", []) == []
    assert list((study.state / "exchanges").iterdir()) == []
