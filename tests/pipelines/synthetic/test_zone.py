"""The synthetic landing zone follows the landing contract, plants what it says, and is the same for the same seed."""

import csv
import hashlib
import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import Rejection
from pipelines.media import open_media, read_sound, tracks
from pipelines.synthetic.people import make_study
from pipelines.synthetic.tables import DIALECTS, clinical_rows
from pipelines.synthetic.zone import PlantedZone, make_landing_zone
from schemas.faults import FAULTS
from schemas.landing import CONSENT_SCOPES, DELIVERED_TABLES, MEDIA_SUFFIXES

Made = tuple[Path, PlantedZone]
SECONDS = (1.0, 1.2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("landing")
    return folder, make_landing_zone(folder, participants=2, seed=5, seconds=SECONDS)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(folder: Path, table: str) -> list[dict[str, str]]:
    dialect = DIALECTS[table]
    text = (folder / f"{table}.csv").read_bytes().decode(dialect.encoding)
    return list(csv.DictReader(io.StringIO(text), delimiter=dialect.delimiter))


def delivered_as(made: Made, code: str) -> Path:
    folder, zone = made
    (path,) = [path for path, expected in zone.deliveries.items() if expected == code]
    return folder / path


def sidecar(media: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(media.with_suffix(".json").read_bytes())
    return said


def test_the_same_seed_writes_the_same_recordings_with_any_number_of_workers_and_without_the_broken_ones(
    made: Made, tmp_path: Path
) -> None:
    folder, zone = made
    told: list[tuple[int, int]] = []
    alone = make_landing_zone(
        tmp_path, participants=2, seed=5, seconds=SECONDS, faults=False, workers=2,
        progress=lambda done, of: told.append((done, of)),
    )  # fmt: skip
    assert alone.deliveries == {path: code for path, code in zone.deliveries.items() if code == "published"}
    with_faults, without = digests(folder), digests(tmp_path)
    recordings = {path for path in without if path.startswith("recordings/")}
    assert len(recordings) == 2 * alone.healthy
    assert {path: without[path] for path in recordings} == {path: with_faults[path] for path in recordings}
    assert told == [(done, alone.healthy) for done in range(1, alone.healthy + 1)]


def test_the_same_seed_writes_the_same_tables(made: Made) -> None:
    folder, _ = made
    people = make_study(2, 5, SECONDS)
    clinical = clinical_rows(people)
    assert clinical == clinical_rows(make_study(2, 5, SECONDS))
    assert rows(folder, "clinical")[: len(clinical)] == [
        row | {name: value.replace(".", ",") for name, value in row.items() if name.startswith("nrs")}
        for row in clinical
    ]


def test_another_seed_writes_other_people(made: Made, tmp_path: Path) -> None:
    folder, zone = made
    other = make_landing_zone(tmp_path, participants=2, seed=6, seconds=(1.0, 1.0), faults=False)
    assert not set(digests(folder).values()) & set(digests(tmp_path).values())
    assert set(other.identifiers) != set(zone.identifiers)


def test_every_media_file_is_told_of_and_lies_where_the_contract_says(made: Made) -> None:
    folder, zone = made
    media = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.suffix in MEDIA_SUFFIXES}
    assert media == set(zone.deliveries)
    for path in media:
        top, participant_id, visit, _ = Path(path).parts
        assert top == "recordings"
        if zone.deliveries[path] != "WAITING_PAIR":
            said = sidecar(folder / path)
            assert (said["participant_id"], said["visit"]) == (participant_id, visit)


def test_a_sidecar_has_the_contracts_keys_and_both_tasks_in_order(made: Made) -> None:
    folder, zone = made
    for path, expected in zone.deliveries.items():
        if expected == "WAITING_PAIR":
            continue
        said = sidecar(folder / path)
        assert set(said) - {"sha256"} == {"participant_id", "visit", "recorded_at", "device", "language", "tasks"}
        assert datetime.fromisoformat(said["recorded_at"]).utcoffset() is not None
        reading, free = said["tasks"]
        assert (reading["name"], free["name"]) == ("reading", "free_speech")
        assert 0 <= reading["start_s"] < reading["end_s"] <= free["start_s"] < free["end_s"]


def test_healthy_recordings_are_whole_with_picture_and_sound(made: Made) -> None:
    folder, zone = made
    healthy = [path for path, expected in zone.deliveries.items() if expected == "published"]
    assert len(healthy) == zone.healthy == 3
    for path in healthy:
        media = (folder / path).read_bytes()
        said = sidecar(folder / path)
        if "sha256" in said:
            assert said["sha256"] == hashlib.sha256(media).hexdigest()
        video, audio = tracks(media)
        assert (video.codec, video.width, video.height) == ("h264", 640, 360)
        assert (audio.codec, audio.sample_rate_hz) == ("aac", 44_100)
        assert video.packets / 25 == pytest.approx(said["tasks"][1]["end_s"], abs=0.05)
        sound = read_sound(media, 16_000)
        assert sound is not None
        assert sound.samples.std() > 0.01


def test_csv_files_have_the_contracts_columns_and_the_rows_told(made: Made) -> None:
    folder, zone = made
    assert {path.stem for path in folder.glob("*.csv")} == {table.name for table in DELIVERED_TABLES} == set(zone.rows)
    for table in DELIVERED_TABLES:
        found = rows(folder, table.name)
        assert set(found[0]) == set(table.fields)
        counts = zone.rows[table.name]
        assert counts["landed"] == len(found) == counts["published"] + counts["quarantined"] > 0


def test_csv_dialects_differ_as_hospitals_do(made: Made) -> None:
    folder, _ = made
    clinical, medications = ((folder / f"{name}.csv").read_bytes() for name in ("clinical", "medications"))
    assert clinical.startswith(b"\xef\xbb\xbf")
    assert b";" in clinical
    assert b",5;" in clinical or b",0;" in clinical
    assert medications.endswith(b"\r\n")
    assert next(iter(rows(folder, "questionnaires")[0])) != "participant_id"


def test_controls_come_once_without_pain_and_patients_on_several_days(made: Made) -> None:
    folder, zone = made
    groups = {row["participant_id"]: row["group"] for row in rows(folder, "participants")}
    days: dict[str, list[str]] = {}
    for path, expected in zone.deliveries.items():
        if expected == "published":
            said = sidecar(folder / path)
            days.setdefault(said["participant_id"], []).append(said["recorded_at"][:10])
    assert {groups[person] for person in days} == {"pain", "control"}
    for person, on in days.items():
        assert len(set(on)) == len(on)
        assert len(on) == 1 if groups[person] == "control" else len(on) in {2, 3}
    scores = [row for row in rows(folder, "clinical") if groups[row["participant_id"]] == "control"]
    assert scores
    assert {row["nrs_now"] for row in scores} == {"0"}


def test_consent_of_every_scope_stands_before_every_healthy_recording(made: Made) -> None:
    folder, zone = made
    consent = rows(folder, "consent")
    for path, expected in zone.deliveries.items():
        if expected != "published":
            continue
        said = sidecar(folder / path)
        recorded_at = datetime.fromisoformat(said["recorded_at"])
        own = [row for row in consent if row["participant_id"] == said["participant_id"]]
        assert {row["scope"] for row in own} == set(CONSENT_SCOPES)
        assert all(row["status"] == "given" for row in own)
        assert all(datetime.fromisoformat(row["recorded_at"]) < recorded_at for row in own)


def test_identifiers_stand_in_container_tags_and_file_names(made: Made) -> None:
    folder, zone = made
    for path, expected in zone.deliveries.items():
        if expected != "published":
            continue
        with open_media((folder / path).read_bytes()) as container:
            tags = {key.lower(): value for key, value in container.metadata.items()}
            handlers = {
                stream.metadata.get("handler_name", stream.metadata.get("HANDLER_NAME")) for stream in container.streams
            }
        assert tags["title"] in zone.identifiers
        assert handlers == {tags["title"]}
        assert tags["location"] in zone.identifiers
        assert any(word in zone.identifiers for word in tags["comment"].split())
        assert "creation_time" in tags
    names = {Path(path).stem for path in zone.deliveries}
    assert names & set(zone.identifiers)
    births = {row["birth_date"] for row in rows(folder, "participants")}
    assert births <= set(zone.identifiers)


def test_every_fault_has_a_known_code_and_at_least_eight_kinds_are_there(made: Made) -> None:
    codes = set(made[1].deliveries.values()) - {"published"}
    assert codes <= set(FAULTS)
    assert len(codes) >= 8


def test_an_empty_file_is_empty(made: Made) -> None:
    path = delivered_as(made, "EMPTY_FILE")
    assert path.stat().st_size == 0
    assert "sha256" not in sidecar(path)


def test_a_mismatching_checksum_is_that_of_other_bytes(made: Made) -> None:
    path = delivered_as(made, "CHECKSUM_MISMATCH")
    assert sidecar(path)["sha256"] != hashlib.sha256(path.read_bytes()).hexdigest()
    assert len(tracks(path.read_bytes())) == 2


def test_a_truncated_file_opens_but_lacks_what_it_declares(made: Made) -> None:
    media = delivered_as(made, "TRUNCATED").read_bytes()
    with open_media(media) as container:
        assert container.duration is not None
    try:
        video, audio = tracks(media)
    except Rejection as rejection:
        assert rejection.code == "TRUNCATED"  # noqa: PT017 - either way of noticing is right
    else:
        assert video.packets < 0.9 * video.declared_packets
        assert audio.packets < 0.9 * audio.declared_packets


@pytest.mark.parametrize("code", ["NO_INDEX", "TYPE_MISMATCH"])
def test_a_file_that_cannot_be_opened_says_why(code: str, made: Made) -> None:
    path = delivered_as(made, code)
    assert path.suffix == ".mp4"
    with pytest.raises(Rejection) as rejected:
        open_media(path.read_bytes())
    assert rejected.value.code == code


def test_a_duplicate_has_the_bytes_of_another_recording_of_the_visit(made: Made) -> None:
    path = delivered_as(made, "DUPLICATE")
    twins = [other for other in path.parent.iterdir() if other != path and other.read_bytes() == path.read_bytes()]
    assert len(twins) == 1
    assert twins[0] < path
    assert path.with_suffix(".json").exists()


def test_no_other_two_media_files_are_alike(made: Made) -> None:
    folder, zone = made
    alone = [path for path, expected in zone.deliveries.items() if expected != "DUPLICATE"]
    assert len({hashlib.sha256((folder / path).read_bytes()).digest() for path in alone}) == len(alone)


def test_a_waiting_recording_has_no_sidecar(made: Made) -> None:
    assert not delivered_as(made, "WAITING_PAIR").with_suffix(".json").exists()


def test_people_who_may_not_be_in_the_study_are_so_in_the_registers(made: Made) -> None:
    folder, _ = made
    registered = {row["participant_id"]: row for row in rows(folder, "participants")}
    said = {
        code: sidecar(delivered_as(made, code))
        for code in ("UNKNOWN_ID", "NO_CONSENT", "PROTOCOL_UNDERAGE", "PROTOCOL_EXCLUDED")
    }
    assert said["UNKNOWN_ID"]["participant_id"] not in registered
    born = datetime.fromisoformat(registered[said["PROTOCOL_UNDERAGE"]["participant_id"]]["birth_date"])
    recorded_at = datetime.fromisoformat(said["PROTOCOL_UNDERAGE"]["recorded_at"]).replace(tzinfo=None)
    assert (recorded_at - born).days < 17 * 366
    assert registered[said["PROTOCOL_EXCLUDED"]["participant_id"]]["exclusion"]
    withdrawn = [
        row
        for row in rows(folder, "consent")
        if row["participant_id"] == said["NO_CONSENT"]["participant_id"] and row["status"] == "withdrawn"
    ]
    assert {row["scope"] for row in withdrawn} == set(CONSENT_SCOPES)
    assert all(row["recorded_at"] < said["NO_CONSENT"]["recorded_at"] for row in withdrawn)


def test_broken_rows_are_what_they_are_said_to_be(made: Made) -> None:
    folder, zone = made
    clinical = rows(folder, "clinical")
    assert [row["nrs_now"] for row in clinical if float(row["nrs_now"]) > 10] == ["14"]
    keys = [(row["participant_id"], row["observed_at"]) for row in clinical]
    twice = {key for key in keys if keys.count(key) > 1}
    assert len(twice) == 1
    assert len({row["nrs_now"] for row in clinical if (row["participant_id"], row["observed_at"]) in twice}) == 2
    assert [row for row in rows(folder, "medications") if row["participant_id"] == "1E+05"]
    assert zone.rows["clinical"]["quarantined"] == 3
    assert zone.rows["medications"]["quarantined"] == 1


@pytest.mark.parametrize(("participants", "seconds"), [(1, (1.0, 1.0)), (2, (0.5, 1.0)), (2, (3.0, 2.0))])
def test_an_impossible_study_is_refused_before_anything_is_written(
    participants: int, seconds: tuple[float, float], tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=r"at least"):
        make_landing_zone(tmp_path / "landing", participants=participants, seconds=seconds)
    assert not (tmp_path / "landing").exists()
