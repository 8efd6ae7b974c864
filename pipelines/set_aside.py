"""Setting aside what was accepted before: its bytes are kept, wherever they can still be had."""

import hashlib
from contextlib import suppress
from dataclasses import replace
from pathlib import PurePosixPath

from pipelines.deliveries import Delivery
from pipelines.desk import Desk
from pipelines.durable_steps import durable
from pipelines.errors import Reason, Rejection
from pipelines.faultpoints import fault_point
from pipelines.pseudonymise import recording_or_none, recordings_folder
from pipelines.recording import Recording
from pipelines.stages import MEDIA_STAGES
from pipelines.superseded import settle_superseded
from schemas.faults import FAULTS, Effect, Fate

_WAITS_LONG = frozenset({"ENGINE_INPUT_MISSING", "ENGINE_INPUT_UNFIT"})


def set_aside(desk: Desk, delivery: str, reason: Reason, sidecar: bytes | None = None) -> None:
    """Quarantine a delivery whose fault only showed in a later stage, or have it wait where the fault can pass.

    Args:
        desk: with landing, vault, ledger and quarantine.
        delivery: its id.
        reason: why it cannot stay.
        sidecar: as delivered, where it is at hand.

    Raises:
        LookupError: the ledger has no such delivery.
    """
    entry = desk.ledger.find(delivery)
    if entry is None:
        raise LookupError(f"delivery {delivery} is not in the ledger")
    at = desk.now.isoformat()
    if FAULTS[reason.code].effect is Effect.DEFER:
        # It may wait for weeks for its engine's file: by then the landing zone may be empty. Otherwise these bytes are
        # not those that were judged: what is there now is looked at as if for the first time.
        waits_long = reason.code in _WAITS_LONG and keep_bytes(desk, entry, sidecar)
        sha256 = entry.sha256 if waits_long else None
        waiting = replace(entry, stamp="", sha256=sha256, recording=None, fate=Fate.DEFERRED, reasons=(reason,))
        desk.ledger.enter(replace(waiting, decided_at=at))
    else:
        sha256 = entry.sha256 if keep_bytes(desk, entry, sidecar) else None
        aside = replace(entry, sha256=sha256, recording=None, fate=Fate.QUARANTINED, reasons=(reason,), decided_at=at)
        desk.ledger.enter(aside)
    if entry.recording is not None:
        desk.ledger.forget_units(entry.recording)


def keep_bytes(desk: Desk, entry: Delivery, sidecar: bytes | None = None) -> bool:
    """Have the quarantine keep a delivery's bytes, before anything else of it is removed.

    They come from the landing zone; where they have gone from there and no earlier copy is kept, from the lake: picture
    and sound then, without what was stripped from them.

    Args:
        desk: with landing, vault, lake and quarantine.
        entry: the delivery.
        sidecar: as delivered, where it is at hand.

    Returns:
        Whether there are bytes; if not, nothing is kept.
    """
    if sidecar is None and desk.quarantine.is_whole(entry):
        return True
    name = desk.vault.name_of(entry.delivery) or ""
    content = _from_landing(desk, name)
    if content is None or hashlib.sha256(content).hexdigest() != entry.sha256:
        if desk.quarantine.is_whole(entry):
            return True
        content = _from_lake(desk, entry)
    if content is None:
        return False
    described = _from_landing(desk, str(PurePosixPath(name).with_suffix(".json"))) if sidecar is None else sidecar
    desk.quarantine.keep(entry.delivery, name, content, described)
    return True


@durable("lake")
def take_out(desk: Desk, recording: Recording) -> None:
    """Remove a recording that no version has from the lake."""
    folder = recordings_folder(desk.lake, recording.participant)
    # The sidecar first: without it the rest is not there for any reader.
    (folder / f"{recording.recording}.json").unlink(missing_ok=True)
    fault_point("lake.take_out.sidecar")
    (folder / f"{recording.recording}.age").unlink(missing_ok=True)
    for stage in MEDIA_STAGES:
        for path in stage.files(desk.lake, recording):
            path.unlink(missing_ok=True)
    for path in (folder, *(desk.lake / recording.participant / stage.folder for stage in MEDIA_STAGES)):
        with suppress(OSError):
            path.rmdir()
    desk.ledger.forget_units(recording.recording)
    entry = desk.ledger.of_recording(recording.recording)
    if entry is not None:
        # What it superseded is current again.
        settle_superseded(desk.lake, desk.ledger, entry.name_digest)


def _from_landing(desk: Desk, path: str) -> bytes | None:
    try:
        return desk.landing.read(path)
    except Rejection:
        return None


def _from_lake(desk: Desk, entry: Delivery) -> bytes | None:
    if entry.recording is None or entry.participant is None or not desk.vault.knows(entry.participant):
        return None
    if desk.audit is not None:
        desk.audit.append("recording_decrypted", entry.recording, {"stage": "set aside"})
    person = desk.vault.of_pseudonym(entry.participant)
    return recording_or_none(desk.lake, entry.participant, entry.recording, person.identity)
