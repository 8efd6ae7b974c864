"""A study of any size, made in minutes: real vault, ledger, lake, git and, on request, DVC; no media, made-up features.

Persons, consent and clinical rows are taken in by the platform's own code from CSV files. Of each recording the lake
has what the stages leave (twelve tables, a sidecar, a few bytes in place of the encrypted film), and the ledger the
delivery and the units of work under the keys that they would have.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import patch

from benchmarks.simulated_rows import feature_rows, parquet_bytes
from pipelines.deliveries import Delivery
from pipelines.discover import Candidate
from pipelines.landing_zone import FolderLanding, LandedFile
from pipelines.night import Night
from pipelines.parquet import write_parquet
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording, Task
from pipelines.repository import tag_name
from pipelines.stages import MEDIA_STAGES, MediaStage
from pipelines.study import Study, make_study
from pipelines.validate import ValidationOutcome, report_bytes
from pipelines.vault_records import Person
from pipelines.version import write_index
from pipelines.work import key_of
from schemas.core import Table
from schemas.faults import Fate
from schemas.tables import FEATURE_TABLES

PER_PERSON = 5
_DAY = date(2026, 1, 5)
_AT = "2026-06-01T12:00:00+00:00"
_MODEL = Recording(
    "P00000000M-0000M0DE", "P00000000M", "V1", 0, 600, 600, "tablet", "nl", (), hashlib.sha256(b"media").hexdigest()
)
"""What short recordings are copies of: in its files, its name and hashes are exchanged for theirs."""


@dataclass(frozen=True, slots=True)
class Size:
    """How large a study is.

    Args:
        recordings: how many, five a person.
        duration_s: of each.
        copies: whether recordings are copies of one, quickly made and uncompressed, or have numbers of their own.
    """

    recordings: int
    duration_s: float = 2.0
    copies: bool = True

    @property
    def people(self) -> int:
        """How many persons."""
        return -(-self.recordings // PER_PERSON)


def simulate(root: Path, size: Size, *, dvc: bool = False) -> Study:
    """Make a published study in which nothing is left to do.

    Args:
        root: a new folder.
        size: how large.
        dvc: enter the lake into DVC too, which takes longest; else its records are left out.

    Example:
        study = simulate(Path("study"), Size(100))
    """
    with unsynced():
        study = make_study(root, None, None)
        _deliver_tables(study, size)
        night = Night.open(study)
        try:
            night.take_tables(night.look())
            copies = _Copies(night, size)
            people = sorted(night.desk.vault.people, key=lambda person: person.participant_id)
            numbers = range(size.recordings)
            with night.ledger.transaction():
                made = [copies.add(people[number // PER_PERSON], number) for number in numbers]
            _enter_deliveries(night, made)
            _version(night, dvc=dvc)
            run = night.begin()
            night.end(run, "published", whole=True)
        finally:
            night.close()
    return study


def add_recording(study: Study, number: int, duration_s: float = 2.0) -> str:
    """Bring one more recording into the lake of a simulated study, as a night does; its person is then dirty."""
    night = Night.open(study)
    try:
        person = min(night.desk.vault.people, key=lambda each: each.pseudonym)
        one, _ = _Copies(night, Size(1, duration_s)).add(person, number)
        night.ledger.mark_dirty(one.participant)
    finally:
        night.close()
    return one.recording


@contextmanager
def unsynced() -> Iterator[None]:
    """Without waiting for the disk after each of a hundred thousand files: what is made here may be made again."""
    with patch("os.fsync", lambda _: None), patch("os.sync", lambda: None):
        yield


def _hospital_id(number: int) -> str:
    return f"PT-{number:06d}"


def _group(person: int) -> str:
    # A control is filmed once alone, so here all are patients.
    return "control" if person < 0 else "pain"


def _deliver_tables(study: Study, size: Size) -> None:
    landing = study.root / "landing"
    days = [_DAY + timedelta(days=1 + visit) for visit in range(PER_PERSON)]
    people = [_hospital_id(number) for number in range(size.people)]
    tables = {
        "participants": ["participant_id,birth_date,sex,group,site,language,tumour_type,tumour_stage,admission_reason,enrolled_at,exclusion",
                         *(f"{one},1961-05-04,female,{_group(at)},north,nl,breast,II,pain,{_DAY},"
                           for at, one in enumerate(people))],
        "consent": ["participant_id,recorded_at,status,scope",
                    *(f"{one},{_DAY}T08:00:00+01:00,given,recording|ai_research" for one in people)],
        "clinical": ["participant_id,observed_at,nrs_now,nrs_worst_24h,nrs_mean_24h,ecog,clinical_status",
                     *(f"{one},{day}T10:30:00+01:00,6,8,5,1,stable" for one in people for day in days)],
        "medications": ["participant_id,administered_at,atc_code,drug,dose_mg,route",
                        *(f"{one},{day}T08:00:00+01:00,N02AA01,morphine,10,oral" for one in people for day in days)],
    }  # fmt: skip
    for name, lines in tables.items():
        (landing / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


class _Copies:
    """Recordings of one length, written as the stages would leave them."""

    def __init__(self, night: Night, size: Size) -> None:
        self._night = night
        self._size = size
        self._tasks = (
            Task("reading", 0.0, size.duration_s / 2),
            Task("free_speech", size.duration_s / 2, size.duration_s),
        )
        rows = feature_rows(_MODEL.recording, size.duration_s, seed=1)
        self._files = [
            [parquet_bytes(rows[table.name], self._provenance(stage.name)) for table in tables]
            for stage, tables in _tables_by_stage()
        ]

    def _provenance(self, stage: str) -> dict[str, object]:
        made = next(each for each in MEDIA_STAGES if each.name == stage)
        return made.provenance(_model_key(stage), _MODEL, self._night.params, ())

    def add(self, person: Person, number: int) -> tuple[Recording, Path]:
        """Write a recording of a person; gives it and its file in the landing zone."""
        night, lake = self._night, self._night.desk.lake
        name = f"{person.pseudonym}-{night.desk.vault.label('simulated', str(number))}"
        visit = number % PER_PERSON
        media = hashlib.sha256(name.encode()).hexdigest()
        one = Recording(
            name, person.pseudonym, f"V{visit + 1}", visit + 1, 615, (visit + 1) * 1440 + 615, "tablet", "nl",
            self._tasks, media,
        )  # fmt: skip
        folder = recordings_folder(lake, person.pseudonym)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.json").write_bytes(one.to_json())
        (folder / f"{name}.age").write_bytes(media.encode())
        outputs: dict[str, str] = {}
        own = None if self._size.copies else feature_rows(name, self._size.duration_s, number)
        for place, (stage, tables) in enumerate(_tables_by_stage()):
            key = key_of(stage, one, night.params, outputs)
            digest = hashlib.sha256()
            for path, model, table in zip(stage.files(lake, one), self._files[place], tables, strict=True):
                if own is not None:
                    content = write_parquet(path, own[table.name], stage.provenance(key, one, night.params, ()))
                else:
                    content = model.replace(_MODEL.recording.encode(), name.encode())
                    content = content.replace(_MODEL.media_sha256.encode(), media.encode())
                    content = content.replace(_model_key(stage.name).encode(), key.encode())
                    path.parent.mkdir(exist_ok=True)
                    path.write_bytes(content)
                digest.update(hashlib.sha256(content).digest())
            outputs[stage.name] = digest.hexdigest()
            night.ledger.finish_unit(name, stage.name, key, outputs[stage.name])
        visit_folder = night.study.root / "landing" / "recordings" / person.participant_id / one.visit
        visit_folder.mkdir(parents=True, exist_ok=True)
        film = visit_folder / f"film-{number}.mp4"
        film.write_bytes(b"")
        film.with_suffix(".json").write_bytes(b"")
        return one, film


def _model_key(stage: str) -> str:
    return hashlib.sha256(f"key of {stage}".encode()).hexdigest()


def _tables_by_stage() -> list[tuple[MediaStage, list[Table]]]:
    tables = iter(FEATURE_TABLES)
    return [(stage, [next(tables) for _ in stage.endings]) for stage in MEDIA_STAGES]


def _enter_deliveries(night: Night, made: list[tuple[Recording, Path]]) -> None:
    root = night.study.root / "landing"
    landed = {file.path: file for file in FolderLanding(root).files()}
    with night.ledger.transaction():
        for one, film in made:
            path = film.relative_to(root).as_posix()
            _enter(night, one, landed[path], landed[str(Path(path).with_suffix(".json"))])
    night.desk.vault.save()


def _enter(night: Night, one: Recording, media: LandedFile, sidecar: LandedFile) -> None:
    vault = night.desk.vault
    delivery = vault.label("delivery", media.path, "0", length=12)
    vault.remember_name(delivery, media.path)
    night.ledger.enter(
        Delivery(
            delivery, "media", vault.digest("name", media.path), Candidate("media", media, sidecar).stamp,
            hashlib.sha256(one.recording.encode()).hexdigest(), media.size, one.participant, one.recording,
            Fate.PUBLISHED, (), _AT, _AT,
        )
    )  # fmt: skip


def _version(night: Night, *, dvc: bool) -> None:
    """A commit with a tag, known to the ledger; the checks and the DuckDB file are left out."""
    study, repository = night.study, night.repository
    (study.reports / "validation.json").write_bytes(report_bytes(ValidationOutcome(())))
    if dvc:
        night.ledger.mark_dirty(*(person.pseudonym for person in night.desk.vault.people))
        commit = night.version.commit()
    else:
        # As `dvc add` does, so that git does not take the data in.
        (study.lake / ".gitignore").write_text("/P*\n", encoding="utf-8")
        write_index(study.lake, study.index)
        (study.reports / "dataset.json").write_text("{}\n", encoding="utf-8")
        commit = repository.commit("Simulated")
    repository.tag(1, tag_name(1))
    night.ledger.publish_version(1, commit or repository.head(), [], _AT)
    night.ledger.clear_dirty()


__all__ = ["PER_PERSON", "Size", "add_recording", "simulate", "unsynced"]
