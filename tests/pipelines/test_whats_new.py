"""The look between nights: only what is new and stands whole is worth a run, and it is told once."""

from datetime import timedelta

import pytest

from pipelines.errors import UserError
from pipelines.whats_new import Watcher
from tests.pipelines.landing_factory import NOW, Hospital, LightStudy, small_mp4

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def watcher(study: LightStudy) -> Watcher:
    return Watcher(study.study)


def looks(watcher: Watcher, times: int = 3) -> list[int]:
    return [watcher.look(NOW + timedelta(minutes=5 * number)) for number in range(times)]


def test_an_empty_landing_zone_starts_nothing(watcher: Watcher) -> None:
    assert looks(watcher) == [0, 0, 0]


def test_what_stands_as_at_the_look_before_is_told_once(watcher: Watcher, hospital: Hospital) -> None:
    hospital.film(small_mp4())
    assert looks(watcher) == [0, 1, 0]


def test_what_still_grows_is_not_told(watcher: Watcher, hospital: Hospital) -> None:
    for level in (90, 120, 150):
        hospital.film(small_mp4(level))
        assert watcher.look(NOW) == 0
    assert watcher.look(NOW) == 1


def test_what_is_younger_than_the_parameters_ask_waits(study: LightStudy, watcher: Watcher, hospital: Hospital) -> None:
    text = study.study.params_file.read_text()
    study.study.params_file.write_text(text.replace("stable_after_s: 0.0", "stable_after_s: 3600.0"))
    hospital.at = NOW - timedelta(minutes=1)
    hospital.film(small_mp4())
    assert [watcher.look(NOW), watcher.look(LATER), watcher.look(NOW + timedelta(hours=2))] == [0, 0, 0]
    assert watcher.look(NOW + timedelta(hours=3)) == 1


def test_a_film_without_its_sidecar_and_a_file_that_is_none_start_nothing(watcher: Watcher, hospital: Hospital) -> None:
    hospital.write("recordings/MRN-4711007/V1/a.mp4", small_mp4())
    hospital.write("recordings/MRN-4711007/V1/notes.txt", b"hello")
    assert looks(watcher) == [0, 0, 0]


def test_a_changed_table_is_told(study: LightStudy, watcher: Watcher, hospital: Hospital) -> None:
    hospital.admit()
    assert looks(watcher) == [0, 1, 0]
    study.land()
    assert looks(watcher) == [0, 0, 0]
    hospital.score("4")
    assert looks(watcher) == [0, 1, 0]


def test_what_a_run_has_taken_in_is_told_no_more_not_even_by_a_new_watch(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    study.night()
    assert looks(Watcher(study.study)) == [0, 0, 0]


def test_what_is_told_in_vain_is_told_again(watcher: Watcher, hospital: Hospital) -> None:
    hospital.film(small_mp4())
    assert looks(watcher, 2) == [0, 1]
    watcher.forget()
    assert watcher.look(LATER) == 1


def test_while_a_run_is_at_work_nothing_is_looked_at(study: LightStudy, watcher: Watcher, hospital: Hospital) -> None:
    hospital.film(small_mp4())
    with study.study.held():
        assert looks(watcher) == [0, 0, 0]
    assert looks(watcher, 2) == [0, 1]


def test_a_look_writes_nothing(study: LightStudy, watcher: Watcher, hospital: Hospital) -> None:
    hospital.admit()
    hospital.film(small_mp4())
    looks(watcher)
    assert study.ledger.deliveries() == []


def test_a_landing_zone_that_is_away_is_said(study: LightStudy, watcher: Watcher) -> None:
    (study.study.root / "landing").rmdir()
    with pytest.raises(UserError, match="mount it"):
        watcher.look(NOW)
