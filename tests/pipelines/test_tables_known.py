"""Of the delivered tables, what is as it was is left alone: nothing else comes of it than if it were read."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from pipelines import tables as tables_module
from pipelines.csvfile import Row, read_csv
from pipelines.known import forget_known, store_of
from pipelines.tables import clinical_folder, take_tables
from schemas.landing import DeliveredTable
from tests.pipelines.landing_factory import ID, Hospital, LightStudy

OTHER = "MRN-0815000"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables whose rows are read."""
    found: list[str] = []

    def spy(content: bytes, table: DeliveredTable, zone: ZoneInfo) -> list[Row]:
        found.append(table.name)
        return read_csv(content, table, zone)

    monkeypatch.setattr(tables_module, "read_csv", spy)
    return found


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tables of persons that are compared with what stands in the lake."""
    found: list[str] = []
    really = tables_module._replace

    def spy(ledger: object, path: Path, change: Callable[..., object]) -> bool:
        found.append(f"{path.parent.parent.name}/{path.stem}")
        return really(ledger, path, change)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(tables_module, "_replace", spy)
    return found


@pytest.fixture
def take(study: LightStudy) -> Callable[[], list[str]]:
    """Take in the tables, knowing what was known the last time; gives whose data changed."""
    desk = replace(study.desk, store=store_of(study.study.state))
    return lambda: take_tables(desk, study.look().tables)


@pytest.fixture
def admitted(study: LightStudy, hospital: Hospital, take: Callable[[], list[str]]) -> LightStudy:
    """Two persons with scores and a medicine."""
    for each in (ID, OTHER):
        hospital.admit(each)
        hospital.score("4", participant_id=each)
    hospital.table(
        "medications",
        *(
            {"participant_id": each, "administered_at": "2026-03-15 09:00", "atc_code": "N02AA01", "route": "oral"}
            for each in (ID, OTHER)
        ),
    )
    take()
    return study


def pseudonym(study: LightStudy, participant_id: str = ID) -> str:
    person = study.vault.person(participant_id)
    assert person is not None
    return person.pseudonym


def test_of_five_tables_the_one_that_changed_is_read_and_the_person_whose_rows_changed_compared(
    admitted: LightStudy, hospital: Hospital, take: Callable[[], list[str]], read: list[str], compared: list[str]
) -> None:
    hospital.score("7", at="2026-03-16T09:00:00+01:00")
    assert take() == [pseudonym(admitted)]
    assert read == ["clinical"]
    assert compared == [f"{pseudonym(admitted)}/clinical_observations"]


def test_the_lake_is_the_same_as_if_all_were_read(
    admitted: LightStudy, hospital: Hospital, take: Callable[[], list[str]]
) -> None:
    hospital.score("7", at="2026-03-16T09:00:00+01:00")
    hospital.consent("withdrawn", "2026-03-20T09:00:00+01:00", participant_id=OTHER)
    take()

    def files() -> dict[str, bytes]:
        lake = admitted.study.lake
        return {path.relative_to(lake).as_posix(): path.read_bytes() for path in sorted(lake.rglob("*.parquet"))}

    rows = {name: admitted.ledger.rows_of(name) for name in ("participants", "consent", "clinical", "medications")}
    with_known = files()
    forget_known(admitted.study.state)
    assert take() == []
    assert files() == with_known
    assert rows == {name: admitted.ledger.rows_of(name) for name in rows}


def test_a_table_with_rows_of_somebody_unknown_is_read_again_with_the_others(
    admitted: LightStudy, hospital: Hospital, take: Callable[[], list[str]], read: list[str]
) -> None:
    hospital.score("5", participant_id="MRN-0000001")
    take()
    read.clear()
    hospital.admit("MRN-0000001")
    assert take() == [pseudonym(admitted, "MRN-0000001")]
    assert {"clinical", "consent", "participants"} <= set(read)
    assert "medications" not in read
    assert admitted.rows("clinical")["quarantined"] == 0


def test_a_table_in_the_lake_that_somebody_changed_is_put_right(
    admitted: LightStudy, hospital: Hospital, take: Callable[[], list[str]]
) -> None:
    path = clinical_folder(admitted.study.lake, pseudonym(admitted, OTHER)) / "clinical_observations.parquet"
    content = path.read_bytes()
    path.unlink()
    hospital.score("7", at="2026-03-16T09:00:00+01:00")
    assert take() == sorted([pseudonym(admitted), pseudonym(admitted, OTHER)])
    assert path.read_bytes() == content


def test_a_file_that_stands_otherwise_is_read_though_its_rows_are_the_same(
    admitted: LightStudy, hospital: Hospital, take: Callable[[], list[str]], read: list[str], compared: list[str]
) -> None:
    os.utime(hospital.folder / "medications.csv", (1_700_000_000, 1_700_000_000))
    assert take() == []
    assert (read, compared) == (["medications"], [])


def test_with_other_parameters_everything_is_read(admitted: LightStudy, hospital: Hospital, read: list[str]) -> None:
    hospital.score("7", at="2026-03-16T09:00:00+01:00")
    params = admitted.params.model_copy(
        update={"protocol": admitted.params.protocol.model_copy(update={"min_age_a": 99})}
    )
    desk = replace(admitted.desk, store=store_of(admitted.study.state), params=params)
    take_tables(desk, admitted.look().tables)
    assert set(read) == {"participants", "consent", "clinical", "medications"}


def test_what_is_known_holds_no_identity(admitted: LightStudy) -> None:
    content = store_of(admitted.study.state).read_bytes()
    assert pseudonym(admitted).encode() in content
    assert ID.encode() not in content
