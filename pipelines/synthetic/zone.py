"""A whole synthetic landing zone: what a hospital delivers, healthy and broken."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import cv2

from pipelines.synthetic import tables
from pipelines.synthetic.deliveries import sound_delivery
from pipelines.synthetic.faults import Broken, break_tables, broken_deliveries
from pipelines.synthetic.people import make_study
from pipelines.synthetic.recording import Filmed, Take, film


@dataclass(frozen=True, slots=True)
class PlantedZone:
    """What stands in a synthetic landing zone, and what is to become of it.

    Args:
        identifiers: every planted name, number, place, birth date and long participant id, sorted: none of them may be
            found outside landing and vault.
        deliveries: by media path relative to the landing folder, `published` or the code of `schemas.faults`.
        healthy: how many of them are to be published.
        rows: by delivered table, how many rows landed, and how many are to be published and quarantined.
    """

    identifiers: tuple[str, ...]
    deliveries: dict[str, str]
    healthy: int
    rows: dict[str, dict[str, int]]


def make_landing_zone(  # noqa: PLR0913 - each is a plain setting, all but the first by name with a default
    folder: Path,
    *,
    participants: int = 12,
    seed: int = 1,
    seconds: tuple[float, float] = (6.0, 10.0),
    faults: bool = True,
    progress: Callable[[int, int], None] | None = None,
    workers: int = 1,
) -> PlantedZone:
    """Write a synthetic landing zone.

    The same arguments write the same bytes, whatever `workers` is.

    Args:
        folder: the landing folder; made if it is not there.
        participants: healthy persons, at least 2; a third of them are controls.
        seed: decides everything.
        seconds: shortest and longest recording, at least 1 s.
        faults: whether broken deliveries, of persons of their own where need be, stand among the healthy ones.
        progress: called with the number of recordings made so far and of all.
        workers: processes that render; with more than one the caller must be importable (a spawned process).

    Raises:
        ValueError: fewer than two participants, or recordings shorter than 1 s.

    >>> from tempfile import mkdtemp
    >>> make_landing_zone(Path(mkdtemp()), participants=2, seconds=(1.0, 1.0), faults=False).healthy
    3
    """
    if not 1.0 <= seconds[0] <= seconds[1]:
        raise ValueError(f"recordings last at least 1 s, the shorter bound first: {seconds}")
    people = make_study(participants, seed, seconds)
    broken = broken_deliveries(people, seed, min(3.0, seconds[0])) if faults else Broken()
    sound = [sound_delivery(person, visit) for person in people for visit in person.visits]
    planned = [*sound, *broken.deliveries]
    takes = list(dict.fromkeys(delivery.take for delivery in planned if delivery.take is not None))
    filmed: dict[Take, Filmed] = {}
    for take, made in _film_all(takes, workers):
        filmed[take] = made
        if progress is not None:
            progress(len(filmed), len(takes))
    for delivery in planned:
        delivery.write(folder, filmed[delivery.take] if delivery.take is not None else None)

    everyone = (*people, *broken.people)
    rows = {
        "participants": tables.participants_rows(everyone),
        "consent": tables.consent_rows(everyone, broken.withdrawn_at),
        "clinical": tables.clinical_rows(everyone),
        "medications": tables.medications_rows(everyone),
        "questionnaires": tables.questionnaires_rows(everyone),
    }
    quarantined = break_tables(rows, people) if faults else {}
    # Those whose data may not be used: without consent, under age, excluded.
    quarantined["participants"] = len(everyone) - len(people)
    for table, of_table in rows.items():
        (folder / f"{table}.csv").write_bytes(tables.csv_bytes(table, of_table))
    identities = {told for person in (*everyone, *broken.strangers) for told in person.identifiers()}
    return PlantedZone(
        identifiers=tuple(sorted(identities)),
        deliveries={delivery.path: delivery.expected for delivery in planned},
        healthy=len(sound),
        rows={
            table: {
                "landed": len(of_table),
                "published": len(of_table) - quarantined.get(table, 0),
                "quarantined": quarantined.get(table, 0),
            }
            for table, of_table in rows.items()
        },
    )


def _film_all(takes: Sequence[Take], workers: int) -> Iterator[tuple[Take, Filmed]]:
    """Recordings as they are finished, in any order."""
    if workers <= 1:
        yield from ((take, film(take)) for take in takes)
        return
    # Spawned, not forked: the caller may have threads.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_one_thread) as pool:
        futures = {pool.submit(film, take): take for take in takes}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _one_thread() -> None:
    """A worker a core is enough: threads of OpenCV's own would only fight over them."""
    cv2.setNumThreads(1)
