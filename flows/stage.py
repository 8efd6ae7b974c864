"""One stage by itself, as `dvc.yaml` asks for it."""

from collections.abc import Callable

from pipelines.errors import PainLakeError, UserError
from pipelines.stages import MEDIA_STAGES
from pipelines.study import Study


def run_stage(study: Study, name: str, participant: str | None, tell: Callable[[str], None]) -> None:
    """Run a stage of a study.

    Args:
        study: the study.
        name: a media stage, or `validate` or `publish`.
        participant: the pseudonym, for a media stage.
        tell: called with a line for each piece done.

    Raises:
        UserError: no such stage, or a pseudonym missing or one too many.
        PainLakeError: a critical check failed.
    """
    media = [stage.name for stage in MEDIA_STAGES]
    if name in media:
        if participant is None:
            raise UserError(f"stage {name} wants a pseudonym")
        from pipelines.person import measure_person  # noqa: PLC0415 - what does the work is heavy

        measure_person(study, name, participant, tell)
    elif name == "validate":
        from pipelines.validate import validate  # noqa: PLC0415 - the same

        outcome = validate(study.lake, study.reports / "validation.json", study.params().validation)
        tell(f"{len(outcome.results)} checks, {len(outcome.holding_back)} critical failures")
        if not outcome.passed:
            raise PainLakeError(f"{len(outcome.holding_back)} critical checks failed: see reports/validation.json")
    elif name == "publish":
        from pipelines.version import publish_working  # noqa: PLC0415 - the same

        tell(str(publish_working(study)))
    else:
        raise UserError(f"no stage {name} runs by itself: name one of {', '.join([*media, 'validate', 'publish'])}")
