"""The nightly flow: land, measure each recording, validate, publish, version.

Prefect schedules, fans out and shows; the ledger decides what is done. So no task caches its result, no task returns
data, and a run that was killed leaves nothing in Prefect that the next run would look at.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run, task_run
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.artifacts import leave_summary
from flows.crew import crew_of
from flows.leftover import close_leftover_runs
from flows.night_end import night_ending
from flows.session import Session, current
from flows.waiting import end_with_worker, is_done_already, is_scheduled, session_when_free
from pipelines.disk import disk_error
from pipelines.errors import PainLakeError, RunInProgressError, TemporaryError, UserError
from pipelines.known import store_of
from pipelines.night import Night
from pipelines.params import ValidateParams
from pipelines.pool import Workers
from pipelines.stages import MEDIA_STAGES
from pipelines.study import open_study
from pipelines.validate import ValidationOutcome, validate

_STEPS = 1 + len(MEDIA_STAGES)
"""Of a recording: into the lake, then the media stages."""


def _can_pass(_task: object, _run: object, state: State[Any]) -> bool:
    """Whether a task that failed is worth another try: storage comes back, a broken file does not mend itself."""
    return isinstance(state.data, TemporaryError)


def _tried_again(night: Night) -> Any:
    """Options for a task that depends on storage or on somebody else's lock."""
    study = night.params.study
    waits = [study.retry_wait_s * 2**attempt for attempt in range(study.retries)]
    return {
        "retries": study.retries,
        "retry_delay_seconds": waits,
        "retry_jitter_factor": 0.2,
        "retry_condition_fn": _can_pass,
    }


@flow(name="painlake-ingest", flow_run_name="ingest", validate_parameters=False)
def ingest(study: str) -> dict[str, Any] | State[Any]:
    """Run a study's night once.

    Args:
        study: the study's folder.

    Returns:
        The outcome in words, the new version's number if there is one, and what could not be processed. A run of a
        deployment ends in a state that says so.
    """
    return ended(Path(study), "night", lambda session: night_of(session, bring_in))


def ended(root: Path, event: str, work: Callable[[Session], dict[str, Any]]) -> dict[str, Any] | State[Any]:
    """Do a run's work, one run at a time, and leave its summary for people.

    Args:
        root: the study's folder.
        event: what the run is called.
        work: gives what it came to.
    """
    end_with_worker()
    try:
        with night_ending(root, event) as ending:
            if event == "night" and is_done_already(open_study(root)):
                return Completed(name="Skipped", message="a later run has done it")
            with session_when_free(root) as session:
                result = work(session)
                summary = ending.settle(result)
            leave_summary(session.night.study, summary)
    except RunInProgressError as error:
        if not is_scheduled():
            raise
        return Completed(name="Skipped", message=str(error))
    if is_scheduled() and not summary.good:
        return Failed(message=summary.outcome)
    return result


def night_of(session: Session, bring: Callable[[Session], int], *, whole: bool = True) -> dict[str, Any]:
    """Measure what is brought, validate, publish, version.

    Args:
        session: the held study.
        bring: says which recordings are to be measured; returns how many.
        whole: whether everything that is due is done: a run of chosen recordings leaves the rest to the night.

    Returns:
        What it came to.
    """
    night = session.night
    if whole and not session.anything_to_do:
        return session.nothing_new
    close_leftover_runs(str(night.study.root), flow_run.id)
    run = night.begin()
    outcome, version, done = "failed", None, False
    try:
        with crew_of(session) as crew:
            if bring(session):
                # One thread more than there are workers, so that none waits while a thread does its bookkeeping.
                runner: Any = ThreadPoolTaskRunner(max_workers=crew.workers.count + 1)
                measure_recordings.with_options(task_runner=runner)()
            outcome, version = _publish(session, crew.validator)
            if whole and night.ledger.withdrawn() and erase_withdrawn(crew.validator):
                version = max(night.repository.versions(), default=version)
            done = whole
    finally:
        night.end(run, outcome, whole=done)
    return {"outcome": outcome, "version": version, "failures": night.failures}


def bring_in(session: Session) -> int:
    """Land what is new; returns how many recordings are to be measured."""
    return land.with_options(**_tried_again(session.night))()


@task(cache_policy=NO_CACHE, task_run_name="land")
def land() -> int:
    """Take in the tables and give every delivery its fate; returns how many recordings are to be processed.

    Raises:
        TemporaryError: the landing zone does not answer. Tried again, it goes on where it was; after the last try what
            was not read is left to the next run, and the rest goes on.
    """
    session = current()
    night = session.night
    if session.to_judge is None:
        session.progress.phase("reading the tables")
        night.take_tables(session.discovery)
        session.to_judge = list(session.discovery.candidates)
        session.progress.phase("judging what landed", len(session.to_judge))
    with night.gathering():
        _judge_all(session)
    session.recordings = {each.recording: each for each in night.measuring.stale(but=session.accepted)}
    return len(session.accepted) + len(session.recordings)


def _judge_all(session: Session) -> None:
    """Give each candidate its fate, in the order in which they were found."""
    night = session.night
    while session.to_judge:
        try:
            accepted = night.judge(session.to_judge[0])
        except TemporaryError as error:
            if task_run.run_count <= night.params.study.retries:
                raise
            night.leave(session.to_judge, error)
            break
        del session.to_judge[0]
        if accepted is not None:
            session.accepted[accepted.recording.recording] = accepted
        session.progress.advance()


@flow(name="painlake-measure", flow_run_name="measure recordings", validate_parameters=False)
def measure_recordings() -> int:
    """Fan out: a task a recording, each waiting for the worker processes in a thread; returns how many were kept."""
    session = current()
    names = sorted({*session.accepted, *session.recordings})
    session.progress.phase("trying the engines")
    session.night.measuring.try_engines(session.pool)
    session.progress.phase("measuring recordings", len(names) * _STEPS)
    futures = [measure_recording.submit(name) for name in names]
    kept = sum(future.result(raise_on_failure=False) is True for future in futures)
    if session.disk_error is not None:
        raise session.disk_error
    return kept


@task(cache_policy=NO_CACHE, task_run_name="{recording}")
def measure_recording(recording: str) -> bool:
    """Bring a recording through all media stages; False where it was set aside on the way.

    Args:
        recording: its pseudonymous name.

    Raises:
        PainLakeError: it could not be processed for a reason that is not its own. The others go on, unless the disk is
            full.
    """
    session = current()
    accepted = session.accepted.get(recording)
    steps = 0
    if session.disk_error is not None:
        raise PainLakeError(f"{recording} waits for a disk that can be written")
    try:
        bring_in = pseudonymise.with_options(**_tried_again(session.night))
        if accepted is not None and not bring_in(recording):
            return False
        for stage in MEDIA_STAGES:
            steps += 1
            session.progress.advance()
            if not measure.with_options(name=stage.name)(stage.name, recording):
                return False
    except Exception as error:  # noqa: BLE001 - whatever it is, the other recordings go on
        unwritable = disk_error(error, session.night.study.root)
        if unwritable is not None:
            # Nothing more is written, not even that it failed: the next run finds it as it is.
            session.disk_error = unwritable
            raise PainLakeError(f"{recording} could not be written") from None
        known = session.recordings.get(recording) or session.accepted[recording].recording
        session.night.measuring.fail(known, error)
        # Without its cause: a path in its message could be the hospital's.
        raise PainLakeError(f"{recording} could not be processed: {type(error).__name__}") from None
    finally:
        session.progress.advance(_STEPS - steps)
    return True


@task(cache_policy=NO_CACHE, task_run_name="pseudonymise {recording}")
def pseudonymise(recording: str) -> bool:
    """Strip and encrypt an accepted delivery into the lake; False where it was set aside."""
    session = current()
    done = session.night.measuring.pseudonymise(session.accepted[recording], session.pool)
    if done is not None:
        session.recordings[recording] = done
    return done is not None


@task(cache_policy=NO_CACHE, task_run_name="{stage} {recording}")
def measure(stage: str, recording: str) -> bool:
    """Do one media stage of a recording; False where it was set aside."""
    session = current()
    return session.night.measuring.measure(
        stage, session.recordings[recording], session.accepted.get(recording), session.pool
    )


def _publish(session: Session, validator: Workers) -> tuple[str, int | None]:
    """Validate; if nothing critical failed, commit, publish and push. Returns the outcome and the new version."""
    number = None
    if session.night.version.changed():
        outcome = check(validator)
        if not outcome.passed:
            return f"held back: {len(outcome.holding_back)} critical checks failed", None
        number = publish(outcome)
    # Without a new one too: a run may have been killed, or the remote away, before an earlier one was copied.
    pushed = _pushed(session)
    if number is None:
        return ("nothing to publish" if pushed else "NOT_BACKED_UP"), None
    return ("published" if pushed else "published, NOT_BACKED_UP"), number


def _pushed(session: Session) -> bool:
    """Whether the remote has all versions; where it cannot be reached, the version stands and the next run pushes."""
    try:
        push.with_options(**_tried_again(session.night))()
    except TemporaryError:
        return False
    except UserError as error:
        # Of the credentials or the settings: it waits for a person, who is told, and the version stands.
        session.night.failures.append(str(error))
        return False
    return True


@task(cache_policy=NO_CACHE, task_run_name="erase")
def erase_withdrawn(validator: Workers) -> int:
    """Erase those who took back their consent, if the parameters leave it to the night; returns how many."""
    session = current()
    session.progress.phase("erasing")

    def check_lake(lake: Path, report: Path, params: ValidateParams) -> ValidationOutcome:
        return validator.run(validate, lake, report, params)

    return session.night.erase_withdrawn(check_lake)


@task(cache_policy=NO_CACHE, name="validate", task_run_name="validate")
def check(validator: Workers) -> ValidationOutcome:
    """Check the whole lake in a process that has Great Expectations imported by now."""
    session = current()
    session.progress.phase("validating")
    study = session.night.study
    report = study.reports / "validation.json"
    return validator.run(validate, study.lake, report, session.night.params.validation, store_of(study.state))


@task(cache_policy=NO_CACHE, task_run_name="publish")
def publish(outcome: ValidationOutcome) -> int | None:
    """Commit the lake and publish that commit; returns the new version's number, or None where nothing changed."""
    session = current()
    session.progress.phase("committing")
    commit = session.night.version.commit()
    if commit is None:
        return None
    session.progress.phase("publishing")
    return session.night.publish(commit, outcome)


@task(cache_policy=NO_CACHE, task_run_name="version")
def push() -> None:
    """Copy new versions to the remote.

    Raises:
        TemporaryError: it cannot be reached.
    """
    session = current()
    session.progress.phase("copying to the remote")
    session.night.version.push()
