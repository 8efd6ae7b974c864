from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.params import Params, StudyParams, read_params
from pipelines.params_runner import DaskParams, RayParams


def complaint(path: Path, study: str) -> str:
    path.write_text(f"study: {study}")
    with pytest.raises(UserError) as refused:
        read_params(path)
    return str(refused.value)


def test_the_default_is_this_machines_processes() -> None:
    assert Params().study.runner == "process"
    assert DaskParams().is_here
    assert RayParams().is_here


def test_a_cluster_elsewhere_is_not_here() -> None:
    assert not DaskParams(address="tls://head:8786").is_here
    assert not DaskParams(cluster_class="dask_jobqueue.SLURMCluster").is_here
    assert not RayParams(address="ray://head:10001").is_here


@pytest.mark.parametrize(
    ("study", "said"),
    [
        ("{runner: spark}", "study.runner: Input should be 'process', 'dask' or 'ray' (given: 'spark')"),
        ("{dask: {adress: x}}", "unknown key 'study.dask.adress'; did you mean 'address'?"),
        ("{dask: {cluster_class: SLURMCluster}}", "name it with its package"),
        ("{dask: {address: 'tls://a:1', cluster_class: a.b}}", "not both"),
        ("{dask: {address: 'tls://a:1', cluster_kwargs: {cores: 1}}}", "not both"),
        ("{ray: {wait_s: 0}}", "study.ray.wait_s"),
        ("{exchange: /shared/folder}", "name a bucket, s3://bucket/prefix"),
        ("{exchange: 's3://key:secret@bucket/x'}", "credentials come from the environment"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, study: str, said: str) -> None:
    assert said in complaint(tmp_path / "params.yaml", study)


def test_keyword_arguments_leave_the_parameters_fit_to_be_a_key() -> None:
    with_jobs = StudyParams(dask=DaskParams(cluster_class="a.B", cluster_kwargs={"cores": 4, "extra": ["--x"]}))
    assert hash(with_jobs) == hash(with_jobs.model_copy())
    assert with_jobs != StudyParams()
    assert '"cores":4' in with_jobs.model_dump_json()
