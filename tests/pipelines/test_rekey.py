import random
import re

from pipelines.rekey import new_keys, release_name
from pipelines.vault import check_character
from schemas.people import PARTICIPANT, RECORDING
from schemas.releases import RELEASE

PEOPLE = [f"P{number:09d}" for number in range(50)]
FILMS = [(f"{person}-{number:08d}", person) for person in PEOPLE for number in range(3)]


def seeded(seed: int = 1) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a test's names need not be secret


def test_new_names_have_the_declared_form_and_are_nobodys_old_ones() -> None:
    keys = new_keys(FILMS, PEOPLE, seeded())
    people = dict(keys.participants.iter_rows())
    films = dict(keys.recordings.iter_rows())
    assert set(people) == set(PEOPLE)
    assert set(films) == {film for film, _ in FILMS}
    assert len(set(people.values())) == 50
    assert len(set(films.values())) == 150
    assert not set(people.values()) & set(PEOPLE)
    for name in people.values():
        assert re.fullmatch(PARTICIPANT.pattern or "", name)
        assert name[-1] == check_character(name[1:-1])
    for film, person in FILMS:
        assert re.fullmatch(RECORDING.pattern or "", films[film])
        assert films[film].startswith(f"{people[person]}-")


def test_the_same_seed_gives_the_same_names_and_another_gives_others() -> None:
    one, same, other = (new_keys(FILMS, PEOPLE, seeded(seed)) for seed in (1, 1, 2))
    assert one.participants.equals(same.participants)
    assert one.recordings.equals(same.recordings)
    assert not set(one.participants["new_participant"]) & set(other.participants["new_participant"])


def test_the_order_of_old_names_says_nothing_of_that_of_new_ones() -> None:
    names = new_keys(FILMS, PEOPLE, seeded()).participants["new_participant"].to_list()
    assert names != sorted(names)


def test_someone_without_recordings_has_a_name_too() -> None:
    keys = new_keys([], ["P000000001"], seeded())
    assert keys.participants.height == 1
    assert keys.recordings.height == 0


def test_a_release_has_a_random_name() -> None:
    names = {release_name(random.SystemRandom()) for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(RELEASE["release"].pattern or "", name) for name in names)
