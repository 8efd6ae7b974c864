"""Trying again: what was released from quarantine is judged anew by the next run, with the reason on record."""

from dataclasses import replace
from datetime import UTC, datetime

from pipelines.audit import Event, open_audit
from pipelines.deliveries import Delivery
from pipelines.errors import Reason, UserError
from pipelines.ledger import Ledger
from pipelines.quarantine_list import Wanted, in_quarantine
from pipelines.study import Study
from pipelines.vault import Vault
from schemas.faults import Fate


def release_from_quarantine(study: Study, wanted: Wanted, reason: str) -> list[str]:
    """Have the next run try deliveries again: from the landing zone or, where their files have gone, from what is kept.

    A row is tried with all refused rows of its delivery. All are released or, on an error, none.

    Args:
        study: the study.
        wanted: which; deliveries by their ids, all of a code, or whatever else narrows the list.
        reason: why, for ledger and audit log, so without an identity.

    Returns:
        The ids of the deliveries.

    Raises:
        UserError: nothing of a name is in quarantine, no reason is given or it names a participant, or the vault does
            not open.
        RunInProgressError: a run holds the study.
    """
    if not reason.strip():
        raise UserError("say why with --reason: it is kept in ledger and audit log")
    with study.held():
        vault = Vault.open(study.vault)
        if vault.mentions(reason):
            raise UserError("the reason names a participant: it is kept outside the vault, so leave identities out")
        codes = _codes(study, wanted)
        ledger = Ledger(study.ledger)
        audit = open_audit(study, vault)
        try:
            found = [entry for entry in map(ledger.find, sorted(codes)) if entry is not None]
            audit.append_all(
                Event("quarantine_released", entry.delivery, {"codes": codes[entry.delivery], "reason": reason})
                for entry in found
            )
            with ledger.transaction():
                for entry in found:
                    ledger.enter(_released(entry, reason))
        finally:
            ledger.close()
            audit.save_head()
            audit.close()
    return [entry.delivery for entry in found]


def _codes(study: Study, wanted: Wanted) -> dict[str, list[str]]:
    """The codes of what is to be released, by delivery."""
    found = in_quarantine(study, wanted)
    known = {entry[key] for entry in found for key in ("delivery", "of_delivery")}
    missing = [each for each in wanted.deliveries if each not in known]
    if missing or not found:
        what = ", ".join(missing) or "that"
        raise UserError(f"nothing in quarantine is called {what}: see `painlake quarantine list`")
    codes: dict[str, set[str]] = {}
    for entry in found:
        if entry["of_delivery"] is None:
            raise UserError(f"{entry['delivery']}: the file that it came in is not known; have it delivered again")
        codes.setdefault(entry["of_delivery"], set()).add(entry["code"])
    return {delivery: sorted(given) for delivery, given in codes.items()}


def _released(entry: Delivery, reason: str) -> Delivery:
    at = datetime.now(tz=UTC).isoformat()
    # An empty stamp differs from every file's, so the next look takes it up.
    return replace(entry, stamp="", fate=Fate.DEFERRED, reasons=(Reason("RELEASED", reason),), decided_at=at)
