"""Who is in the synthetic study: persons, their visits and their pain, all drawn from a seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from pipelines.synthetic.recording import Container, Take
from pipelines.synthetic.speech import Voice

HOSPITAL_ZONE: Final = ZoneInfo("Europe/Amsterdam")
_FIRST_DAY: Final = date(2025, 3, 10)
_GIVEN: Final[Mapping[str, tuple[str, ...]]] = {
    "female": ("Anneke", "Marijke", "Fatima", "Johanna", "Saskia", "Wilhelmina", "Rosalind", "Annemarie"),
    "male": ("Willem", "Cornelis", "Mohammed", "Pieter", "Johannes", "Frederik", "Reginald", "Hendrik"),
}
_FAMILY: Final = (
    "Verhoeven", "Dijkstra", "Hoekstra", "Vermeulen", "Terpstra", "Kuipers", "Benali", "Zandstra", "Oosterhuis",
    "Wagenaar", "Schouten", "Timmermans", "Brouwers", "Huizinga", "Ravensbergen", "Whitfield",
)  # fmt: skip
_SITES: Final = ("North", "South")
_TUMOURS: Final = ("breast", "lung", "colorectal", "prostate", "pancreas", "multiple myeloma")
_STAGES: Final = ("II", "III", "IV")
_REASONS: Final = ("pain control", "chemotherapy", "radiotherapy", "observation")
_DEVICES: Final = ("iPad Pro 11", "Canon EOS R50", "Pixel 9")
CAMERA_PREFIX: Final = "IMG_"
"""How a camera names its files, when nobody writes down who was filmed."""
_ENDINGS: Final[Mapping[Container, str]] = {"mp4": "mp4", "mov": "mov", "matroska": "mkv"}


@dataclass(frozen=True, slots=True)
class Visit:
    """One day of filming: `recorded_at` carries its zone, `nrs` is the pain score then."""

    label: str
    recorded_at: datetime
    nrs: int
    name: str
    take: Take


@dataclass(frozen=True, slots=True)
class Person:
    """One person of the study as the hospital knows them; `seed` makes face, voice and scores."""

    participant_id: str
    given: str
    family: str
    mrn: str
    gps: str
    birth_date: date
    sex: str
    group: str
    site: str
    language: str
    tumour_type: str
    tumour_stage: str
    admission_reason: str
    enrolled_on: date
    exclusion: str
    device: str
    seed: int
    visits: tuple[Visit, ...] = ()

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given} {self.family}"

    def voice(self) -> Voice:
        """The person's voice, the same at every visit."""
        rng = np.random.default_rng([self.seed, 2])
        return Voice(
            sex="female" if self.sex == "female" else "male",
            variant=int(rng.integers(1, 6)),
            pitch=round(float(rng.uniform(0.85, 1.2)), 3),
            words_per_minute=int(rng.integers(150, 186)),
        )

    def take(self, seed: int, recorded_at: datetime, seconds: float, pain: float, container: Container) -> Take:
        """A recording of this person, with their identity in its tags."""
        return Take(
            seed=seed,
            person=self.seed,
            voice=self.voice(),
            language=self.language,
            seconds=seconds,
            pain=pain,
            tags=(
                ("title", self.name),
                ("artist", self.device),
                ("comment", f"{self.mrn} born {self.birth_date.isoformat()} id {self.participant_id}"),
                ("location", self.gps),
                ("creation_time", recorded_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000000Z")),
            ),
            handler=self.name,
            container=container,
        )

    def identifiers(self) -> set[str]:
        """What must be found nowhere outside landing and vault; short ids such as `007` stand everywhere by chance."""
        named = {visit.name for visit in self.visits if not visit.name.startswith(CAMERA_PREFIX)}
        told = {self.name, self.given + self.family, self.family, self.mrn, self.gps, self.birth_date.isoformat()}
        return named | told | ({self.participant_id} if len(self.participant_id) >= 4 else set())


def make_person(index: int, seed: int, *, group: str, participant_id: str | None = None) -> Person:
    """Draw one person, without visits.

    Args:
        index: the person's number; nobody else's draw depends on it.
        seed: the study's.
        group: `pain` or `control`.
        participant_id: as the hospital writes it; otherwise half are like `007` and half like `PT-1042`.
    """
    rng = np.random.default_rng([seed, index])
    sex = "female" if rng.random() < 0.6 else "male"
    own = participant_id or (f"{index * 7 + 3:03d}" if index % 2 else f"PT-{1000 + 37 * index + int(rng.integers(30))}")
    latitude, longitude = rng.uniform(50.8, 53.4), rng.uniform(3.6, 7.1)
    return Person(
        participant_id=own,
        given=_GIVEN[sex][int(rng.integers(len(_GIVEN[sex])))],
        family=_FAMILY[(index + seed) % len(_FAMILY)] + ("" if index < len(_FAMILY) else f"-{_FAMILY[index % 7]}"),
        mrn=f"MRN{int(rng.integers(10_000_000, 99_999_999))}",
        gps=f"+{latitude:07.4f}+{longitude:08.4f}/",
        birth_date=date(int(rng.integers(1938, 1995)), int(rng.integers(1, 13)), int(rng.integers(1, 29))),
        sex=sex,
        group=group,
        site=_SITES[index % len(_SITES)],
        language="en" if index % 4 in (1, 2) else "nl",
        tumour_type=str(rng.choice(_TUMOURS)),
        tumour_stage=str(rng.choice(_STAGES)),
        admission_reason=str(rng.choice(_REASONS if group == "pain" else _REASONS[1:])),
        enrolled_on=_FIRST_DAY + timedelta(days=int(rng.integers(0, 20))),
        exclusion="",
        device=str(rng.choice(_DEVICES)),
        seed=seed * 1000 + index,
    )


def make_study(participants: int, seed: int, seconds: tuple[float, float]) -> tuple[Person, ...]:
    """Draw the healthy part of the study: a third controls, filmed once without pain, and the rest twice or thrice.

    Raises:
        ValueError: fewer than two participants, who could not be of both groups.
    """
    if participants < 2:
        raise ValueError(f"a study has controls and patients: at least 2 participants, not {participants}")
    people = []
    for index in range(participants):
        group = "control" if index % 3 == 1 else "pain"
        people.append(_with_visits(make_person(index, seed, group=group), seconds, index))
    return tuple(people)


def _with_visits(person: Person, seconds: tuple[float, float], index: int) -> Person:
    rng = np.random.default_rng([person.seed, 4])
    usual = rng.uniform(3.0, 8.0)
    expressiveness = rng.uniform(0.75, 1.2)
    day, visits = person.enrolled_on, []
    for number in range(1 if person.group == "control" else 2 + index % 2):
        day += timedelta(days=int(rng.integers(1, 4)))
        recorded_at = datetime(
            day.year, day.month, day.day, int(rng.integers(9, 17)), int(rng.integers(60)), tzinfo=HOSPITAL_ZONE
        )
        nrs = 0 if person.group == "control" else int(np.clip(round(usual + rng.normal(0, 1.5)), 2, 9))
        shown = 0.0 if nrs == 0 else float(np.clip(nrs / 10 * expressiveness + rng.normal(0, 0.06), 0.05, 1.0))
        container: Container = ("mp4", "mp4", "mov", "mp4", "matroska")[(2 * index + number) % 5]
        length_s = round(float(rng.uniform(*seconds)), 2)
        take = person.take(int(rng.integers(2**31)), recorded_at, length_s, shown, container)
        # One person's folders are dated, as some wards do.
        label = day.isoformat() if index == 5 else f"V{number + 1}"
        visits.append(Visit(label, recorded_at, nrs, _file_name(person, number, rng), take))
    return replace(person, visits=tuple(visits))


def _file_name(person: Person, number: int, rng: np.random.Generator) -> str:
    """Some cameras count; some nurses write down who it was."""
    styles = (
        f"{CAMERA_PREFIX}{int(rng.integers(1000, 9999))}",
        f"{person.given}{person.family}_{number + 1}",
        f"{person.participant_id}_day{number + 1}",
    )
    return styles[(person.seed + number) % len(styles)]


def media_path(person: Person, visit: Visit) -> str:
    """Where the visit's recording lands, relative to the landing folder."""
    return f"recordings/{person.participant_id}/{visit.label}/{visit.name}.{_ENDINGS[visit.take.container]}"
