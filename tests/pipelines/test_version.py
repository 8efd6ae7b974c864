"""Versions of a lake of generated features, in a real git and DVC repository."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from expectations.results import CheckResult
from pipelines import version as version_module
from pipelines.deliveries import Delivery
from pipelines.errors import PainLakeError, Reason
from pipelines.grow import Base
from pipelines.known import store_of
from pipelines.lake import recordings
from pipelines.ledger import Ledger
from pipelines.repository import Repository
from pipelines.seal import sha256_of
from pipelines.study import Study, make_study
from pipelines.validate import ValidationOutcome, read_report, validate
from pipelines.version import Versioning
from pipelines.warehouse import current_file
from schemas.faults import Fate
from tests.pipelines.lake_factory import pseudonym, recording_name, write_lake, write_recording

AT = datetime(2026, 5, 1, tzinfo=UTC).isoformat()


@dataclass(frozen=True)
class Made:
    study: Study
    ledger: Ledger
    version: Versioning

    @property
    def outcome(self) -> ValidationOutcome:
        """Of the first version's checks: what changes afterwards changes no rule's outcome."""
        return read_report(self.study.reports / "validation.json")

    def accept(self, recording: str) -> None:
        """Enter a delivery that became this recording, as land does."""
        participant = recording.split("-", maxsplit=1)[0]
        self.ledger.enter(
            Delivery(
                f"D{recording}", "media", f"name {recording}", "stamp", f"sha of {recording}", 1, participant, recording,
                Fate.DEFERRED, (Reason("AWAITING_PUBLICATION", ""), Reason("SHORT", "1 s")), AT, AT,
            )
        )  # fmt: skip
        self.ledger.mark_dirty(participant)

    def fate(self, recording: str) -> tuple[Fate, tuple[str, ...]]:
        entry = self.ledger.of_recording(recording)
        assert entry is not None
        return entry.fate, entry.codes


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A study with one version of two people."""
    study = make_study(tmp_path_factory.mktemp("versions") / "study", None, None)
    ledger = Ledger(study.ledger)
    version = Versioning(study, study.params(), ledger, Repository(study.root))
    one = Made(study, ledger, version)
    write_lake(study.lake, people=2)
    for each in recordings(study.lake):
        one.accept(each.recording)
    outcome = validate(study.lake, study.reports / "validation.json", study.params().validation)
    commit = version.commit()
    assert commit is not None
    version.publish(commit, outcome)
    yield one
    ledger.close()


def test_a_published_lake_is_a_tagged_commit_and_a_duckdb_file(made: Made) -> None:
    repository = made.version.repository
    assert repository.version_at_head() == 1
    assert (made.study.warehouse / "current").readlink() == Path("painlake-v0001.duckdb")
    assert repository.git("status", "--porcelain") == ""
    assert "up to date" in repository.dvc("status")
    assert [row["git_commit"] for row in made.ledger.versions()] == [repository.head()]


def test_what_was_accepted_is_published_and_keeps_its_flags(made: Made) -> None:
    assert made.fate(recording_name(1, 1)) == (Fate.PUBLISHED, ("SHORT",))
    assert made.ledger.dirty() == []
    assert not made.version.changed()


def test_the_last_file_is_offered_with_the_sum_that_the_ledger_knows_of_it_or_not_at_all(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[object] = []

    def noted(*arguments: object) -> object:
        given.append(arguments[5:])
        return arguments[5]

    monkeypatch.setattr(version_module, "publish", noted)
    monkeypatch.setattr(version_module, "note_sum", lambda *_: None)
    monkeypatch.setattr(Repository, "tag", lambda *_: None)
    monkeypatch.setattr(Versioning, "_settle", lambda *_: None)
    file = current_file(made.study.warehouse)
    made.version.publish(made.version.repository.head(), made.outcome)
    monkeypatch.setattr(Ledger, "sums", lambda _: {})
    made.version.publish(made.version.repository.head(), made.outcome)
    store = store_of(made.study.state)
    assert given == [(Base(file, sha256_of(file)), store), (None, store)]


def test_a_delivery_judged_again_without_any_change_is_settled_without_a_version(made: Made) -> None:
    made.accept(recording_name(1, 1))
    assert made.version.commit() is None
    assert made.fate(recording_name(1, 1))[0] is Fate.PUBLISHED
    assert made.ledger.dirty() == []
    assert made.version.repository.versions() == [1]


def test_a_run_killed_between_tag_and_ledger_is_made_good_by_the_next(made: Made) -> None:
    write_recording(made.study.lake, 1, 3)
    made.accept(recording_name(1, 3))
    commit = made.version.commit()
    assert commit is not None
    killed = replace(made.version, ledger=_LedgerThatIsKilled())
    with pytest.raises(KeyboardInterrupt):
        killed.publish(commit, made.outcome)
    assert made.fate(recording_name(1, 3))[0] is Fate.DEFERRED
    assert made.version.changed()
    assert made.version.commit() is None
    assert made.fate(recording_name(1, 3))[0] is Fate.PUBLISHED
    assert [row["number"] for row in made.ledger.versions()] == [1, 2]


class _LedgerThatIsKilled(Ledger):
    def __init__(self) -> None:
        """Opens nothing: the first question ends the run."""

    def note_sum(self, path: str, sha256: str) -> None:
        """The sum comes before the tag; nothing of it is kept here."""

    def sums(self) -> dict[str, str]:
        """No file is known, so that the next is built anew."""
        return {}

    def versions(self) -> list[dict[str, object]]:
        raise KeyboardInterrupt


def test_a_commit_that_was_never_published_is_published_by_the_next_run(made: Made) -> None:
    write_recording(made.study.lake, 1, 4)
    made.accept(recording_name(1, 4))
    commit = made.version.commit()
    assert commit is not None
    made.ledger.clear_dirty()
    assert made.version.changed()
    assert made.version.commit() == commit
    made.version.publish(commit, made.outcome)
    assert made.version.repository.version_at_head() == 3


def test_a_critical_failure_publishes_nothing(made: Made) -> None:
    broken = ValidationOutcome((CheckResult("values", "tasks", "unique", "recording", "critical", success=False),))
    before = (made.study.warehouse / "current").readlink()
    with pytest.raises(PainLakeError, match="last version stays"):
        made.version.publish(made.version.repository.head(), broken)
    assert (made.study.warehouse / "current").readlink() == before


def test_without_a_remote_nothing_is_pushed_and_nothing_fails(made: Made) -> None:
    assert not made.version.to_push()
    made.version.push()
    assert made.ledger.versions()[0]["pushed_at"] is None


def test_the_index_names_the_people_with_recordings(made: Made) -> None:
    text = made.study.index.read_text(encoding="utf-8")
    assert pseudonym(1) in text
    assert pseudonym(2) in text


def test_a_changed_threshold_of_publication_asks_for_another_version(made: Made) -> None:
    before = made.study.params_file.read_text(encoding="utf-8")
    assert not made.version.changed()
    for old, new, due in (("max_yaw_rad: 0.6", "max_yaw_rad: 0.3", True), ("retries: 3", "retries: 4", False)):
        assert old in before
        made.study.params_file.write_text(before.replace(old, new), encoding="utf-8")
        assert made.version.changed() is due
        assert made.ledger.dirty() == []
    made.study.params_file.write_text(before, encoding="utf-8")
