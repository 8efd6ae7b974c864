"""What landing makes of each kind of delivery; every fault is made from bytes of its own."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import Reason, Rejection
from pipelines.land import safe_visit
from pipelines.ledger_counts import counts
from pipelines.params import LandParams, Params
from pipelines.pseudonymise import mark_superseded, open_recording, recordings_folder
from pipelines.recording import Recording, Task
from pipelines.set_aside import set_aside
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, NAME, NOW, RECORDED_AT, Hospital, LightStudy, remuxed, small_mp4, wav

MP4 = small_mp4()


def quarantined(study: LightStudy, path: str) -> str:
    """The code under which a path lies in quarantine, with its bytes kept and readable."""
    entry = study.entry(path)
    assert entry.fate is Fate.QUARANTINED
    assert study.quarantine.fetch(entry.delivery) is not None
    (code,) = entry.codes
    return code


# --- accepted ---


def test_a_recording_of_a_consenting_person_is_accepted_and_awaits_its_version(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (accepted,) = study.land()
    person = study.vault.person(ID)
    assert person is not None
    assert accepted.recording == Recording(
        recording=f"{person.pseudonym}-{study.vault.label('recording', hashlib.sha256(MP4).hexdigest())}",
        participant=person.pseudonym,
        visit="V1",
        study_day=14,
        time_of_day_min=630,
        study_minute=14 * 1440 + 630,
        device="Sony FDR-AX43",
        language="nl",
        tasks=(Task("reading", 0.0, 0.1),),
        media_sha256="",
    )
    entry = study.entry(path)
    assert (entry.fate, entry.codes) == (Fate.DEFERRED, ("AWAITING_PUBLICATION",))
    assert (entry.sha256, entry.bytes) == (hashlib.sha256(MP4).hexdigest(), len(MP4))


def test_once_published_an_unchanged_landing_zone_holds_nothing_new(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    study.publish()
    assert study.entry(path).fate is Fate.PUBLISHED
    assert study.entry(path).reasons == ()
    assert not study.look().anything


@pytest.mark.parametrize("change", [{"sha256": None}, {"sha256": hashlib.sha256(MP4).hexdigest().upper()}])
def test_a_sidecar_may_leave_its_hash_out_or_spell_it_in_capitals(
    study: LightStudy, hospital: Hospital, change: dict[str, object]
) -> None:
    hospital.admit()
    hospital.film(MP4, sidecar=change)
    assert len(study.land()) == 1


# --- faults of the file ---

OTHER_ID = {"participant_id": "somebody-else"}
WRONG_HASH = {"sha256": "0" * 64}


@pytest.mark.parametrize(
    ("code", "media", "sidecar"),
    [
        ("EMPTY_FILE", b"", {}),
        ("CHECKSUM_MISMATCH", MP4, WRONG_HASH),
        ("SIDECAR_INVALID", MP4, OTHER_ID),
        ("SIDECAR_INVALID", MP4, {"visit": "V2"}),
        ("SIDECAR_INVALID", MP4, {"recorded_at": None}),
        ("SIDECAR_INVALID", MP4, {"recorded_at": "9999-12-31T23:59:59-12:00"}),
        ("PROTOCOL_LANGUAGE", MP4, {"language": "German"}),
    ],
)
def test_a_faulty_delivery_is_quarantined_with_its_code(
    study: LightStudy, hospital: Hospital, code: str, media: bytes, sidecar: dict[str, object]
) -> None:
    hospital.admit()
    path = hospital.film(media, sidecar=sidecar)
    assert study.land() == []
    assert quarantined(study, path) == code


def test_the_quarantine_keeps_name_bytes_and_sidecar_as_delivered(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4, sidecar=WRONG_HASH)
    study.land()
    kept = study.quarantine.fetch(study.entry(path).delivery)
    assert kept is not None
    name, content, sidecar = kept
    assert (name, content) == (path, MP4)
    assert json.loads(sidecar or b"")["sha256"] == "0" * 64


def no_index() -> bytes:
    whole = remuxed(MP4, "mp4")
    return whole[: whole.index(b"moov") - 4]


@pytest.mark.parametrize(
    ("code", "name", "media"),
    [
        ("NO_INDEX", "a.mp4", no_index()),
        ("TYPE_MISMATCH", "a.mp4", wav()),
        ("TYPE_MISMATCH", "a.mkv", MP4),
        ("TYPE_MISMATCH", "a.mp4", b"%PDF-1.7 no recording at all" * 40),
        ("TRUNCATED", "a.wav", wav(2.0)[: 8_000 * 2]),
        ("BAD_RIFF", "a.wav", wav().replace(b"data", b"LIST\xff\xff\xff\x7fdata", 1)),
    ],
)
def test_what_shows_only_when_it_is_opened_sets_the_delivery_aside(
    study: LightStudy, hospital: Hospital, code: str, name: str, media: bytes
) -> None:
    hospital.admit()
    path = hospital.film(media, name)
    (accepted,) = study.land()
    with pytest.raises(Rejection) as refused:
        study.bring_in(accepted)
    set_aside(study.desk, accepted.delivery, Reason(refused.value.code, refused.value.detail), accepted.sidecar)
    assert quarantined(study, path) == code
    assert study.entry(path).recording is None
    assert not study.look().anything


# --- pairs and stability ---


def test_a_file_without_its_sidecar_waits_and_after_the_days_is_an_orphan(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = f"recordings/{ID}/V1/{NAME}.mp4"
    hospital.write(path, MP4)
    study.land()
    first = study.entry(path)
    assert (first.fate, first.codes, first.sha256) == (Fate.DEFERRED, ("WAITING_PAIR",), None)
    study.now = NOW + timedelta(days=6.9)
    assert not study.look().anything
    study.now = NOW + timedelta(days=7)
    study.land()
    assert quarantined(study, path) == "ORPHAN"
    hospital.describe(path)
    assert len(study.land()) == 1
    assert study.entry(path).delivery == first.delivery


def test_a_sidecar_without_its_file_waits_and_is_then_an_orphan(study: LightStudy, hospital: Hospital) -> None:
    path = f"recordings/{ID}/V1/{NAME}.json"
    hospital.write(path, b"{}")
    study.land()
    assert study.entry(path).codes == ("WAITING_PAIR",)
    study.now = NOW + timedelta(days=8)
    study.land()
    assert quarantined(study, path) == "ORPHAN"


def test_a_file_written_a_moment_ago_is_not_stable(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit()
    hospital.at = NOW - timedelta(seconds=30)
    path = hospital.film(MP4)
    assert study.land() == []
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.DEFERRED, ("NOT_STABLE",))
    study.now = NOW + timedelta(minutes=2)
    assert len(study.land()) == 1


def test_a_file_that_changes_while_it_is_read_is_not_stable(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (candidate,) = study.look().candidates
    hospital.write(path, MP4 + b"more")
    assert study.judge.judge(candidate) is None
    assert study.entry(path).codes == ("NOT_STABLE",)


def test_a_known_file_that_is_touched_and_for_a_moment_without_its_sidecar_stays_one_delivery(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    study.publish()
    study.landing.root.joinpath(path).with_suffix(".json").unlink()
    study.land()
    hospital.describe(path)
    study.night()
    study.publish()
    assert study.entry(path).fate is Fate.PUBLISHED
    assert not study.look().anything


# --- names and places ---


@pytest.mark.parametrize(
    "name",
    ["bell\x07.mp4", "right\u202eto-left.mp4", "no\u0308t-composed.mp4", "back\\slash.mp4", "no-utf8-\udcff.mp4"],
)
def test_odd_characters_make_a_name_unsafe(study: LightStudy, hospital: Hospital, name: str) -> None:
    hospital.admit()
    path = hospital.film(MP4, name)
    study.land()
    assert quarantined(study, path) == "UNSAFE_NAME"
    kept = study.quarantine.fetch(study.entry(path).delivery)
    assert kept is not None
    assert kept[:2] == (path, MP4)


def test_a_link_is_never_followed(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    secret = study.study.root / "secret.mp4"
    secret.write_bytes(MP4)
    path = hospital.film(b"", "link.mp4")
    (study.landing.root / path).unlink()
    (study.landing.root / path).symlink_to(secret)
    study.land()
    assert quarantined(study, path) == "UNSAFE_NAME"
    kept = study.quarantine.fetch(study.entry(path).delivery)
    assert kept is not None
    assert kept[1] == b""


@pytest.mark.parametrize("path", ["recordings/notes.txt", "stray.mp4", "recordings/007/a.mp4", "a.json"])
def test_what_the_contract_does_not_have_is_unexpected(study: LightStudy, hospital: Hospital, path: str) -> None:
    hospital.write(path, MP4)
    if path.endswith(".mp4"):
        hospital.write(path.replace(".mp4", ".json"), b"{}")
    study.land()
    assert quarantined(study, path) == "UNEXPECTED_FILE"


def test_a_file_beyond_the_limit_is_refused_unread(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(max_file_mb=0.001))
    hospital.admit()
    path = hospital.film(MP4 * 4)
    study.land()
    assert quarantined(study, path) == "RESOURCE_LIMIT"


def test_a_file_that_cannot_be_read_is_quarantined_without_its_bytes(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    found = study.look()
    (study.landing.root / path).unlink()
    for candidate in found.candidates:
        study.judge.judge(candidate)
    assert quarantined(study, path) == "UNREADABLE"


# --- person, consent, protocol ---


def test_a_person_who_is_not_registered_is_unknown(study: LightStudy, hospital: Hospital) -> None:
    path = hospital.film(MP4)
    study.land()
    assert quarantined(study, path) == "UNKNOWN_ID"


CONSENTS: dict[str, Callable[[Hospital], None]] = {
    "none": lambda _: None,
    "a scope is missing": lambda hospital: hospital.consent(scopes=["recording"]),
    "given after the recording": lambda hospital: hospital.consent(at="2026-03-15T11:00:00+01:00"),
}
ENDINGS = {
    "withdrawn before": ("withdrawn", "2026-03-10T09:00:00+01:00"),
    "expired before": ("expired", "2026-03-10T09:00:00+01:00"),
    "withdrawn since": ("withdrawn", "2026-04-10T09:00:00+02:00"),
}


@pytest.mark.parametrize("consent", CONSENTS.values(), ids=CONSENTS.keys())
def test_without_consent_of_every_scope_before_it_no_recording_is_used(
    study: LightStudy, hospital: Hospital, consent: Callable[[Hospital], None]
) -> None:
    hospital.register()
    consent(hospital)
    path = hospital.film(MP4)
    study.land()
    assert quarantined(study, path) == "NO_CONSENT"


@pytest.mark.parametrize(("status", "at"), ENDINGS.values(), ids=ENDINGS.keys())
def test_consent_that_ended_before_or_was_withdrawn_since_is_none(
    study: LightStudy, hospital: Hospital, status: str, at: str
) -> None:
    hospital.admit()
    hospital.consent(status, at)
    path = hospital.film(MP4)
    study.land()
    assert quarantined(study, path) == "NO_CONSENT"


def test_consent_that_expired_after_the_recording_still_covers_it(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.consent("expired", "2026-04-10T09:00:00+02:00")
    hospital.film(MP4)
    assert len(study.land()) == 1


@pytest.mark.parametrize(
    ("code", "facts"),
    [("PROTOCOL_UNDERAGE", {"birth_date": "2008-03-16"}), ("PROTOCOL_EXCLUDED", {"exclusion": "dementia"})],
)
def test_who_the_protocol_leaves_out_is_left_out(
    study: LightStudy, hospital: Hospital, code: str, facts: dict[str, str]
) -> None:
    hospital.admit(**facts)
    path = hospital.film(MP4)
    study.land()
    assert quarantined(study, path) == code


def test_the_eighteenth_birthday_is_of_age(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit(birth_date="2008-03-15")
    hospital.film(MP4)
    assert len(study.land()) == 1


def test_a_control_in_pain_on_the_day_is_refused(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit(group="control")
    hospital.score("2")
    path = hospital.film(MP4)
    study.land()
    assert quarantined(study, path) == "PROTOCOL_CONTROL_IN_PAIN"


def test_a_control_without_pain_on_the_day_is_accepted(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit(group="control")
    hospital.score("0")
    hospital.score("5", at="2026-03-20T09:00:00+01:00")
    hospital.film(MP4)
    assert len(study.land()) == 1


def test_a_control_has_one_recording_though_it_may_be_delivered_anew(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit(group="control")
    hospital.film(MP4, "first.mp4")
    study.night()
    second = hospital.film(small_mp4(91), "second.mp4")
    study.night()
    assert quarantined(study, second) == "PROTOCOL_CONTROL_REPEATED"
    hospital.film(small_mp4(92), "first.mp4")
    assert [accepted.recording.flags for accepted in study.land()] == [("SUPERSEDES",)]


# --- seen before ---


def test_the_same_bytes_under_another_name_are_one_recording(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    original = hospital.film(MP4, "a.mp4")
    copy = hospital.film(MP4, "b.mp4")
    assert len(study.land()) == 1
    assert (study.entry(copy).fate, study.entry(copy).codes) == (Fate.DUPLICATE, ("DUPLICATE",))
    assert study.entry(copy).duplicate_of == study.entry(original).delivery
    assert study.entry(copy).recording is None


def test_new_bytes_under_a_known_name_supersede_and_overwrite_nothing(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (first,) = study.night()
    study.publish()
    hospital.film(small_mp4(91))
    (accepted,) = study.land()
    assert accepted.supersedes == first.recording
    second = study.bring_in(accepted)
    mark_superseded(study.study.lake, first.participant, first.recording)
    assert second.recording != first.recording
    assert second.flags == ("SUPERSEDES",)
    folder = recordings_folder(study.study.lake, first.participant)
    assert Recording.read(folder / f"{first.recording}.json") == replace(first, superseded=True)
    assert [entry.fate for entry in study.entries(path)] == [Fate.PUBLISHED, Fate.DEFERRED]


def test_earlier_bytes_that_come_back_are_settled_in_one_night(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    study.publish()
    hospital.film(small_mp4(91))
    study.night()
    study.publish()
    hospital.film(MP4)
    study.night()
    study.publish()
    assert len(study.entries(path)) == 2
    assert not study.look().anything


def test_a_clock_that_runs_ahead_is_flagged(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4, sidecar={"recorded_at": (NOW + timedelta(hours=1)).isoformat()})
    (accepted,) = study.land()
    assert accepted.recording.flags == ("CLOCK_SKEW",)
    assert study.entry(path).codes == ("AWAITING_PUBLICATION", "CLOCK_SKEW")


# --- crashes ---


def test_an_accepted_delivery_that_a_killed_run_left_undone_is_taken_up_under_the_same_name(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (killed,) = study.land()
    (recording,) = study.night()
    assert recording.recording == killed.recording.recording
    assert len(study.entries(path)) == 1
    sidecar = recordings_folder(study.study.lake, recording.participant) / f"{recording.recording}.json"
    sidecar.unlink()
    assert study.night() == [recording]


def test_a_control_that_a_killed_run_left_undone_is_not_its_own_repetition(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit(group="control")
    hospital.film(MP4)
    study.land()
    assert len(study.land()) == 1


# --- everything adds up, and names no one ---


def test_every_delivery_has_one_fate_and_they_add_up(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.film(MP4, "good.mp4")
    hospital.film(MP4, "same.mp4")
    hospital.film(b"", "empty.mp4")
    hospital.write(f"recordings/{ID}/V1/alone.mp4", MP4)
    study.night()
    study.publish()
    status = counts(study.ledger)
    assert status["balanced"]
    assert {fate: status[fate] for fate in ("landed", "published", "quarantined", "deferred", "duplicate")} == {
        "landed": 4, "published": 1, "quarantined": 1, "deferred": 1, "duplicate": 1,
    }  # fmt: skip
    assert status["reasons"] == {"DUPLICATE": 1, "EMPTY_FILE": 1, "WAITING_PAIR": 1}


def test_names_and_ids_stand_in_no_file_outside_landing_and_vault(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.score("4")
    hospital.film(MP4, sidecar={"device": f"iPhone {ID}", "operator": NAME})
    hospital.film(b"", "empty.mp4", visit=f"visit-{ID}")
    hospital.write(f"recordings/{ID}/{NAME}.txt", NAME.encode())
    (recording,) = study.night()
    study.publish()
    assert recording.device is None
    outside = [study.study.state, study.study.lake, study.study.reports]
    files = [path for folder in outside for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    for path in files:
        for planted in (ID, NAME, "1961-05-04", RECORDED_AT[:10]):
            assert planted.encode() not in path.read_bytes(), path
            assert planted not in str(path.relative_to(study.study.root))


def test_the_delivered_bytes_can_be_had_back_with_the_persons_key_alone(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.film(MP4)
    (recording,) = study.night()
    person = study.vault.of_pseudonym(recording.participant)
    media = open_recording(study.study.lake, recording, person.identity)
    assert hashlib.sha256(media).hexdigest() == recording.media_sha256


# --- small parts ---


@pytest.mark.parametrize("visit", ["2026-03-01", "V1 of Piet", "x" * 25, "007", "day-007-am", "", "é"])
def test_a_visit_that_could_tell_something_becomes_a_day(visit: str) -> None:
    assert safe_visit(visit, 14, "007") == "day14"


@given(st.text(max_size=30), st.integers(-10, 400))
def test_a_visits_label_never_holds_a_year_or_an_id(visit: str, day: int) -> None:
    label = safe_visit(visit, day, "abc")
    assert label in {visit, f"day{day}"}
    assert label == f"day{day}" or ("abc" not in label.lower() and label.isprintable() and label.isascii())


def test_setting_aside_what_the_ledger_does_not_know_is_an_error(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.film(MP4)
    study.land()
    with pytest.raises(LookupError, match="not in the ledger"):
        set_aside(study.desk, "other", Reason("TRUNCATED", ""))


def test_what_is_accepted_leaves_the_quarantine_once_a_version_has_it(study: LightStudy, hospital: Hospital) -> None:
    path = hospital.film(small_mp4())
    study.land()
    delivery = study.entry(path).delivery
    assert study.quarantine.path(delivery).is_file()
    hospital.admit()
    study.ledger.enter(replace(study.entry(path), stamp=""))
    study.night()
    assert study.entry(path).codes == ("AWAITING_PUBLICATION",)
    study.land()
    assert study.quarantine.path(delivery).is_file()
    study.publish()
    study.land()
    assert not study.quarantine.path(delivery).exists()


# --- erased persons ---


def erased(study: LightStudy, participant_id: str = ID) -> str:
    """Erase a person from the vault, as far as landing has to do with it; gives their pseudonym."""
    person = study.vault.person(participant_id)
    assert person is not None
    study.vault.bury(person.pseudonym, "2026-05-01T00:00:00+00:00")
    study.vault.destroy(person.pseudonym, list(study.vault.names))
    study.vault.save()
    return person.pseudonym


def test_a_returning_file_of_an_erased_person_is_known_and_only_its_hash_is_kept(
    study: LightStudy, hospital: Hospital, caplog: pytest.LogCaptureFixture
) -> None:
    hospital.admit()
    study.land()
    erased(study)
    path = hospital.film(MP4)
    assert study.land() == []
    entry = study.entry(path)
    assert (entry.fate, entry.codes) == (Fate.QUARANTINED, ("ERASED_SUBJECT",))
    assert entry.sha256 == hashlib.sha256(MP4).hexdigest()
    assert entry.participant is None
    assert list(study.study.quarantine.iterdir()) == []
    assert study.vault.name_of(entry.delivery) is None
    assert "ERASED_SUBJECT" in caplog.text
    assert ID not in caplog.text


@pytest.mark.parametrize("what", ["lonely sidecar", "no sidecar", "another folder", "another type"])
def test_however_it_returns_nothing_of_it_is_kept(study: LightStudy, hospital: Hospital, what: str) -> None:
    hospital.admit()
    study.land()
    erased(study)
    if what == "lonely sidecar":
        hospital.describe(f"recordings/{ID}/V1/film.mp4")
    elif what == "another folder":
        hospital.film(MP4, participant_id="MRN-other", sidecar={"participant_id": ID})
    else:
        hospital.write(f"recordings/{ID}/V1/film.{'mp4' if what == 'no sidecar' else 'txt'}", MP4)
    assert study.land() == []
    (entry,) = [each for each in study.ledger.deliveries() if each.kind != "table"]
    assert entry.codes == ("ERASED_SUBJECT",)
    assert list(study.study.quarantine.iterdir()) == []
    assert study.vault.names.keys() & {entry.delivery} == set()


def test_an_erased_persons_rows_are_refused_and_not_kept_and_nobody_is_enrolled_again(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    hospital.admit("MRN-other")
    study.land()
    erased(study)
    hospital.score("99", participant_id=ID)
    hospital.score("6", participant_id="MRN-other")
    hospital.consent(participant_id=ID)
    study.land()
    assert study.vault.person(ID) is None
    assert study.rows("clinical") == {"landed": 2, "published": 1, "quarantined": 1}
    assert counts(study.ledger)["reasons"]["ERASED_SUBJECT"] >= 1
    kept = [study.quarantine.fetch(path.stem) for path in study.study.quarantine.glob("*.age")]
    assert ID.encode() not in b"".join(each[1] for each in kept if each is not None)


def test_a_table_that_cannot_be_read_is_kept_without_an_erased_persons_lines(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    study.land()
    erased(study)
    hospital.write("clinical.csv", f"who;what\n{ID};1\nMRN-other;2\n".encode())
    study.land()
    (path,) = study.study.quarantine.glob("*.age")
    kept = study.quarantine.fetch(path.stem)
    assert kept is not None
    assert kept[1] == b"who;what\nMRN-other;2\n"


def test_an_erased_persons_ledger_row_stands_as_a_count_and_the_landing_copy_is_left_alone(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    hospital.admit("MRN-other")
    path = hospital.film(MP4)
    twin = hospital.film(MP4, participant_id="MRN-other")
    study.night()
    study.publish()
    assert study.entry(twin).fate is Fate.DUPLICATE
    pseudonym = erased(study)
    count = study.ledger.erase(pseudonym, [], [], lambda text: study.vault.digest("erased bytes", text), "2026-06-02")
    assert count == 1
    assert study.entry(path).fate is Fate.ERASED
    assert counts(study.ledger)["balanced"]
    assert pseudonym.encode() not in study.study.ledger.read_bytes()
    # What was a duplicate of the erased is nobody's duplicate any more.
    (accepted,) = study.land()
    assert accepted.path == twin
    assert study.entry(path).fate is Fate.ERASED
