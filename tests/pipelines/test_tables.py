"""Delivered tables: each row gets its fate, persons and consent go to the vault, clinical rows to the lake."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.discover import table_files
from pipelines.errors import Rejection
from pipelines.ledger_counts import counts
from pipelines.tables import clinical_folder
from schemas.faults import Fate
from tests.pipelines.landing_factory import ENROLLED, ID, NAME, Hospital, LightStudy

OTHER = "MRN-0815000"


def lake_table(study: LightStudy, name: str, participant_id: str = ID) -> pl.DataFrame:
    person = study.vault.person(participant_id)
    assert person is not None
    return pl.read_parquet(clinical_folder(study.study.lake, person.pseudonym) / f"{name}.parquet")


def scores(study: LightStudy) -> list[float]:
    return lake_table(study, "clinical_observations")["nrs_now"].to_list()


def test_a_consenting_person_becomes_a_row_without_identity(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    study.land()
    person = study.vault.person(ID)
    assert person is not None
    assert lake_table(study, "participants").rows(named=True) == [
        {
            "participant": person.pseudonym, "group": "pain", "sex": "female", "age_band": "60-69", "site": "north",
            "language": "nl", "tumour_type": "breast", "tumour_stage": None, "admission_reason": None,
        }
    ]  # fmt: skip
    assert person.day_zero == ENROLLED
    assert study.ledger.dirty() == [person.pseudonym]


def test_without_consent_nothing_of_a_person_reaches_the_lake(study: LightStudy, hospital: Hospital) -> None:
    hospital.register()
    hospital.score("4")
    study.land()
    assert study.vault.person(ID) is not None
    assert list(study.study.lake.iterdir()) == []
    assert study.rows("clinical") == {"landed": 1, "published": 0, "quarantined": 1}
    assert counts(study.ledger)["reasons"]["NO_CONSENT"] >= 1


def test_scopes_may_stand_together_in_one_cell(study: LightStudy, hospital: Hospital) -> None:
    hospital.register()
    hospital.consent(scopes=["Recording|AI_research"])
    study.land()
    assert lake_table(study, "participants").height == 1


@pytest.mark.parametrize("scope", ["everything", "recording|everything", "|"])
def test_a_scope_that_does_not_exist_is_refused(study: LightStudy, hospital: Hospital, scope: str) -> None:
    hospital.register()
    hospital.consent(scopes=[scope])
    study.land()
    person = study.vault.person(ID)
    assert person is not None
    assert person.consent == []
    assert counts(study.ledger)["reasons"]["VALUE_RANGE"] == 1


def test_times_become_study_time_and_right_across_the_clock_change(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.score("4", at="2026-03-28 23:30")
    hospital.score("5", at="2026-03-29 12:00")
    study.land()
    times = lake_table(study, "clinical_observations").select("study_day", "time_of_day_min", "study_minute").rows()
    assert times == [(27, 1410, 27 * 1440 + 1410), (28, 720, 28 * 1440 + 660)]


def test_each_refused_row_has_its_code_and_the_others_go_on(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    dose = {"participant_id": ID, "atc_code": "N02AA01", "dose_mg": "10", "route": "oral"}
    at = [f"2026-03-15 {hour:02d}:00" for hour in range(10)]
    hospital.table(
        "medications",
        dose | {"administered_at": at[0]},
        dose | {"administered_at": at[1], "dose_mg": "-1"},
        dose | {"administered_at": at[2], "participant_id": "1E+05"},
        dose | {"administered_at": at[3], "participant_id": OTHER},
        dose | {"administered_at": at[4], "drug": f"mevrouw {NAME}"},
        dose | {"administered_at": at[5]},
        dose | {"administered_at": at[5], "dose_mg": "20"},
        dose | {"administered_at": at[0]},
    )
    study.land()
    assert study.rows("medications") == {"landed": 8, "published": 1, "quarantined": 6, "duplicate": 1}
    assert counts(study.ledger)["reasons"] == {
        "VALUE_RANGE": 1, "ID_FORMAT": 1, "UNKNOWN_ID": 1, "FREE_TEXT_PII": 1, "KEY_CONFLICT": 2,
    }  # fmt: skip
    assert lake_table(study, "medications").height == 1


def test_refused_rows_are_kept_sealed_with_line_code_and_text(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.score("eleven")
    study.land()
    kept = study.quarantine.fetch(f"{study.entry('clinical.csv').delivery}-rows")
    assert kept is not None
    assert b'"line": 2, "code": "VALUE_RANGE"' in kept[1]
    assert b"eleven" in kept[1]


def test_a_corrected_value_replaces_the_earlier_one(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15 09:00", "nrs_now": "4"})
    study.land()
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15 09:00", "nrs_now": "6"})
    study.land()
    assert scores(study) == [6.0]


def test_rows_that_a_later_file_lacks_stay(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15 09:00", "nrs_now": "4"})
    study.land()
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-14 09:00", "nrs_now": "3"})
    study.land()
    assert scores(study) == [3.0, 4.0]
    assert study.rows("clinical")["published"] == 2


def test_the_same_rows_in_another_dialect_and_order_change_nothing(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    rows = [{"participant_id": ID, "observed_at": f"2026-03-1{day} 09:00", "nrs_now": f"{day},5"} for day in (4, 5)]
    hospital.table("clinical", *rows)
    study.land()
    study.ledger.clear_dirty()
    columns = ["nrs_now", "clinical_status", "ecog", "nrs_mean_24h", "nrs_worst_24h", "observed_at", "participant_id"]
    changed = [row | {"nrs_now": row["nrs_now"].replace(",", ".")} for row in reversed(rows)]
    hospital.table("clinical", *changed, columns=columns, delimiter=",")
    study.land()
    assert study.ledger.dirty() == []
    assert study.rows("clinical") == {"landed": 2, "published": 2, "quarantined": 0}


def test_rows_of_a_person_who_is_registered_later_are_taken_in_then(study: LightStudy, hospital: Hospital) -> None:
    hospital.score("4")
    study.land()
    assert counts(study.ledger)["reasons"] == {"UNKNOWN_ID": 1}
    hospital.admit()
    study.land()
    assert study.rows("clinical") == {"landed": 1, "published": 1, "quarantined": 0}
    assert scores(study) == [4.0]


def test_after_withdrawal_new_rows_are_refused(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.score("4")
    study.land()
    hospital.consent("withdrawn", "2026-04-01 09:00")
    hospital.score("5", at="2026-03-16 09:00")
    study.land()
    assert scores(study) == [4.0]
    assert study.rows("clinical")["quarantined"] == 1


def test_pseudonym_and_day_zero_stay_when_the_register_changes(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    study.land()
    before = study.vault.person(ID)
    assert before is not None
    pseudonym = before.pseudonym
    known = {name: value or "" for name, value in before.register.items()}
    hospital.table("participants", known | {"participant_id": ID, "site": "south", "enrolled_at": "2026-05-01"})
    study.land()
    after = study.vault.person(ID)
    assert after is not None
    assert (after.pseudonym, after.day_zero) == (pseudonym, ENROLLED)
    assert lake_table(study, "participants")["site"].to_list() == ["south"]


def test_nobody_is_born_after_enrolment(study: LightStudy, hospital: Hospital) -> None:
    hospital.register(birth_date="2026-03-02")
    study.land()
    assert study.vault.people == []
    assert counts(study.ledger)["reasons"] == {"VALUE_RANGE": 1}


def test_impossible_dates_of_a_known_person_are_refused_too(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    study.land()
    person = study.vault.person(ID)
    assert person is not None
    known = {name: value or "" for name, value in person.register.items()}
    hospital.table("participants", known | {"participant_id": ID, "birth_date": "2026-03-02", "site": "south"})
    study.land()
    assert study.rows("participants") == {"landed": 2, "published": 1, "quarantined": 1}
    assert counts(study.ledger)["reasons"] == {"VALUE_RANGE": 1}
    assert (person.register["birth_date"], person.register["site"]) == ("1961-05-04", "north")


@pytest.mark.parametrize(
    ("code", "content"),
    [
        ("CSV_DIALECT", b"PK\x03\x04\x00\x00 an Excel file"),
        ("SCHEMA_DRIFT", b"participant_id;observed_at;pain\n007;2026-03-15;4\n"),
    ],
)
def test_a_table_that_cannot_be_used_is_quarantined_whole_and_earlier_rows_stay(
    study: LightStudy, hospital: Hospital, code: str, content: bytes
) -> None:
    hospital.admit()
    hospital.score("4")
    study.land()
    hospital.write("clinical.csv", content)
    study.land()
    entry = study.entries("clinical.csv")[-1]
    assert (entry.kind, entry.fate, entry.codes) == ("table", Fate.QUARANTINED, (code,))
    assert study.quarantine.fetch(entry.delivery) == ("clinical.csv", content, None)
    assert scores(study) == [4.0]
    assert not study.look().anything


def test_a_table_that_cannot_be_read_is_quarantined(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()

    def refuse(_: object, path: str) -> bytes:
        raise Rejection("UNREADABLE", "Permission denied")

    monkeypatch.setattr("pipelines.landing_zone.FolderLanding.read", refuse)
    study.land()
    assert study.entry("participants.csv").codes == ("UNREADABLE",)


def test_a_table_that_returns_to_earlier_content_is_settled_at_once(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    for nrs in ("4", "6", "4"):
        hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15 09:00", "nrs_now": nrs})
        study.land()
    assert scores(study) == [4.0]
    assert not study.look().anything


def test_a_killed_intake_taken_up_again_gives_the_same(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    hospital.admit()
    hospital.score("4")
    study.land()
    person = study.vault.person(ID)
    assert person is not None
    folder = clinical_folder(study.study.lake, person.pseudonym)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    (folder / "clinical_observations.parquet").unlink()
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15T09:00:00+01:00", "nrs_now": "4"})
    study.land()
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_table_is_entered_when_all_that_it_gives_is_in_the_lake_and_not_before(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    hospital.admit()
    hospital.score("4")
    with monkeypatch.context() as patched:
        patched.setattr(type(study.ledger), "enter", killed)
        with pytest.raises(KeyboardInterrupt):
            study.land()
    assert lake_table(study, "participants").height == 1
    assert study.look().tables_changed


def test_tables_are_found_by_name_and_links_are_not(study: LightStudy, hospital: Hospital) -> None:
    hospital.score("4")
    (study.landing.root / "consent.csv").symlink_to(study.landing.root / "clinical.csv")
    assert list(table_files(study.landing.files())) == ["clinical"]
