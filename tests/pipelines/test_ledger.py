import errno
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.deliveries import Delivery, Kind
from pipelines.errors import Reason, UserError
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from schemas.faults import Fate

AWAITING = Reason("AWAITING_PUBLICATION", "")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Ledger:
    return Ledger(path)


def delivery(
    name: str, fate: Fate = Fate.DEFERRED, *reasons: Reason, kind: Kind = "media", recording: str | None = None
) -> Delivery:
    return Delivery(
        name, kind, f"digest of {name}", "10:1|-", f"sha of {name}", 10, "P000000000" if recording else None, recording,
        fate, reasons, "2026-06-01T00:00:00+00:00", "2026-06-01T00:00:00+00:00",
    )  # fmt: skip


def test_what_is_entered_is_there_after_a_restart(path: Path, ledger: Ledger) -> None:
    entry = delivery("D1", Fate.QUARANTINED, Reason("TRUNCATED", "1.0 s of 2.0 s"))
    ledger.enter(entry)
    ledger.close()
    again = Ledger(path)
    assert again.find("D1") == entry
    assert again.find("D2") is None
    again.close()


def test_a_delivery_is_renewed_under_its_id(ledger: Ledger) -> None:
    ledger.enter(delivery("D1"))
    changed = replace(delivery("D1", Fate.QUARANTINED, Reason("EMPTY_FILE", "")), stamp="0:2|-", bytes=0)
    ledger.enter(changed)
    assert ledger.deliveries() == [changed]


def test_deliveries_come_as_first_seen_and_a_name_has_its_last_entered(ledger: Ledger) -> None:
    first = delivery("D1")
    second = replace(delivery("D2"), name_digest=first.name_digest, first_seen="2026-06-02T00:00:00+00:00")
    ledger.enter(first)
    ledger.enter(second)
    assert ledger.latest_by_name() == {first.name_digest: second}
    ledger.enter(replace(first, stamp="came back"))
    assert ledger.latest_by_name()[first.name_digest].stamp == "came back"
    assert [entry.delivery for entry in ledger.deliveries()] == ["D1", "D2"]
    assert [entry.delivery for entry in ledger.by_name(first.name_digest)] == ["D2", "D1"]


def test_what_was_never_read_may_be_forgotten_and_nothing_else(ledger: Ledger) -> None:
    known, waiting = delivery("D1"), replace(delivery("D2"), name_digest="digest of D1", sha256=None)
    ledger.enter(known)
    ledger.enter(waiting)
    ledger.forget_unread(known.name_digest)
    assert ledger.deliveries() == [known]


def test_deliveries_are_found_by_kind_bytes_person_and_recording(ledger: Ledger) -> None:
    made = delivery("D1", recording="P000000000-00000001")
    copy = replace(delivery("D2", Fate.DUPLICATE), sha256=made.sha256, duplicate_of="D1", participant=made.participant)
    table = delivery("D3", Fate.PUBLISHED, kind="table")
    for entry in (made, copy, table):
        ledger.enter(entry)
    assert ledger.deliveries("table") == [table]
    assert ledger.with_bytes("sha of D1") == [made, copy]
    assert ledger.of_participant("P000000000") == [made, copy]
    assert ledger.of_recording("P000000000-00000001") == made
    assert ledger.of_recording("P000000000-00000002") is None


def test_recordings_of_one_name_are_found_in_the_order_in_which_they_came(ledger: Ledger) -> None:
    first, alone = delivery("D1", recording="R1"), delivery("D2", recording="R2")
    later = replace(delivery("D3", recording="R3"), name_digest=first.name_digest)
    refused = replace(delivery("D4", Fate.QUARANTINED), name_digest=alone.name_digest)
    for entry in (first, alone, later, refused):
        ledger.enter(entry)
    assert ledger.of_repeated_names() == [first, later]


def test_codes_are_counted_over_all_deliveries(ledger: Ledger) -> None:
    assert not ledger.has_deliveries()
    for number, codes in enumerate([("NOISY", "DARK"), ("NOISY",), ()]):
        ledger.enter(delivery(f"D{number}", Fate.PUBLISHED, *(Reason(code, str(number)) for code in codes)))
    assert ledger.has_deliveries()
    assert ledger.reason_counts() == {"NOISY": 2, "DARK": 1}
    assert ledger.fate_counts("media") == {"published": 3}


def test_a_version_publishes_its_recordings_alone_and_keeps_their_flags(ledger: Ledger) -> None:
    ledger.enter(delivery("D1", Fate.DEFERRED, AWAITING, Reason("NOISY", "5 dB"), recording="R1"))
    ledger.enter(delivery("D2", Fate.DEFERRED, AWAITING, recording="R2"))
    ledger.enter(delivery("D3", Fate.QUARANTINED, Reason("TRUNCATED", "")))
    ledger.publish_version(1, "c0ffee", ["R1"], "2026-06-02T00:00:00+00:00")
    assert [entry.fate for entry in ledger.deliveries()] == [Fate.PUBLISHED, Fate.DEFERRED, Fate.QUARANTINED]
    published = ledger.find("D1")
    assert published is not None
    assert published.codes == ("NOISY",)
    assert [entry.delivery for entry in ledger.accepted()] == ["D2"]


def test_every_delivery_is_counted_once(ledger: Ledger) -> None:
    fates = [Fate.PUBLISHED, Fate.QUARANTINED, Fate.DEFERRED, Fate.DUPLICATE, Fate.ERASED, Fate.QUARANTINED]
    for number, fate in enumerate(fates):
        ledger.enter(delivery(f"D{number}", fate, Reason("EMPTY_FILE", ""), Reason("SILENT", "")))
    ledger.enter(delivery("table", Fate.QUARANTINED, Reason("CSV_DIALECT", ""), kind="table"))
    ledger.record_rows("clinical", [("a", "P1", "published", None), ("b", None, "quarantined", "VALUE_RANGE")])
    ledger.record_rows("clinical", [("a", "P1", "published", None), ("c", "P1", "duplicate", None)])
    assert counts(ledger) == {
        "landed": 6,
        "published": 1, "quarantined": 2, "deferred": 1, "duplicate": 1, "erased": 1,
        "balanced": True,
        "reasons": {"CSV_DIALECT": 1, "EMPTY_FILE": 6, "SILENT": 6, "VALUE_RANGE": 1},
        "tables": {"clinical": {"landed": 3, "published": 1, "quarantined": 1, "duplicate": 1}},
    }  # fmt: skip


def test_an_empty_ledger_balances(ledger: Ledger) -> None:
    status = counts(ledger)
    assert (status["landed"], status["balanced"], status["reasons"], status["tables"]) == (0, True, {}, {})


def test_rows_that_were_taken_in_are_known_by_their_digests(ledger: Ledger) -> None:
    ledger.record_rows("clinical", [("a", "P1", "published", None), ("b", None, "quarantined", "UNKNOWN_ID")])
    assert ledger.rows_of("clinical") == {"a": ("P1", "published", None), "b": (None, "quarantined", "UNKNOWN_ID")}
    assert ledger.row_codes("clinical") == {"UNKNOWN_ID"}
    ledger.record_rows("clinical", [("b", "P2", "published", None)])
    assert ledger.rows_of("clinical")["b"] == ("P2", "published", None)
    assert (ledger.row_codes("clinical"), ledger.rows_of("medications")) == (set(), {})


def test_units_are_done_under_a_key_until_they_are_forgotten(ledger: Ledger) -> None:
    ledger.finish_unit("R1", "face", "key", "sha")
    ledger.finish_unit("R1", "face", "new key", "new sha")
    ledger.finish_unit("R2", "face", "key", "sha")
    assert ledger.unit("R1", "face") == ("new key", "new sha")
    assert ledger.unit("R1", "voice") is None
    ledger.forget_units("R1")
    assert ledger.units_with_digests() == {("R2", "face"): ("key", "sha")}


def test_persons_are_dirty_once_until_a_version_has_them(ledger: Ledger) -> None:
    ledger.mark_dirty("P2", "P1")
    ledger.mark_dirty("P2")
    assert ledger.dirty() == ["P1", "P2"]
    ledger.clear_dirty()
    assert ledger.dirty() == []


def test_versions_are_pushed_together(ledger: Ledger) -> None:
    for number in (1, 2):
        ledger.publish_version(number, f"commit {number}", [], "2026-06-02")
    assert [version["pushed_at"] for version in ledger.versions()] == [None, None]
    ledger.mark_pushed("2026-06-03")
    ledger.publish_version(3, "commit 3", [], "2026-06-04")
    assert [version["pushed_at"] for version in ledger.versions()] == ["2026-06-03", "2026-06-03", None]


def test_the_last_run_is_the_last_that_ended(ledger: Ledger) -> None:
    assert ledger.last_run() is None
    ended, _killed = ledger.begin_run("1"), ledger.begin_run("2")
    ledger.end_run(ended, "published", "print", "3")
    assert ledger.last_run() == {
        "started_at": "1", "finished_at": "3", "outcome": "published", "fingerprint": "print",
    }  # fmt: skip


def test_a_transaction_that_fails_leaves_nothing_behind(ledger: Ledger) -> None:
    def half() -> None:
        with ledger.transaction():
            ledger.enter(delivery("D1"))
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        half()
    assert ledger.deliveries() == []
    ledger.enter(delivery("D2"))
    assert len(ledger.deliveries()) == 1


def test_a_reader_sees_what_is_whole_while_a_run_writes_and_cannot_write(path: Path, ledger: Ledger) -> None:
    ledger.enter(delivery("D1"))
    reader = Ledger(path, read_only=True)
    with ledger.transaction():
        ledger.enter(delivery("D2"))
        assert len(reader.deliveries()) == 1
    assert len(reader.deliveries()) == 2
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.mark_dirty("P1")
    reader.close()


def test_a_ledger_of_before_there_were_withdrawals_can_be_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as older:
        older.execute("DROP TABLE withdrawn")
    ledger = Ledger(path, read_only=True)
    assert ledger.withdrawn() == []
    ledger.close()


@pytest.mark.parametrize("at", ["ledger.make.before", "ledger.make.written"])
def test_a_ledger_whose_making_was_killed_is_not_there(path: Path, at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(point: str) -> None:
        if point == at:
            raise KeyboardInterrupt

    monkeypatch.setattr("pipelines.durable.fault_point", killed)
    with pytest.raises(KeyboardInterrupt):
        Ledger(path)
    assert not path.exists()
    monkeypatch.undo()
    Ledger(path).close()
    Ledger(path, read_only=True).close()


def test_of_two_who_make_it_at_once_the_first_ones_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def quicker(point: str) -> None:
        if point == "ledger.make.written":
            monkeypatch.undo()
            other = Ledger(path)
            other.enter(delivery("D1"))
            other.close()

    monkeypatch.setattr("pipelines.durable.fault_point", quicker)
    assert Ledger(path).find("D1") == delivery("D1")
    assert [each.name for each in path.parent.glob(".*")] == []


def test_a_disk_that_takes_no_ledger_is_told_in_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.durable.sync", full)
    with pytest.raises(UserError, match=r"ledger\.sqlite cannot be made: No space left on device"):
        Ledger(path)
    assert list(path.parent.iterdir()) == []
