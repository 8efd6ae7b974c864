"""Nights over studies with damaged deliveries, run as the flow runs them but without a scheduler."""

import logging
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.confine import Limits
from pipelines.land import Accepted
from pipelines.measuring import Measuring
from pipelines.night import Night
from pipelines.params import StudyParams
from pipelines.pool import Workers
from pipelines.stages import MEDIA_STAGES
from pipelines.study import Study, template
from pipelines.validate import read_report
from pipelines.vault import Vault
from tests.fuzz.checks import books, differing, features, leaks, listing
from tests.fuzz.mutations import Mutant
from tests.fuzz.originals import NEIGHBOURS, PATIENT, film, sidecar, tables

Check = Callable[[Study], bool]
"""Checks a study's lake and writes the report, as a run does before it publishes."""


LIMITS = Limits.of(StudyParams(unit_timeout_s=60.0, unit_cpu_s=60.0, worker_memory_mb=1500))
"""Tight, for recordings of a second: what runs away is caught soon."""


@dataclass(slots=True)
class Outcome:
    """What became of a damaged file."""

    mutant: Mutant
    fate: str
    codes: tuple[str, ...]


@dataclass(slots=True)
class Report:
    """Of many nights."""

    outcomes: list[Outcome] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def blame(self, mutants: list[Mutant], what: list[str]) -> None:
        """Enter what does not hold, and which numbers it could be of."""
        first, last = mutants[0], mutants[-1]
        where = f"number {first.number} ({first.target}, {first.kind})"
        where = where if first == last else f"numbers {first.number} to {last.number}"
        self.violations += [f"{where}: {each}" for each in what]

    def enter(self, mutant: Mutant, fate: str | None, codes: tuple[str, ...]) -> None:
        """Enter a file's fate."""
        self.outcomes.append(Outcome(mutant, fate or "lost", codes))


@dataclass(frozen=True, slots=True)
class Bench:
    """Where nights are run.

    Args:
        folder: for studies; each is removed if all held.
        template: a study in which the tables were taken in and nothing else.
        workers: measure recordings.
        check: checks a lake before it is published, or None to leave both out.
    """

    folder: Path
    template: Path
    workers: Workers
    check: Check | None = None

    def study(self, name: str) -> Study:
        """A copy of the template, with the same vault and so the same pseudonyms."""
        root = self.folder / name
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(self.template, root, symlinks=True)
        return Study(root)

    def reference(self) -> dict[str, str]:
        """Path in the lake -> SHA-256 of everything that the neighbours give on their own."""
        study = self.study("reference")
        deliver_neighbours(study)
        failures, _ = run_night(study, self.workers, None)
        found = features(study)
        endings = sum(len(stage.endings) for stage in MEDIA_STAGES)
        assert (failures, len(found)) == ([], endings * len(NEIGHBOURS)), "the good recordings are not accepted"
        return found

    def batch(self, mutants: list[Mutant], reference: Mapping[str, str], report: Report) -> None:
        """One night with damaged recordings and sidecars beside good neighbours."""
        study = self.study(f"batch-{mutants[0].number}")
        deliver_neighbours(study)
        landed = {mutant: deliver(study, mutant) for mutant in mutants}
        try:
            failures, causes = run_night(study, self.workers, self.check)
        except Exception:  # noqa: BLE001 - a run that stops is what is looked for
            report.blame(mutants, [traceback.format_exc()])
            return
        before = len(report.violations)
        report.blame(mutants, [*failures, *causes])
        with books(study) as kept:
            for mutant, path in landed.items():
                entry = kept.entry(path)
                report.enter(mutant, entry.fate.value if entry else None, entry.codes if entry else ())
                report.blame([mutant], kept.check(path, (study.root / "landing" / path).read_bytes()))
            report.blame(mutants, kept.check_neighbours(published=self.check is not None))
        report.blame(mutants, differing(reference, features(study)) + leaks(study))
        if len(report.violations) == before:
            shutil.rmtree(study.root)

    def table(self, mutant: Mutant, report: Report) -> Study | None:
        """A first night with a damaged table beside four good ones; recordings are judged, not measured."""
        study = fresh_study(self.folder / f"table-{mutant.number}")
        deliver_neighbours(study)
        (study.root / "landing" / mutant.target).write_bytes(mutant.content)
        before = listing(study.root / "landing")
        try:
            with study.held():
                night = Night.open(study)
                try:
                    discovery = night.look()
                    night.take_tables(discovery)
                    accepted = [night.judge(candidate) for candidate in discovery.candidates]
                finally:
                    night.close()
        except Exception:  # noqa: BLE001 - a run that stops is what is looked for
            report.blame([mutant], [traceback.format_exc()])
            return None
        with books(study) as kept:
            entry = kept.entry(mutant.target)
            report.enter(mutant, entry.fate.value if entry else None, entry.codes if entry else ())
            report.blame([mutant], kept.check(mutant.target, mutant.content) + kept.check_rows(mutant))
        # A broken list of people or consents takes its people's recordings along.
        if mutant.target not in {"participants.csv", "consent.csv"} and None in accepted:
            report.blame([mutant], ["a neighbour was refused"])
        if listing(study.root / "landing") != before:
            report.blame([mutant], ["the landing zone was changed"])
        report.blame([mutant], leaks(study))
        return study

    def tables(self, mutants: list[Mutant], report: Report) -> None:
        """A night for each damaged table; what they left in their lakes is checked together, since that is slow."""
        studies = {mutant: self.table(mutant, report) for mutant in mutants}
        together = Study(self.folder / "lakes")
        together.reports.mkdir(parents=True)
        for study in studies.values():
            # Each study has its own vault, and so its own pseudonyms.
            for person in study.lake.glob("P*") if study else ():
                shutil.copytree(person, together.lake / person.name)
        sound = self.check is None or self.check(together)
        for mutant, study in studies.items():
            if study and not sound and self.check and not self.check(study):
                report.blame([mutant], ["its lake does not pass the checks"])
            elif study:
                shutil.rmtree(study.root)
        shutil.rmtree(together.root)


def fresh_study(root: Path) -> Study:
    """A new study without git and DVC, which takes no time."""
    shutil.rmtree(root, ignore_errors=True)
    study = Study(root)
    for folder in (root / "landing", study.lake, study.quarantine, study.warehouse, study.reports):
        folder.mkdir(parents=True)
    settle_params(study)
    Vault.create(study.vault)
    return study


def settle_params(study: Study) -> None:
    """Recordings of sound alone are welcome, so that damaged ones get further than the door."""
    params = template("params.yaml").read_text(encoding="utf-8")
    study.params_file.write_text(params.replace("require_video: true", "require_video: false"), encoding="utf-8")


def deliver_neighbours(study: Study) -> None:
    """Tables and good recordings."""
    for path, content in (*tables().items(), *((path, make()) for path, make in NEIGHBOURS.items())):
        _write(study.root / "landing" / path, content)
    for path in NEIGHBOURS:
        _, who, visit, _ = path.split("/")
        _write((study.root / "landing" / path).with_suffix(".json"), sidecar(who, visit))


def deliver(study: Study, mutant: Mutant) -> str:
    """A damaged recording with a good sidecar, or a good recording with a damaged sidecar; returns its path."""
    visit = f"F{mutant.number}"
    is_sidecar = mutant.target == "json"
    suffix = "mkv" if is_sidecar else mutant.target.split(" ")[0]
    path = f"recordings/{PATIENT}/{visit}/clip.{suffix}"
    # Trailing bytes make a good recording of its own of each, else all but the first would be duplicates.
    content = film(4, "matroska") + b"\xec\x84" + mutant.number.to_bytes(4, "big") if is_sidecar else mutant.content
    beside = mutant.content.replace(b'"V0"', f'"{visit}"'.encode()) if is_sidecar else sidecar(PATIENT, visit)
    _write(study.root / "landing" / path, content)
    _write((study.root / "landing" / path).with_suffix(".json"), beside)
    return path


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def run_night(study: Study, workers: Workers, check: Check | None) -> tuple[list[str], list[str]]:
    """A run as the flow does it; returns what it could not process, and the tracebacks of why."""
    before = listing(study.root / "landing")
    with study.held(), _logged(study):
        night = Night.open(study)
        try:
            night.clean_up()
            discovery = night.look()
            run = night.begin()
            night.take_tables(discovery)
            accepted = [each for each in map(night.judge, discovery.candidates) if each is not None]
            with ThreadPoolExecutor(workers.count + 1) as threads:
                causes = list(threads.map(lambda each: _measure(night.measuring, each, workers), accepted))
            if check is not None:
                _publish(night, study, check)
            night.end(run, "fuzzed", whole=True)
            failures = list(night.failures)
        finally:
            night.close()
    assert listing(study.root / "landing") == before, "the landing zone was changed"
    return failures, [cause for cause in causes if cause]


@contextmanager
def _logged(study: Study) -> Iterator[None]:
    """Write what the run says where the flow writes it, to be looked through for identities."""
    logger, handler = logging.getLogger("painlake"), logging.FileHandler(study.log)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


def _measure(measuring: Measuring, accepted: Accepted, workers: Workers) -> str:
    try:
        recording = measuring.pseudonymise(accepted, workers)
        if recording is not None:
            for stage in MEDIA_STAGES:
                if not measuring.measure(stage.name, recording, accepted, workers):
                    break
    except Exception as error:  # noqa: BLE001 - as in the flow: the other recordings go on
        measuring.fail(accepted.recording, error)
        return f"{accepted.path}\n{traceback.format_exc()}"
    return ""


def _publish(night: Night, study: Study, check: Check) -> None:
    assert check(study), "the lake does not pass the checks"
    commit = night.version.commit()
    if commit is not None:
        night.publish(commit, read_report(study.reports / "validation.json"))
