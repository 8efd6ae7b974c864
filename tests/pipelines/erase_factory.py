"""A versioned study of three persons without any media: what erasure works on, made by the stages' own writers."""

import json
import sys
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pipelines.audit import open_audit
from pipelines.deliveries import Delivery
from pipelines.durable import write_durably
from pipelines.erase import Eraser
from pipelines.errors import Reason
from pipelines.ledger import Ledger
from pipelines.params import ValidateParams
from pipelines.quarantine import Quarantine
from pipelines.repository import Repository
from pipelines.study import Study, make_study
from pipelines.validate import ValidationOutcome, report_bytes
from pipelines.vault import Vault
from pipelines.vault_records import ConsentEvent, Person
from pipelines.version import Versioning
from schemas.faults import Fate
from tests.pipelines.lake_factory import pseudonym, recording_name, write_person, write_recording

WHO = "MRN-4711001"
"""The hospital's ID of the person who is erased; the others' follow it."""
PERSON = pseudonym(1)
FILM = "Annemarie-Grootenboer.mp4"
_DAY = date(2026, 1, 5)
AT = "2026-06-01T12:00:00+00:00"


def hospital_id(number: int) -> str:
    return f"MRN-471100{number}"


def passes(lake: Path, report: Path, params: ValidateParams) -> ValidationOutcome:
    """In place of the checks, which take ten seconds to import their library."""
    outcome = ValidationOutcome(())
    write_durably(report, report_bytes(outcome))
    return outcome


def film(lake: Path, person: int, number: int) -> str:
    """A recording with what stands for its encrypted media."""
    name = write_recording(lake, person, number)
    (lake / pseudonym(person) / "recordings" / f"{name}.age").write_bytes(f"sealed {name}".encode() * 50)
    return name


@dataclass(slots=True)
class MadeStudy:
    """A study with what belongs to it opened."""

    study: Study
    vault: Vault
    ledger: Ledger

    @property
    def versioning(self) -> Versioning:
        return Versioning(self.study, self.study.params(), self.ledger, Repository(self.study.root))

    @property
    def quarantine(self) -> Quarantine:
        return Quarantine(self.study.quarantine, self.vault, ledger=self.ledger)

    def publish(self, *people: int) -> int:
        """A version of the lake as it stands, pushed."""
        self.ledger.mark_dirty(*(pseudonym(each) for each in people))
        outcome = passes(self.study.lake, self.study.reports / "validation.json", ValidateParams())
        commit = self.versioning.commit()
        assert commit is not None
        number = self.versioning.publish(commit, outcome)
        self.versioning.push()
        return number

    def enrol(self, number: int) -> None:
        identity = self.vault.enrol(f"somebody {number}", _DAY, {}).identity
        person = Person(
            hospital_id(number), pseudonym(number), identity, _DAY.isoformat(), {"birth_date": "1961-05-04"},
            [ConsentEvent("2026-01-05T08:00:00+00:00", "given", scope) for scope in ("recording", "ai_research")],
        )  # fmt: skip
        del self.vault._people[f"somebody {number}"]
        self.vault._people[person.participant_id] = person
        self.vault._by_pseudonym = {each.pseudonym: each for each in self.vault.people}

    def deliver(self, number: int, name: str, recording: str | None, *codes: str) -> str:
        """Enter a delivery of a person under its name; without a recording it is set aside."""
        path = f"recordings/{hospital_id(number)}/V1/{name}"
        delivery = self.vault.label("delivery", path, length=12)
        fate = Fate.QUARANTINED if recording is None else Fate.DEFERRED
        reasons = tuple(Reason(code, "") for code in codes)
        who = None if recording is None else pseudonym(number)
        digest = self.vault.digest("name", path)
        self.vault.remember_name(delivery, path)
        self.ledger.enter(
            Delivery(
                delivery, "media", digest, "1:1", self.vault.digest(path), 9, who, recording, fate, reasons, AT, AT
            )
        )
        if recording is None:
            self.quarantine.keep(delivery, path, b"bytes of " + name.encode())
        return delivery


def make(root: Path, remote: str | None = None) -> MadeStudy:
    """Three persons; two versions, of which the second has one recording more of persons 1 and 3."""
    study = make_study(root / "study", None, remote or str(root / "remote"))
    if remote is None:
        # A relative one, so that a copy of the study has a remote of its own.
        Repository(study.root).dvc("remote", "modify", "store", "url", "../remote")
    made = MadeStudy(study, Vault.open(study.vault), Ledger(study.ledger))
    for number in (1, 2, 3):
        made.enrol(number)
        write_person(study.lake, number, 0)
        made.deliver(number, FILM if number == 1 else f"film-{number}.mp4", film(study.lake, number, 1))
    made.deliver(1, "Grootenboer-cut.mp4", None, "NO_INDEX")
    made.deliver(2, "cut.mp4", None, "NO_INDEX")
    _tables(made)
    made.vault.save()
    made.publish(1, 2, 3)
    for number in (1, 3):
        made.deliver(number, f"again-{number}.mp4", film(study.lake, number, 2))
    made.vault.save()
    made.publish(1, 3)
    write_durably(study.log, f"INFO {recording_name(1, 1)} measured\nINFO {recording_name(2, 1)} measured\n".encode())
    return made


def _tables(made: MadeStudy) -> None:
    """A table of which two rows were set aside, one of them of the person who is erased; and one that cannot be read."""
    rows = [json.dumps([hospital_id(number), "9999"]) for number in (1, 2)]
    for number, name in ((0, "clinical.csv"), (1, "consent.csv")):
        delivery = f"TABLE{number}"
        fate = Fate.PUBLISHED if number == 0 else Fate.QUARANTINED
        reasons = () if number == 0 else (Reason("SCHEMA_DRIFT", ""),)
        made.vault.remember_name(delivery, name)
        made.ledger.enter(
            Delivery(
                delivery, "table", made.vault.digest("name", name), "1:1", "ab", 9, None, None, fate, reasons, AT, AT
            )
        )
    sealed = "\n".join(json.dumps({"line": 2, "code": "VALUE_RANGE", "text": text}) for text in rows).encode()
    made.quarantine.keep("TABLE0-rows", "clinical.csv: rows", sealed)
    made.quarantine.keep("TABLE1", "consent.csv", f"id;x\r\n{hospital_id(1)};1\r\n{hospital_id(2)};2\r\n".encode())
    digests = [made.vault.digest("row", "clinical", text, "1") for text in rows]
    made.ledger.record_rows("clinical", [(each, None, "quarantined", "VALUE_RANGE") for each in digests])
    made.ledger.record_rows("medications", [("x1", PERSON, "published", None), ("x2", pseudonym(2), "published", None)])


def erase(root: Path) -> dict[str, object]:
    """What `painlake erase` does, with the checks left out."""
    study = Study(root)
    with study.held():
        vault, ledger = Vault.open(study.vault), Ledger(study.ledger)
        audit = open_audit(study, vault)
        try:
            return Eraser(study, study.params(), vault, ledger, audit, passes).erase_id(WHO, "asked for it")
        finally:
            audit.save_head()
            audit.close()
            ledger.close()


if __name__ == "__main__":
    erase(Path(sys.argv[1]))
