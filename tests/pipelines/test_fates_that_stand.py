"""A fate that was given stands: what comes later under the same name or bytes takes nothing from anybody."""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.faults import Fate
from tests.pipelines.invariant_books import Books
from tests.pipelines.invariant_factory import MortalStudy
from tests.pipelines.landing_factory import ID, Hospital, wav

WAV, OTHER = wav(1.0), wav(0.9)
FIRST, SECOND = f"recordings/{ID}/V1/a.wav", f"recordings/{ID}/V1/b.wav"
GIVEN_BACK = "2026-04-01T09:00:00+02:00"


@pytest.fixture
def mortal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MortalStudy:
    mortal = MortalStudy.make(tmp_path / "study")
    mortal.stand_in(monkeypatch)
    return mortal


@pytest.fixture
def hospital(mortal: MortalStudy) -> Hospital:
    hospital = Hospital(mortal.study.root / "landing", mortal.now - timedelta(days=60))
    hospital.admit()
    return hospital


def fates(mortal: MortalStudy, path: str = FIRST) -> list[str]:
    """Of all rows under a name, after a look at all books."""
    books = Books(mortal)
    books.check()
    return [row.fate for row in books.of_path(path)]


def test_a_published_recording_stays_so_when_it_comes_again_with_a_broken_sidecar(
    mortal: MortalStudy, hospital: Hospital
) -> None:
    hospital.film(WAV, "a.wav")
    mortal.night()
    hospital.film(WAV, "a.wav", sidecar={"sha256": "0" * 64})
    mortal.night()
    assert fates(mortal) == [Fate.PUBLISHED]


def test_a_published_recording_stays_so_when_it_comes_again_after_consent_was_withdrawn(
    mortal: MortalStudy, hospital: Hospital
) -> None:
    hospital.film(WAV, "a.wav")
    mortal.night()
    hospital.consent("withdrawn", GIVEN_BACK)
    hospital.film(WAV, "a.wav")
    mortal.night()
    assert fates(mortal) == [Fate.PUBLISHED]


def test_what_waits_in_the_lake_and_comes_again_with_a_broken_sidecar_leaves_the_lake(
    mortal: MortalStudy, hospital: Hospital
) -> None:
    hospital.film(WAV, "a.wav")
    mortal.night(passes=False)
    hospital.film(WAV, "a.wav", sidecar={"sha256": "0" * 64})
    mortal.night()
    assert fates(mortal) == [Fate.QUARANTINED]
    assert not list(mortal.study.lake.glob("*/recordings/*"))


def test_a_duplicate_is_judged_by_itself_once_the_first_is_set_aside(mortal: MortalStudy, hospital: Hospital) -> None:
    cut = wav(2.0)[:9000]
    hospital.film(cut, "a.wav")
    hospital.film(cut, "b.wav")
    mortal.night()
    mortal.night()
    assert fates(mortal) == fates(mortal, SECOND) == [Fate.QUARANTINED]


def test_bytes_that_are_left_under_another_name_alone_are_published(mortal: MortalStudy, hospital: Hospital) -> None:
    hospital.film(WAV, "a.wav")
    hospital.film(WAV, "b.wav")

    def replaced() -> None:
        hospital.film(OTHER, "a.wav")

    mortal.night(meanwhile=replaced)
    mortal.night()
    assert fates(mortal) == fates(mortal, SECOND) == [Fate.PUBLISHED]


def test_a_row_that_was_taken_in_and_is_in_conflict_since_goes_with_its_person(
    mortal: MortalStudy, hospital: Hospital
) -> None:
    hospital.score("4")
    mortal.night()
    hospital.score("5")
    mortal.night()
    mortal.erase(ID)
    assert fates(mortal) == []
    assert Books(mortal).table_rows == {}


def test_what_a_newer_file_replaces_is_superseded_though_the_run_was_killed(
    mortal: MortalStudy, hospital: Hospital
) -> None:
    hospital.film(WAV, "a.wav")
    mortal.night()
    for steps in range(200):
        hospital.film(OTHER if steps % 2 == 0 else wav(0.5 + steps / 1000), "a.wav")
        ended = mortal.night(steps)
        mortal.night()
        sidecars = [path.read_text() for path in mortal.study.lake.glob("*/recordings/*.json")]
        assert sum('"superseded": false' in text for text in sidecars) == 1, f"after {steps} steps"
        if ended:
            break


@pytest.mark.parametrize("emptied", [False, True])
def test_an_orphan_that_is_released_without_its_sidecar_is_one_delivery_still(
    mortal: MortalStudy, hospital: Hospital, *, emptied: bool
) -> None:
    written = hospital.write(FIRST, WAV)
    mortal.night()
    mortal.now += timedelta(days=8)
    mortal.night()
    (row,) = Books(mortal).of_path(FIRST)
    if emptied:
        written.unlink()
    mortal.release([row.delivery])
    mortal.night()
    assert fates(mortal) == [Fate.QUARANTINED]
    assert Books(mortal).of_path(FIRST)[0].codes == ["ORPHAN"]


def test_an_erased_delivery_that_was_never_read_stays_erased_when_its_file_comes(
    mortal: MortalStudy, hospital: Hospital
) -> None:
    hospital.write(FIRST, WAV)
    mortal.night()
    mortal.erase(ID)
    assert fates(mortal) == [Fate.ERASED]
    hospital.film(WAV, "a.wav")
    mortal.night()
    assert fates(mortal) == [Fate.ERASED, Fate.QUARANTINED]
