"""Measuring again what stands: one stage of chosen recordings, or of all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipelines.errors import UserError
from pipelines.measuring import Measuring
from pipelines.recording import Recording
from pipelines.stages import MEDIA_STAGES, media_stage
from pipelines.withdrawals import withdrawn

_NAME = re.compile("P[0-9A-Z]{9}-[0-9A-Z]{8}")

REASONS = ("engine changed", "code changed", "output damaged", "on request")
"""Why it is done; one of these and no text of one's own, since Prefect keeps it."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What is to be measured again.

    Args:
        stage: a media stage; those that build on it follow where its result changed.
        recordings: by their pseudonymous names; none for all.
        reason: one of `REASONS`.
        engine: what the parameters must name as the stage's engine, to be sure of it; None for whatever they name.
    """

    stage: str
    recordings: Sequence[str] = ()
    reason: str = "on request"
    engine: str | None = None

    def check(self, measuring: Measuring) -> None:
        """See whether it can be done.

        Raises:
            UserError: no such stage, reason or engine.
        """
        names = [stage.name for stage in MEDIA_STAGES]
        if self.stage not in names:
            raise UserError(f"no recording goes through a stage of that name: name one of {', '.join(names)}")
        if self.reason not in REASONS:
            raise UserError(f"say why with one of: {', '.join(REASONS)}")
        named = media_stage(self.stage).engine(measuring.desk.params).name
        if self.engine is not None and self.engine != named:
            raise UserError(
                f"params.yaml has {named} measure {self.stage}, not {self.engine}: set it there first (`face.engine`)"
            )

    def check_names(self) -> None:
        """See whether the names could be recordings'.

        Raises:
            UserError: they could not; they are not repeated, since they may be anything, an identity too.
        """
        wrong = sum(_NAME.fullmatch(name) is None for name in self.recordings)
        if wrong:
            raise UserError(f"{wrong} of the names are of no recording: take them from the table recordings")

    def choose(self, measuring: Measuring) -> list[Recording]:
        """The recordings that are measured again; from here on `measuring` does so, and the audit log says it.

        Raises:
            UserError: it cannot be done, a recording is not in the lake, or its person took back consent.
        """
        self.check(measuring)
        self.check_names()
        allowed = {
            each.recording: each for each in measuring.recordings() if not withdrawn(measuring.desk, each.participant)
        }
        unknown = [name for name in self.recordings if name not in allowed]
        if unknown:
            raise UserError(
                f"{len(unknown)} of the names are of no recording in the lake, or consent to it was taken back"
            )
        chosen = [allowed[name] for name in sorted(set(self.recordings) or allowed)]
        measuring.again.update((each.recording, self.stage) for each in chosen)
        measuring.audit.append(
            "backfill", "recordings", {"stage": self.stage, "recordings": len(chosen), "reason": self.reason}
        )
        return chosen
