"""What an erasure's receipt says of places that PainLake does not reach into."""

from pathlib import Path

from pipelines.receipt import beyond_reach
from pipelines.study import make_study
from pipelines.vault import Vault


def test_a_folder_of_openfaces_files_is_named_where_one_is_set(tmp_path: Path) -> None:
    study = make_study(tmp_path / "study", None, None)
    vault = Vault.open(study.vault)
    assert not any("OpenFace" in place for place in beyond_reach(study, vault, [], ()))
    params = study.params_file.read_text()
    study.params_file.write_text(params.replace("csv_folder: null", "csv_folder: /srv/openface"))
    (named,) = [place for place in beyond_reach(study, vault, [], ()) if "OpenFace" in place]
    assert named.startswith("/srv/openface: ")
