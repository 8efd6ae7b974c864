"""Fates that are given together: one writing of the vault for many, and never a fate without its name."""

import shutil
from dataclasses import replace

import pytest

from pipelines import batch as batch_module
from pipelines.batch import Batch
from pipelines.deliveries import Delivery
from pipelines.land import Judge
from pipelines.ledger import Ledger
from pipelines.tables import take_tables
from pipelines.vault import Vault
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, Hospital, LightStudy, small_mp4

FILMS = 5


@pytest.fixture
def landed(study: LightStudy, hospital: Hospital) -> LightStudy:
    """A person with films, one of them twice, and a film of somebody unknown; the tables are taken in."""
    hospital.admit()
    media = [small_mp4(60 + 20 * number) for number in range(FILMS)]
    for number, each in enumerate(media):
        hospital.film(each, f"film {number}.mp4")
    hospital.film(media[0], "the same.mp4")
    hospital.film(small_mp4(255), participant_id="MRN-0815000")
    take_tables(study.desk, study.look().tables)
    return study


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many names the vault has at each writing."""
    found: list[int] = []
    write = Vault._write

    def spy(self: Vault, content: dict[str, object]) -> None:
        names = content["names"]
        assert isinstance(names, dict)
        found.append(len(names))
        write(self, content)

    monkeypatch.setattr(Vault, "_write", spy)
    return found


def judge_all(study: LightStudy, *, together: bool = True) -> None:
    desk = replace(study.desk, batch=Batch(study.vault, study.ledger))
    assert desk.batch is not None
    candidates = study.look().candidates
    if together:
        with desk.batch.gathering():
            for candidate in candidates:
                Judge(desk).judge(candidate)
    else:
        for candidate in candidates:
            Judge(desk).judge(candidate)


def media(ledger: Ledger) -> list[Delivery]:
    return sorted(ledger.deliveries("media"), key=lambda entry: entry.delivery)


def test_the_vault_is_written_once_for_all_and_before_the_ledger_has_any(landed: LightStudy, writes: list[int]) -> None:
    names = len(landed.vault.names)
    judge_all(landed)
    assert writes == [names + FILMS + 2]
    assert len(media(landed.ledger)) == FILMS + 2
    again = Vault.open(landed.study.vault)
    assert all(again.name_of(entry.delivery) for entry in media(landed.ledger))


def test_the_fates_are_those_that_are_given_one_by_one(landed: LightStudy, writes: list[int]) -> None:
    copy = landed.study.root.parent / "copy"
    landed.ledger.close()
    shutil.copytree(landed.study.root, copy)
    landed.ledger = Ledger(landed.study.ledger)
    judge_all(landed)
    paths = replace(landed.study, root=copy)
    alone = LightStudy(paths, Vault.open(paths.vault), Ledger(paths.ledger), landed.params)
    writes.clear()
    judge_all(alone, together=False)
    assert len(writes) == FILMS + 2
    assert media(alone.ledger) == media(landed.ledger)
    assert alone.vault.names == landed.vault.names
    fates = [entry.fate for entry in media(alone.ledger)]
    assert (fates.count(Fate.DEFERRED), fates.count(Fate.DUPLICATE), fates.count(Fate.QUARANTINED)) == (FILMS, 1, 1)
    alone.ledger.close()


def test_a_run_that_is_killed_before_the_names_are_written_leaves_no_fate(
    landed: LightStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Vault, "save", die)
        with pytest.raises(KeyboardInterrupt):
            judge_all(landed)
    assert media(landed.ledger) == []
    again = replace(landed, vault=Vault.open(landed.study.vault))
    judge_all(again)
    assert len(media(again.ledger)) == FILMS + 2
    assert again.quarantine.fetch(next(e.delivery for e in media(again.ledger) if e.fate is Fate.QUARANTINED))


def test_what_an_error_ends_keeps_the_fates_given_by_then(landed: LightStudy, monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge._judge_content
    given: list[None] = []

    def fail_at_third(self: Judge, *arguments: object) -> object:
        given.append(None)
        if len(given) == 3:
            raise OSError("the disk is away")
        return judge(self, *arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(Judge, "_judge_content", fail_at_third)
    with pytest.raises(OSError, match="the disk is away"):
        judge_all(landed)
    assert len(media(landed.ledger)) == 2
    assert all(Vault.open(landed.study.vault).name_of(entry.delivery) for entry in media(landed.ledger))


def test_what_came_before_is_judged_alone_since_something_of_it_may_be_kept(
    landed: LightStudy, hospital: Hospital, writes: list[int]
) -> None:
    judge_all(landed)
    hospital.film(small_mp4(10), "film 0.mp4")
    hospital.film(small_mp4(20), "film 1.mp4")
    hospital.film(small_mp4(30), "a new one.mp4")
    hospital.film(small_mp4(40), "another new one.mp4")
    writes.clear()
    judge_all(landed)
    # The two new ones come first by their paths, and together; the others are written one by one.
    assert len(writes) == 3
    assert [len(landed.entries(f"recordings/{ID}/V1/film {n}.mp4")) for n in (0, 1, 2)] == [2, 2, 1]


def test_a_large_batch_is_written_piece_by_piece(
    landed: LightStudy, writes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "_AT_MOST", 3)
    names = len(landed.vault.names)
    judge_all(landed)
    assert writes == [names + 3, names + 6, names + 7]
