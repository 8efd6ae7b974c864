"""The study nurse's file: it names people, opens right in a spreadsheet, runs nothing, and leaves a line in the log."""

import csv
import io
from pathlib import Path

import pytest

from pipelines.audit import read_audit
from pipelines.errors import RunInProgressError, UserError
from pipelines.quarantine_export import COLUMNS, export_quarantine
from pipelines.quarantine_list import Wanted
from tests.pipelines.landing_factory import ID, NAME, Hospital, LightStudy, small_mp4

FORMULA = "=HYPERLINK(1).mp4"


def filled(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    study.land()
    hospital.film(b"", f"{NAME} Zoë.mp4")
    hospital.write(FORMULA, small_mp4())
    hospital.score("eleven")
    hospital.score("4", participant_id="007")
    hospital.score("5", participant_id="1E+05")
    hospital.write("consent.csv", b"who;what\n")
    study.land()


def rows_of(file: Path, delimiter: str = ";") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.read_bytes().decode("utf-8-sig"), newline=""), delimiter=delimiter))


def test_it_has_a_line_for_each_delivery_and_each_refused_row_with_the_hospitals_names(
    study: LightStudy, hospital: Hospital, tmp_path: Path
) -> None:
    filled(study, hospital)
    file = tmp_path / "nurse.csv"
    count = export_quarantine(study.study, file)
    rows = rows_of(file)
    assert count == len(rows) == 6
    assert tuple(rows[0]) == COLUMNS
    told = {(row["Kind"], row["Code"]): row for row in rows}
    film = told["recording", "EMPTY_FILE"]
    assert (film["Hospital file"], film["Participant ID"]) == (f"recordings/{ID}/V1/{NAME} Zoë.mp4", ID)
    assert film["What to do next"] == "ask the hospital to deliver the file again"
    wrong = told["row of a table", "VALUE_RANGE"]
    assert (wrong["Hospital file"], wrong["Row in file"], wrong["Participant ID"]) == ("clinical.csv", "2", ID)
    assert "eleven" not in str(rows)
    assert told["table", "CSV_DIALECT"]["Hospital file"] == "consent.csv"
    pseudonym = study.vault.people[0].pseudonym
    assert pseudonym not in file.read_text(encoding="utf-8-sig")


def test_ids_that_a_spreadsheet_would_mangle_stay_text(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    filled(study, hospital)
    export_quarantine(study.study, tmp_path / "nurse.csv", Wanted(kind="row"))
    told = {row["Code"]: row["Participant ID"] for row in rows_of(tmp_path / "nurse.csv")}
    assert (told["UNKNOWN_ID"], told["ID_FORMAT"]) == ("'007", "'1E+05")


def test_a_spreadsheet_runs_nothing_of_it(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    filled(study, hospital)
    for name in ("@SUM(1).mp4", "+1.mp4", "-1.mp4", "\t=1.mp4", "two\nlines.mp4"):
        hospital.write(name, b"x")
    study.land()
    export_quarantine(study.study, tmp_path / "nurse.csv")
    rows = rows_of(tmp_path / "nurse.csv")
    assert f"'{FORMULA}" in {row["Hospital file"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell.lstrip().startswith(("=", "+", "-", "@"))]
    assert not [cell for row in rows for cell in row.values() if "\n" in cell or "\t" in cell]


@pytest.mark.parametrize("delimiter", [";", ",", "\t"])
def test_it_opens_right_where_a_spreadsheet_splits_otherwise(
    study: LightStudy, hospital: Hospital, tmp_path: Path, delimiter: str
) -> None:
    filled(study, hospital)
    export_quarantine(study.study, tmp_path / "nurse.csv", delimiter=delimiter)
    content = (tmp_path / "nurse.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbfDelivery" + delimiter.encode())
    assert content.count(b"\r\n") == content.count(b"\n") == 7
    assert len(rows_of(tmp_path / "nurse.csv", delimiter)) == 6


def test_its_owner_alone_may_read_it_and_the_log_has_its_making(
    study: LightStudy, hospital: Hospital, tmp_path: Path
) -> None:
    filled(study, hospital)
    file = tmp_path / "nurse.csv"
    export_quarantine(study.study, file)
    assert file.stat().st_mode & 0o777 == 0o600
    first, *others = read_audit(study.study)
    assert (first["action"], first["detail"]) == ("quarantine_exported", {"entries": 6})
    assert {entry["action"] for entry in others} == {"quarantine_read"}
    assert ID not in study.study.audit.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "place", ["nurse.csv", "lake/nurse.csv", "landing/nurse.csv", "vault/n.csv", "reports/../n.csv"]
)
def test_it_is_never_written_into_the_study(study: LightStudy, hospital: Hospital, place: str) -> None:
    filled(study, hospital)
    with pytest.raises(UserError, match="inside the study"):
        export_quarantine(study.study, study.study.root / place)
    assert read_audit(study.study) == []


def test_nor_through_a_link_nor_over_another_file(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    filled(study, hospital)
    (tmp_path / "link").symlink_to(study.study.lake)
    with pytest.raises(UserError, match="inside the study"):
        export_quarantine(study.study, tmp_path / "link" / "nurse.csv")
    (tmp_path / "there.csv").write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        export_quarantine(study.study, tmp_path / "there.csv")
    assert (tmp_path / "there.csv").read_text() == "mine"
    with pytest.raises(UserError, match="make it first"):
        export_quarantine(study.study, tmp_path / "nowhere" / "nurse.csv")


def test_a_landing_zone_elsewhere_is_closed_too(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    (tmp_path / "hospital").mkdir()
    text = study.study.params_file.read_text(encoding="utf-8")
    study.study.params_file.write_text(text.replace("landing: landing", f"landing: {tmp_path / 'hospital'}"))
    with pytest.raises(UserError, match="landing zone"):
        export_quarantine(study.study, tmp_path / "hospital" / "nurse.csv")


def test_not_beside_a_run(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    filled(study, hospital)
    with study.study.held(), pytest.raises(RunInProgressError):
        export_quarantine(study.study, tmp_path / "nurse.csv")
    assert not (tmp_path / "nurse.csv").exists()


def test_a_name_that_is_no_utf8_shows(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    hospital.write("no-utf8-\udcff.mp4", b"x")
    study.land()
    export_quarantine(study.study, tmp_path / "nurse.csv")
    assert rows_of(tmp_path / "nurse.csv")[0]["Hospital file"] == "no-utf8-?.mp4"
