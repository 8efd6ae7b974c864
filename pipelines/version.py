"""Version: a validated lake becomes a commit, a published file, a tag, and a second copy at the remote.

In this order: commit, so that the DuckDB file can name the commit it was built from; publish; then tag. So a tag
stands exactly for what was published, and a run that is killed in between leaves a commit without a tag, which the
next run publishes.
"""

import hashlib
import json
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from pipelines.backup import check_remote, complete, is_left_to_dvc, note_backed_up
from pipelines.durable import write_durably
from pipelines.dvc_records import enter
from pipelines.errors import PainLakeError, TemporaryError, UserError
from pipelines.faultpoints import fault_point
from pipelines.grow import Base
from pipelines.known import store_of
from pipelines.known_tables import dataset_summary
from pipelines.lake import people, recording_names, with_recordings
from pipelines.ledger import Ledger
from pipelines.params import Params
from pipelines.publish import VersionRecord, build, publish
from pipelines.repository import Repository, tag_name, version_name
from pipelines.seal import sha256_of
from pipelines.stages import MEDIA_STAGES, params_sha256
from pipelines.study import Study, painlake_version
from pipelines.validate import ValidationOutcome, read_report
from pipelines.warehouse import current_file

log = logging.getLogger("painlake")


@dataclass(frozen=True, slots=True)
class Versioning:
    """The versions of a study's dataset."""

    study: Study
    params: Params
    ledger: Ledger
    repository: Repository

    def has_people(self) -> bool:
        """Whether there is anything to publish: a lake without people makes no version."""
        return bool(people(self.study.lake))

    def changed(self) -> bool:
        """Whether another version is due: folders or thresholds of publication changed, or a commit is not published."""
        if self.ledger.dirty():
            return True
        return self.has_people() and (self.repository.version_at_head() is None or self._published_otherwise())

    def _published_otherwise(self) -> bool:
        """Whether `params.yaml` checks or publishes otherwise than at the last commit; no unit of work depends on it."""
        before = yaml.safe_load(self.repository.git("show", "HEAD:params.yaml")) or {}
        now = yaml.safe_load(self.study.params_file.read_text(encoding="utf-8")) or {}
        return any(before.get(block) != now.get(block) for block in ("validate", "publish"))

    def to_push(self) -> bool:
        """Whether the remote lacks a version."""
        unpushed = any(version["pushed_at"] is None for version in self.ledger.versions())
        return unpushed and self.params.version.push and self.repository.has_remote

    def commit(self) -> str | None:
        """Enter the lake into DVC and git.

        Returns:
            The commit that is to be published, or None where it already was.
        """
        changed = self.ledger.dirty()
        indexed = write_index(self.study.lake, self.study.index)
        write_summary(self.study.lake, self.study.reports / "dataset.json", store_of(self.study.state))
        enter(self.study, self.repository, changed, indexed)
        self.repository.commit(f"Dataset of {len(indexed)} people with recordings")
        number = self.repository.version_at_head()
        if number is None:
            return self.repository.head()
        self._settle(number)
        return None

    def _settle(self, number: int) -> None:
        """Enter in the ledger that a version has it all: it may have been killed before it did, or nothing was new."""
        at = datetime.now(tz=UTC).isoformat(timespec="seconds")
        published = recording_names(self.study.lake)
        if number in {version["number"] for version in self.ledger.versions()}:
            self.ledger.settle(published, at)
        else:
            self.ledger.publish_version(number, self.repository.commit_of(number), published, at)
        self.ledger.clear_dirty()

    def publish(self, commit: str, outcome: ValidationOutcome) -> int:
        """Publish a commit and name it.

        Args:
            commit: from `commit`.
            outcome: of the checks on it.

        Returns:
            The number of the new version.
        """
        number = max(self.repository.versions(), default=0) + 1
        record = version_record(number, self.params, self.repository, self.study.index, commit)
        fault_point("version.committed")
        publish_params, store = self.params.publish, store_of(self.study.state)
        file = publish(
            self.study.lake, self.study.warehouse, record, outcome.results, publish_params, self._base(), store
        )
        fault_point("version.published")
        note_sum(self.study, file, self.ledger)
        self.repository.tag(number, f"PainLake dataset {version_name(number)}")
        fault_point("version.tagged")
        self._settle(number)
        log.info("%s published", tag_name(number))
        return number

    def _base(self) -> Base | None:
        """The published file, if the ledger knows its bytes: what is built upon must be whole."""
        try:
            file = current_file(self.study.warehouse)
            known = self.ledger.sums().get(file.relative_to(self.study.root.resolve()).as_posix())
        except (UserError, ValueError):
            return None
        return None if known is None else Base(file, known)

    def push(self) -> None:
        """Copy what the remote lacks to it.

        Raises:
            TemporaryError: it cannot be reached; the next run tries again.
            UserError: it refuses who asks, or its settings are wrong: another try would be refused as well.
        """
        if not self.to_push():
            return
        known = self.ledger.versions()
        waiting = [version["number"] for version in known if version["pushed_at"] is None]
        had = max((version["number"] for version in known if version["pushed_at"] is not None), default=None)
        try:
            check_remote(self.study, self.repository)
            if is_left_to_dvc(self.study, self.repository, had):
                self.repository.push()
            copied = complete(self.study, self.repository, waiting, had)
            if copied:
                log.info("%d objects were copied to the remote", copied)
            note_backed_up(self.study, self.repository)
        except UserError as error:
            log.warning("NOT_BACKED_UP: %s", error)
            raise UserError(f"NOT_BACKED_UP: {error}") from error
        except PainLakeError as error:
            log.warning("NOT_BACKED_UP: %s", error)
            raise TemporaryError(f"NOT_BACKED_UP: {error}") from error
        self.ledger.mark_pushed(datetime.now(tz=UTC).isoformat(timespec="seconds"))


def version_record(number: int, params: Params, repository: Repository, index: Path, commit: str) -> VersionRecord:
    """What a published file says about itself; the same for the same commit, however often it is built."""
    # The persons, who come last, would take PyYAML seconds.
    code = yaml.safe_load(index.read_text(encoding="utf-8").partition(f"\n{_PEOPLE}")[0])["code"]
    return VersionRecord(
        number,
        painlake_version(),
        repository.time_of(commit),
        commit,
        hashlib.sha256(json.dumps(code, sort_keys=True).encode()).hexdigest(),
        params_sha256(params),
    )


def write_index(lake: Path, index: Path) -> list[str]:
    """Write whose folders `dvc.yaml` goes through, and which code makes their features; returns the persons."""
    indexed = with_recordings(lake)
    code = {stage.name: stage.code_sha256() for stage in MEDIA_STAGES}
    text = "# Written by PainLake: the persons with recordings, and the code of each stage.\n"
    # Sorted by hand: openSMILE imports a library that takes PyYAML's own sorting away from the whole process.
    text += yaml.safe_dump({"code": dict(sorted(code.items()))}, sort_keys=False)
    # As PyYAML writes them, which takes seconds for twenty thousand.
    text += _PEOPLE + ("\n" + "".join(f"- {person}\n" for person in indexed) if indexed else " []\n")
    if not index.is_file() or index.read_text(encoding="utf-8") != text:
        write_durably(index, text.encode())
    return indexed


_PEOPLE = "people:"


def write_summary(lake: Path, path: Path, store: Path | None = None) -> None:
    """Write the dataset's counts, as DVC's metrics; the same lake gives the same bytes.

    Args:
        lake: the lake.
        path: where.
        store: where what is known of files is kept (see `pipelines.known`); without one all are read.
    """
    write_durably(path, (json.dumps(dataset_summary(lake, store), indent=1, sort_keys=True) + "\n").encode())


def note_sum(study: Study, file: Path, ledger: Ledger | None = None) -> None:
    """Have the ledger know a built file's bytes, so that `painlake verify` sees damage; a clone without one does not.

    Args:
        study: the study.
        file: in it.
        ledger: where the caller has it open.
    """
    path, sha256 = file.relative_to(study.root).as_posix(), sha256_of(file)
    if ledger is not None:
        ledger.note_sum(path, sha256)
    elif study.ledger.is_file():
        own = Ledger(study.ledger)
        try:
            own.note_sum(path, sha256)
        finally:
            own.close()


def publish_working(study: Study) -> Path:
    """Build a DuckDB file of the lake as it stands, outside any version, and write the dataset's counts.

    For `dvc repro`: `warehouse/painlake-working.duckdb` is for looking; only a run of `painlake ingest` publishes.
    """
    params = study.params()
    repository = Repository(study.root)
    results = read_report(study.reports / "validation.json").results
    record = version_record(0, params, repository, study.index, repository.head())
    target = study.warehouse / "painlake-working.duckdb"
    build(study.lake, target, record, results, params.publish)
    note_sum(study, target)
    write_summary(study.lake, study.reports / "dataset.json")
    return target
