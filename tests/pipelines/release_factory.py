"""A study with a published warehouse of some dozens of people, and the vault that knows them; without any media."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from expectations.results import CheckResult
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.vault_records import ConsentEvent
from schemas.clinical import CLINICAL_OBSERVATIONS, MEDICATIONS, QUESTIONNAIRE_ITEMS
from schemas.people import PARTICIPANTS
from tests.pipelines.lake_factory import pseudonym, write_clinical, write_recording

PEOPLE = 24
UNSHARED = 4
"""Consented to the study alone."""
WITHDRAWN = 6
"""Has taken back consent to be recorded."""
RARE = 7
"""The only one with a drug, a status and a reason of their own."""
TUMOURS = {1: "sarcoma", 3: "mesothelioma", 5: "melanoma", RARE: "thymoma", 11: "chordoma"}
"""Of one person each; the other patients have another."""
TWICE = 9
"""Has a recording that a later one replaced."""
ENGLISH = (2, 8, 10)
"""Too few to stand out by their language; recorded in Dutch all the same."""
FIRST_DAY = 3
OURS = Path(__file__).parents[2] / "params.yaml"


@dataclass(frozen=True)
class PublishedStudy:
    """A study after its first night; `hospital_ids` are in its vault alone."""

    study: Study
    hospital_ids: tuple[str, ...]


def published_study(root: Path) -> PublishedStudy:
    """Half are patients, half controls; each person's day and scores tell who they are, to whoever made them up."""
    study = Study(root)
    for folder in (study.lake, study.warehouse, study.reports):
        folder.mkdir(parents=True)
    study.params_file.write_bytes(OURS.read_bytes())
    (study.root / "dvc.yaml").touch()
    vault = Vault.create(study.vault)
    ids = []
    for number in range(1, PEOPLE + 1):
        _write(study.lake, number)
        ids.append(f"MRN-4711{number:03d}")
        _enrol(vault, ids[-1], number)
    vault.save()
    passed = CheckResult("values", "au_frames", "range", "pspi", "critical", success=True)
    record = VersionRecord(1, "0.1.0", "2026-11-21T02:00:00Z", "ab" * 20, "c" * 64, "d" * 64)
    publish(study.lake, study.warehouse, record, [passed], PublishParams())
    return PublishedStudy(study, tuple(ids))


def marker(number: int) -> float:
    """A score that only this person has."""
    return number / 4


def _enrol(vault: Vault, hospital_id: str, number: int) -> None:
    person = vault.enrol(hospital_id, date(2026, 3, 1), {"birth_date": "1961-05-04", "site": "north"})
    # As in the lake; a vault's own pseudonyms are random.
    person.pseudonym = pseudonym(number)
    scopes = ["recording", "ai_research", *(["sharing"] if number != UNSHARED else [])]
    person.consent += [ConsentEvent("2026-03-01T08:00:00+00:00", "given", scope) for scope in scopes]
    if number == WITHDRAWN:
        person.consent.append(ConsentEvent("2026-04-01T08:00:00+00:00", "withdrawn", "recording"))


def _write(lake: Path, number: int) -> None:
    patient = number % 2 == 1
    write_clinical(lake, number, PARTICIPANTS, [{
        "group": "pain" if patient else "control",
        "sex": "female",
        "age_band": "60-69" if number % 4 == 2 else "50-59",
        "site": "north",
        "language": "en" if number in ENGLISH else "nl",
        "tumour_type": TUMOURS.get(number, "breast") if patient else None,
        "admission_reason": "a reason of one" if number == RARE else "chemotherapy",
    }])  # fmt: skip
    write_clinical(lake, number, CLINICAL_OBSERVATIONS, [
        {"study_day": FIRST_DAY + day, "study_minute": 10_000 + day * 1440, "nrs_now": marker(number),
         "clinical_status": "dying" if number == RARE else "stable"}
        for day in (0, 8)
    ])  # fmt: skip
    write_clinical(lake, number, MEDICATIONS, [
        {"study_minute": 9_000, "atc_code": "N02AA01", "drug": "morphine", "dose_mg": 10.0, "route": "oral"},
        {"study_minute": 9_010, "atc_code": "N02AB03" if number == RARE else "N02BE01", "drug": "x", "dose_mg": 1.0, "route": "oral"},
    ] if patient else [])  # fmt: skip
    write_clinical(lake, number, QUESTIONNAIRE_ITEMS, [
        {"study_minute": 9_500, "instrument": "HADS", "item": "a1", "value": 2.0},
    ])  # fmt: skip
    write_recording(lake, number, 1)
    if number == TWICE:
        write_recording(lake, number, 2, superseded=True)
