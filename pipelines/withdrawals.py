"""Persons who took back their consent: nothing more is done with their data, and what no version has goes at once."""

import logging

from pipelines.desk import Desk
from pipelines.errors import Reason, UserError
from pipelines.lake import people
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.set_aside import keep_bytes, set_aside, take_out

log = logging.getLogger("painlake")


def note_withdrawals(desk: Desk) -> None:
    """Enter who has data in the lake and took back a needed consent: nothing more is done with those data."""
    present = set(people(desk.lake))
    everyone = (person.pseudonym for person in desk.vault.people)
    gone = [pseudonym for pseudonym in everyone if pseudonym in present and withdrawn(desk, pseudonym)]
    if sorted(gone) != desk.ledger.withdrawn():
        desk.ledger.note_withdrawn(gone)
        log.warning("%d persons took back consent and are to be erased", len(gone))


def withdrawn(desk: Desk, participant: str) -> bool:
    """Whether a person took back a consent that the study needs."""
    try:
        person = desk.vault.of_pseudonym(participant)
    except UserError:
        # Measuring says so, and costs that recording alone.
        return False
    return person.withdrawn(desk.params.land.consent_scopes, desk.now)


def heed_withdrawals(desk: Desk) -> None:
    """Set aside what a killed run brought into the lake, unpublished, before its person withdrew consent."""
    for entry in desk.ledger.accepted():
        if entry.recording is None or entry.participant is None or not withdrawn(desk, entry.participant):
            continue
        sidecar = recordings_folder(desk.lake, entry.participant) / f"{entry.recording}.json"
        if not sidecar.is_file():
            continue
        desk.ledger.mark_dirty(entry.participant)
        keep_bytes(desk, entry)
        take_out(desk, Recording.read(sidecar))
        set_aside(desk, entry.delivery, Reason("NO_CONSENT", "consent was withdrawn before it was published"))
