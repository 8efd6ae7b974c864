"""Faults of the landing zone itself: each costs what it touches, and the rest goes on."""

import os
import socket
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.landing_zone import FolderLanding
from pipelines.ledger_counts import counts
from pipelines.params import LandParams, Params
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, NOW, Hospital, LightStudy, small_mp4

MP4 = small_mp4()
OTHER = "MRN-other"
AHEAD = NOW + timedelta(days=3000)


def shut(monkeypatch: pytest.MonkeyPatch, *folders: Path) -> None:
    """Folders that cannot be listed; as root, permissions would not do it."""
    true_scandir = os.scandir

    def scandir(folder: Path) -> "Iterator[os.DirEntry[str]]":
        if folder in folders:
            raise PermissionError(13, "Permission denied", str(folder))
        return true_scandir(folder)

    monkeypatch.setattr("pipelines.landing_zone.os.scandir", scandir)


# --- folders ---


def test_a_folder_that_cannot_be_listed_waits_and_the_rest_goes_on(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    hospital.admit(OTHER)
    hidden = hospital.film(MP4)
    hospital.film(small_mp4(91), participant_id=OTHER)
    with monkeypatch.context() as patched:
        shut(patched, study.landing.root / "recordings" / ID)
        assert [accepted.path.split("/")[1] for accepted in study.land()] == [OTHER]
        (folder,) = study.ledger.deliveries("other")
        assert (folder.fate, folder.codes) == (Fate.DEFERRED, ("FOLDER_UNREADABLE",))
        assert study.vault.name_of(folder.delivery) == f"recordings/{ID}"
    (accepted,) = [accepted for accepted in study.land() if accepted.path == hidden]
    assert accepted.recording.participant
    assert study.ledger.deliveries("other") == []


def test_what_waits_in_a_folder_that_cannot_be_listed_has_not_vanished(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"recordings/{ID}/V1/a.mp4"
    hospital.write(path, MP4)
    study.land()
    shut(monkeypatch, study.landing.root / "recordings")
    study.now = NOW + timedelta(days=30)
    study.land()
    assert study.entry(path).codes == ("WAITING_PAIR",)


def test_a_night_with_nothing_but_such_a_folder_has_nothing_new(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.film(MP4)
    shut(monkeypatch, study.landing.root / "recordings")
    study.land()
    assert not study.look().anything


def test_a_landing_zone_that_cannot_be_listed_itself_ends_the_run_before_it_begins(
    study: LightStudy, monkeypatch: pytest.MonkeyPatch
) -> None:
    shut(monkeypatch, study.landing.root)
    with pytest.raises(UserError, match="cannot be listed: mend its permissions"):
        study.look()


def test_a_real_folder_without_permission_is_told_by_a_child_that_is_not_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        root.chmod(0o755)
        (root / "shut").mkdir(mode=0)
        child = os.fork()
        if child == 0:
            # Whatever happens, the child is no second run of the tests.
            try:
                os.setegid(65534)
                os.seteuid(65534)
                found = [(file.path, file.listable) for file in FolderLanding(root).files()]
                os._exit(0 if found == [("shut", False)] else 1)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


# --- clocks ---


def test_a_file_from_the_future_is_taken_in_once_it_has_stood_still(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit()
    study.land()
    hospital.at = AHEAD
    path = hospital.film(MP4)
    assert study.land() == []
    assert study.entry(path).codes == ("NOT_STABLE",)
    study.now = NOW + timedelta(seconds=30)
    assert study.land() == []
    study.now = NOW + timedelta(seconds=60)
    assert len(study.land()) == 1
    assert len(study.entries(path)) == 1


def test_a_file_from_the_future_that_still_grows_is_not_taken_in(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit()
    study.land()
    hospital.at = AHEAD
    for minute in range(4):
        path = hospital.film(MP4 + bytes(minute), sidecar={"sha256": None})
        study.now = NOW + timedelta(minutes=minute)
        assert study.land() == []
        assert study.entry(path).codes == ("NOT_STABLE",)


def test_our_own_clock_may_go_backwards(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit()
    study.land()
    study.now = AHEAD
    hospital.at = AHEAD
    hospital.film(MP4)
    assert study.land() == []
    study.now = NOW
    assert len(study.land()) == 1


@pytest.mark.parametrize("time_s", [-(2**40), 2**40])
def test_no_time_of_a_file_is_too_absurd_to_be_listed(study: LightStudy, hospital: Hospital, time_s: int) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    try:
        os.utime(study.landing.root / path, (time_s, time_s))
    except OverflowError:
        pytest.skip("this file system takes no such time")
    study.land()
    study.now += timedelta(days=1)
    study.land()
    assert study.entry(path).codes == ("AWAITING_PUBLICATION",)


# --- tables that are still written ---


def test_a_table_that_is_still_written_waits_and_recordings_that_need_it_not_go_on(
    study: LightStudy, hospital: Hospital
) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit()
    hospital.film(MP4)
    hospital.at = NOW - timedelta(seconds=10)
    hospital.score("4")
    assert len(study.land()) == 1
    entry = study.entry("clinical.csv")
    assert (entry.fate, entry.codes, entry.sha256) == (Fate.DEFERRED, ("NOT_STABLE",), None)
    assert study.rows("clinical") == {}
    study.now = NOW + timedelta(minutes=1)
    assert study.look().tables_changed
    study.land()
    assert study.entry("clinical.csv").fate is Fate.PUBLISHED
    assert study.rows("clinical")["published"] == 1
    assert not study.look().tables_changed


@pytest.mark.parametrize("name", ["participants", "consent"])
def test_who_might_stand_in_a_register_that_is_still_written_waits(
    study: LightStudy, hospital: Hospital, name: str
) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit()
    path = hospital.film(MP4)
    written = (study.landing.root / f"{name}.csv").read_bytes()
    hospital.at = NOW - timedelta(seconds=10)
    hospital.write(f"{name}.csv", written)
    assert study.land() == []
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.DEFERRED, ("NOT_STABLE",))
    study.now = NOW + timedelta(minutes=1)
    assert len(study.land()) == 1


def test_a_control_waits_for_pain_scores_that_are_still_written(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.admit(group="control")
    path = hospital.film(MP4)
    hospital.at = NOW - timedelta(seconds=10)
    hospital.score("5")
    assert study.land() == []
    assert study.entry(path).codes == ("NOT_STABLE",)
    study.now = NOW + timedelta(minutes=1)
    study.land()
    assert study.entry(path).codes == ("PROTOCOL_CONTROL_IN_PAIN",)


def test_a_table_that_changes_while_it_is_read_is_read_another_time(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    hospital.score("4")
    true_read = FolderLanding.read

    def grow(landing: FolderLanding, path: str) -> bytes:
        content = true_read(landing, path)
        if path == "clinical.csv":
            hospital.score("5", at="2026-03-16T09:00:00+01:00")
        return content

    with monkeypatch.context() as patched:
        patched.setattr(FolderLanding, "read", grow)
        study.land()
    assert study.entry("clinical.csv").codes == ("NOT_STABLE",)
    study.land()
    assert study.rows("clinical")["published"] == 2
    assert study.entry("clinical.csv").fate is Fate.PUBLISHED


def test_a_table_from_the_future_does_not_wait_again_whenever_another_one_comes(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    hospital.at = AHEAD
    hospital.score("4")
    study.land()
    assert study.entry("clinical.csv").codes == ("NOT_STABLE",)
    study.land()
    assert study.entry("clinical.csv").fate is Fate.PUBLISHED
    hospital.at = NOW - timedelta(days=1)
    hospital.consent("given", at="2026-04-01T09:00:00+02:00")
    study.land()
    assert study.entry("clinical.csv").fate is Fate.PUBLISHED
    assert not study.look().anything


def test_a_table_that_went_while_it_was_written_has_vanished(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.at = NOW - timedelta(seconds=10)
    hospital.score("4")
    study.land()
    (study.landing.root / "clinical.csv").unlink()
    study.now = NOW + timedelta(days=7)
    study.land()
    assert study.entry("clinical.csv").codes == ("VANISHED",)
    hospital.score("5")
    study.land()
    assert study.entry("clinical.csv").fate is Fate.PUBLISHED


# --- odd files ---


@pytest.mark.parametrize("what", ["fifo", "socket", "device", "folder"])
def test_what_is_no_plain_file_is_never_waited_for(
    study: LightStudy, hospital: Hospital, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    hospital.film(MP4, "good.mp4")
    path = hospital.film(b"", "odd.mp4")
    target = study.landing.root / path
    target.unlink()
    if what == "fifo":
        os.mkfifo(target)
    elif what == "socket":
        monkeypatch.chdir(target.parent)
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind("odd.mp4")
    elif what == "device":
        try:
            os.mknod(target, 0o600 | 0o020000, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("no device can be made here")
    else:
        target.mkdir()
        hospital.write(f"{path}/deeper.txt", b"x")
    assert len(study.land()) == 1
    if what == "folder":
        assert study.entry(f"{path}/deeper.txt").codes == ("UNEXPECTED_FILE",)
    else:
        assert (study.entry(path).fate, study.entry(path).codes) == (Fate.QUARANTINED, ("UNSAFE_NAME",))


@pytest.mark.parametrize("what", ["fifo", "device"])
def test_a_file_whose_place_a_pipe_or_device_took_since_the_look_is_unreadable(
    study: LightStudy, hospital: Hospital, what: str
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (candidate,) = study.look().candidates
    (study.landing.root / path).unlink()
    if what == "fifo":
        os.mkfifo(study.landing.root / path)
    else:
        try:
            os.mknod(study.landing.root / path, 0o600 | 0o020000, os.makedev(1, 5))
        except PermissionError:
            pytest.skip("no device can be made here")
    assert study.judge.judge(candidate) is None
    assert (study.entry(path).codes, study.entry(path).reasons[0].detail) == (("UNREADABLE",), "it is no plain file")


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Zoë née Ødegård.mp4", None),
        ("名前.mp4", None),
        ("a" * 250 + ".mp4", None),
        ("😀.mp4", None),
        ("e\u0301.mp4", "UNSAFE_NAME"),
        ("zero\u200bwidth.mp4", "UNSAFE_NAME"),
        ("\ufeffmark.mp4", "UNSAFE_NAME"),
        ("tab\there.mp4", "UNSAFE_NAME"),
        ("new\nline.mp4", "UNSAFE_NAME"),
        ("\udc80.mp4", "UNSAFE_NAME"),
        ("..\\..\\etc.mp4", "UNSAFE_NAME"),
    ],
)
def test_any_name_has_one_fate_and_a_visible_one_is_no_fault(
    study: LightStudy, hospital: Hospital, name: str, code: str | None
) -> None:
    hospital.admit()
    path = hospital.film(MP4, name)
    study.night()
    study.publish()
    assert study.entry(path).fate is (Fate.PUBLISHED if code is None else Fate.QUARANTINED)
    assert study.entry(path).codes == (() if code is None else (code,))
    assert counts(study.ledger)["balanced"]


def test_a_path_longer_than_any_contract_is_unsafe(study: LightStudy, hospital: Hospital) -> None:
    deep = "/".join(["d" * 200] * 5)
    hospital.write(f"recordings/{deep}/a.mp4", MP4)
    study.land()
    assert study.entry(f"recordings/{deep}/a.mp4").codes == ("UNSAFE_NAME",)
