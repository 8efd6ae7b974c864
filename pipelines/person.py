"""One stage of one person's recordings, as `dvc repro` asks for it."""

from collections.abc import Callable
from datetime import UTC, datetime

from pipelines.audit import open_audit
from pipelines.confine import Limits
from pipelines.errors import PainLakeError, Rejection, UserError
from pipelines.lake import recordings
from pipelines.ledger import Ledger
from pipelines.pool import Workers
from pipelines.recording import Recording
from pipelines.stages import media_stage
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.work import Done, Unit, do_unit, finished, key_of


def measure_person(study: Study, stage_name: str, participant: str, tell: Callable[[str], None]) -> int:
    """Do one media stage of all recordings of a person; what stands under its key is kept.

    Args:
        study: the study.
        stage_name: a media stage.
        participant: the pseudonym.
        tell: called with each recording's name as it is done.

    Returns:
        How many recordings the person has.

    Raises:
        UserError: the vault is missing, does not know the person, or the person has withdrawn consent.
        RunInProgressError: a run holds the study.
        PainLakeError: a recording cannot be measured any more.
    """
    params = study.params()
    stage = media_stage(stage_name)
    with study.held():
        vault = Vault.open(study.vault)
        person = vault.of_pseudonym(participant)
        if person.withdrawn(params.land.consent_scopes, datetime.now(tz=UTC)):
            raise UserError(f"{participant} has withdrawn consent: their recordings are not processed any more")
        audit = open_audit(study, vault)
        ledger = Ledger(study.ledger)
        own = [each for each in recordings(study.lake) if each.participant == participant]
        try:
            with Workers(1, Limits.of(params.study)) as workers:
                for recording in own:
                    key = key_of(stage, recording, params, _outputs(study, stage.needs, recording))
                    if stage.decrypts:
                        audit.append("recording_decrypted", recording.recording, {"stage": stage.name})
                    identity = person.identity if stage.decrypts else ""
                    done = _done(workers, Unit(stage.name, recording, study.lake, params, key, identity))
                    ledger.finish_unit(recording.recording, stage.name, key, done.sha256)
                    tell(recording.recording)
        finally:
            ledger.close()
            audit.save_head()
            audit.close()
    return len(own)


def _done(workers: Workers, unit: Unit) -> Done:
    try:
        return workers.run(do_unit, unit)
    except Rejection as error:
        raise PainLakeError(
            f"{unit.recording.recording}: {unit.stage} refuses it: {error.code}, {error.detail}"
        ) from error


def _outputs(study: Study, stages: tuple[str, ...], recording: Recording) -> dict[str, str]:
    """The digests of what earlier stages left."""
    found = {}
    for name in stages:
        done = finished(media_stage(name), study.lake, recording)
        if done is None:
            raise FileNotFoundError(f"{recording.recording}: {name} is not done")
        found[name] = done.sha256
    return found
