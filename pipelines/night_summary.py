"""What a night came to, in counts, codes and versions: for the terminal, Prefect's pages, messages and monitors."""

from dataclasses import asdict, dataclass
from typing import Any

from pipelines.repository import version_name
from schemas.faults import FAULTS, Effect, Fate

_OWN_STEPS = {
    "FAILED": "read state/painlake.log; the next night tries again",
    "HELD_BACK": "read reports/validation.json: critical checks failed, and the last version stays published",
    "NOT_BALANCED": "report it as a defect, with state/painlake.log",
    "NOT_BACKED_UP": "see whether the remote can be reached; the next night copies what it lacks",
    "TO_ERASE": "consent was taken back: `painlake status` names them; `painlake erase`, or `erase.on_withdrawal: erase`",
    "DAMAGED": "run `painlake verify`: it names each object, whose it is, and what restores it",
    "ERASING": "an erasure is not finished: the next night goes on, or `painlake erase --resume`",
}
"""What a person is needed for besides what is in quarantine."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Something that needs a person.

    Args:
        code: of `schemas.faults`, or of the study as a whole.
        count: how much of it there is.
        grew: whether that is more than after the night before.
        next_step: what to do.
    """

    code: str
    count: int
    grew: bool
    next_step: str


@dataclass(frozen=True, slots=True)
class NightSummary:
    """What a night came to; nothing in it names a person, a recording or a file.

    Args:
        event: `night`, or what else went through the same end, such as `backfill`.
        outcome: in words.
        good: whether nothing failed; what is in quarantine is no failure.
        new_version: such as v0002, if one was published.
        version: the current one.
        fates: deliveries of media by fate; None where the ledger cannot be read.
        balanced: whether these add up to what landed.
        failures: how many things could not be done.
        attention: what needs a person.
    """

    event: str
    outcome: str
    good: bool
    new_version: str | None
    version: str | None
    fates: dict[str, int] | None
    balanced: bool | None
    failures: int
    attention: tuple[Attention, ...]

    @property
    def document(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "attention": [asdict(each) for each in self.attention]}

    @property
    def needs_a_person_anew(self) -> bool:
        """Whether there is more to do than after the night before."""
        return any(each.grew for each in self.attention)


def is_good(outcome: str, failures: int) -> bool:
    """Whether a run did what it was to do.

    >>> is_good("published, NOT_BACKED_UP", 0), is_good("held back: 1 critical checks failed", 0), is_good("published", 2)
    (True, False, False)
    """
    return failures == 0 and not outcome.startswith(("held back", "failed"))


def summarise(
    event: str, result: dict[str, Any], state: dict[str, Any] | None, before: dict[str, int] | None
) -> NightSummary:
    """What a night came to.

    Args:
        event: what ended.
        result: of the flow: `outcome`, `version` (its number) and `failures`.
        state: of `pipelines.overview`; None where it cannot be had.
        before: what needed a person after the night before, by code; None where nobody knows.
    """
    failures = len(result["failures"])
    good = is_good(result["outcome"], failures)
    needed = _needed(result["outcome"], failures, state or {}, good=good)
    if event == "verify" and failures:
        needed["DAMAGED"] = needed.pop("FAILED")
    attention = tuple(
        Attention(code, count, count > (before or {}).get(code, 0), _OWN_STEPS.get(code) or FAULTS[code].next_step)
        for code, count in needed.items()
    )
    number = result["version"]
    return NightSummary(
        event,
        result["outcome"],
        good,
        None if number is None else version_name(number),
        None if state is None else state["version"],
        None if state is None else {fate.value: state[fate.value] for fate in Fate},
        None if state is None else state["balanced"],
        failures,
        attention,
    )


def _needed(outcome: str, failures: int, state: dict[str, Any], *, good: bool) -> dict[str, int]:
    """What a person is needed for, by code."""
    held_back = outcome.startswith("held back")
    own = {
        "FAILED": 0 if good else failures or int(not held_back),
        "HELD_BACK": int(held_back),
        "NOT_BALANCED": int(not state.get("balanced", True)),
        "NOT_BACKED_UP": int("NOT_BACKED_UP" in outcome),
        "TO_ERASE": len(state.get("to_erase", ())),
        "ERASING": len(state.get("erasing", ())),
    }
    quarantined = {
        code: count for code, count in state.get("reasons", {}).items() if FAULTS[code].effect is Effect.QUARANTINE
    }
    return {code: count for code, count in {**own, **quarantined}.items() if count}
