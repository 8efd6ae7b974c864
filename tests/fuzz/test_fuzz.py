"""A few of the damaged deliveries of `make fuzz`: nothing stops, nothing is lost, neighbours are as without them."""

from collections.abc import Iterator

import pytest

from pipelines.pool import Workers
from tests.fuzz.checks import differing, leaks
from tests.fuzz.mutations import Mutant, mutate
from tests.fuzz.nights import LIMITS, Bench, Report, deliver_neighbours, fresh_study, run_night
from tests.fuzz.originals import MUTATORS, PATIENT, film, media, originals, tables

SEED = 4
RECORDINGS = {name: content for name, content in originals().items() if not name.endswith(".csv")}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """Studies without git and DVC, which stay out of what is tried here."""
    folder = tmp_path_factory.mktemp("fuzz")
    template = fresh_study(folder / "template")
    for name, content in tables().items():
        (template.root / "landing" / name).write_bytes(content)
    with Workers(1, LIMITS) as workers:
        assert run_night(template, workers, None) == ([], [])
        yield Bench(folder, template.root, workers)


def mutants(whole: dict[str, bytes], count: int) -> list[Mutant]:
    return [mutate(SEED, number, whole, MUTATORS) for number in range(count)]


def test_a_number_always_gives_the_same_damage() -> None:
    whole = mutants(RECORDINGS, 30)
    film.cache_clear()
    media.cache_clear()
    assert mutants({**media(), "json": RECORDINGS["json"]}, 30) == whole
    assert len({mutant.content for mutant in mutants(RECORDINGS, 30)}) == 30


@pytest.mark.parametrize("original", list(originals()))
def test_every_kind_of_damage_changes_the_file(original: str) -> None:
    content = originals()[original]
    found = [mutate(SEED, number, {original: content}, MUTATORS) for number in range(150)]
    kind = original.split(" ", maxsplit=1)[0].rpartition(".")[2]
    assert {mutant.kind for mutant in found} == set(MUTATORS[kind])
    assert all(mutant.content != content for mutant in found)


def test_damaged_recordings_each_have_one_fate_and_leave_their_neighbours_alone(bench: Bench) -> None:
    report = Report()
    bench.batch(mutants(RECORDINGS, 12), bench.reference(), report)
    assert report.violations == []
    assert len(report.outcomes) == 12


def test_damaged_tables_each_have_one_fate_and_so_has_each_row(bench: Bench) -> None:
    report = Report()
    bench.tables(mutants(tables(), 30), report)
    assert report.violations == []
    assert len(report.outcomes) == 30


def test_a_neighbour_that_changed_or_is_missing_would_be_seen() -> None:
    assert differing({"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "3"}) == []
    assert len(differing({"a": "1", "b": "2"}, {"a": "3"})) == 2


@pytest.mark.parametrize("content", [PATIENT.encode(), film(2)], ids=["an ID", "a recording"])
def test_what_is_readable_outside_landing_would_be_seen(bench: Bench, content: bytes) -> None:
    study = bench.study("leaking")
    deliver_neighbours(study)
    assert leaks(study) == []
    (study.state / "remains").write_bytes(b"head" + content)
    assert leaks(study) == ["state/remains holds something readable"]
