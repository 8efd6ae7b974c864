"""Films for OpenFace elsewhere: those without a CSV, stripped, under their names, entered in the audit log; no others."""

from pathlib import Path

import pytest

from pipelines.audit import read_audit
from pipelines.errors import Reason, UserError
from pipelines.export_films import export_films
from pipelines.media import video_frames
from pipelines.recording import Recording
from pipelines.set_aside import keep_bytes, set_aside, take_out
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4

PATH = "recordings/MRN-4711007/V1/Annemarie-Grootenboer.mp4"


@pytest.fixture
def csv_folder(study: LightStudy, tmp_path: Path) -> Path:
    folder = tmp_path / "csv"
    folder.mkdir()
    params = study.study.params_file
    params.write_text(params.read_text().replace("csv_folder: null", f"csv_folder: {folder}"))
    return folder


@pytest.fixture
def in_lake(study: LightStudy, hospital: Hospital) -> Recording:
    hospital.admit()
    hospital.film(small_mp4())
    (recording,) = study.night()
    return recording


def test_a_film_in_the_lake_is_written_under_its_name_for_its_owner_alone(
    study: LightStudy, csv_folder: Path, in_lake: Recording, tmp_path: Path
) -> None:
    out = tmp_path / "films"
    (path,) = export_films(study.study, out)
    assert path == out / f"{in_lake.recording}.mp4"
    assert [oct(each.stat().st_mode & 0o777) for each in (out, path)] == ["0o700", "0o600"]
    assert sum(1 for _ in video_frames(path.read_bytes(), pixels="luma")) > 0
    entered = [e for e in read_audit(study.study) if e["action"] == "recording_decrypted"]
    assert [(e["subject"], e["detail"]) for e in entered] == [(in_lake.recording, {"stage": "export"})]


def test_what_has_its_csv_is_not_handed_out(
    study: LightStudy, csv_folder: Path, in_lake: Recording, tmp_path: Path
) -> None:
    (csv_folder / f"{in_lake.recording}.csv").write_text("")
    assert export_films(study.study, tmp_path / "films") == []


@pytest.mark.parametrize("code", ["ENGINE_INPUT_MISSING", "ENGINE_INPUT_UNFIT"])
def test_a_film_that_waits_is_handed_out_under_the_name_it_will_have(
    study: LightStudy, hospital: Hospital, csv_folder: Path, in_lake: Recording, tmp_path: Path, *, code: str
) -> None:
    entry = study.entry(PATH)
    keep_bytes(study.desk, entry)
    take_out(study.desk, in_lake)
    set_aside(study.desk, entry.delivery, Reason(code, ""))
    (hospital.folder / PATH).unlink()
    (path,) = export_films(study.study, tmp_path / "films")
    assert path.stem == in_lake.recording
    assert b"moov" in path.read_bytes()


def test_of_who_took_back_consent_none_is_handed_out(
    study: LightStudy, hospital: Hospital, csv_folder: Path, in_lake: Recording, tmp_path: Path
) -> None:
    hospital.consent("withdrawn", "2026-05-01T09:00:00+02:00")
    study.land()
    assert export_films(study.study, tmp_path / "films") == []


@pytest.mark.parametrize("where", ["study", "landing"])
def test_films_are_written_outside_the_study(study: LightStudy, csv_folder: Path, where: str) -> None:
    folder = study.study.root if where == "study" else study.study.root / "landing"
    with pytest.raises(UserError, match="write elsewhere"):
        export_films(study.study, folder / "films")


def test_a_folder_that_holds_something_is_refused(study: LightStudy, csv_folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not empty"):
        export_films(study.study, csv_folder.parent)


def test_without_a_folder_of_csv_files_nothing_is_handed_out(study: LightStudy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"set face\.openface\.csv_folder"):
        export_films(study.study, tmp_path / "films")
