"""Deliveries whose fate cannot come by itself any more: their file has gone, or gave way to a newer one of its name."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from pipelines.deliveries import Delivery
from pipelines.desk import Desk
from pipelines.discover import Discovery, has_sidecar, media_of
from pipelines.errors import Reason
from pipelines.waiting import waited
from schemas.faults import Fate

log = logging.getLogger("painlake")

_SETTLED = frozenset({Fate.PUBLISHED, Fate.DUPLICATE, Fate.ERASED})
_HALVES = frozenset({"WAITING_PAIR", "ORPHAN", "RELEASED", "VANISHED"})


def settle(desk: Desk, found: Discovery) -> None:
    """Give their fate to deliveries that wait for what will not come, and drop kept copies that are needed no more.

    A file that went before it was read, or before it was in the lake, is `VANISHED` after `land.orphan_after_days`;
    at once where it was released, since then nothing is left to try. Under its name it is taken in whenever it comes.

    Args:
        desk: with ledger, vault, lake and quarantine.
        found: what there is now.
    """
    for entry in desk.ledger.waiting():
        name = desk.vault.name_of(entry.delivery)
        if name is not None and not _is_there(name, found):
            _settle_absent(desk, entry)
    drop_settled(desk)
    for entry in desk.ledger.deliveries("other"):
        name = desk.vault.name_of(entry.delivery)
        if name is None or not name.lower().endswith(".json") or not _HALVES & set(entry.codes):
            continue
        of_media = [
            other for media in media_of(name) for other in desk.ledger.by_name(desk.vault.digest("name", media))
        ]
        if any(has_sidecar(other) for other in of_media):
            # It has met its media since, and is a part of that delivery.
            desk.quarantine.drop(entry.delivery)
            desk.ledger.forget(entry.delivery)


def drop_settled(desk: Desk) -> None:
    """Drop the kept copies of deliveries that need them no more: published, recognised, or erased."""
    for path in desk.quarantine.folder.glob("*.age"):
        known = desk.ledger.find(path.stem)
        if known is not None and known.fate in _SETTLED:
            desk.quarantine.drop(path.stem)


def drop_unknown(desk: Desk) -> None:
    """Drop copies that the ledger does not know: a killed run kept them, and what they are of may never come again.

    What lies in landing still is judged anew. Rows that were entered name their copy, though its table was not.
    """
    named = {row.delivery for row in desk.ledger.refused_rows()}
    for path in desk.quarantine.folder.glob("*.age"):
        delivery = path.stem.removesuffix("-rows")
        if desk.ledger.find(delivery) is None and delivery not in named:
            desk.quarantine.drop(path.stem)


def _is_there(name: str, found: Discovery) -> bool:
    below = any(name.startswith(f"{folder}/") for folder in found.unlistable)
    return below or name in found.paths


def _settle_absent(desk: Desk, entry: Delivery) -> None:
    if "FOLDER_UNREADABLE" in entry.codes:
        # It can be listed again, or is gone: what is in it speaks for itself.
        desk.ledger.forget(entry.delivery)
        return
    if in_lake(desk, entry):
        return
    released = "RELEASED" in entry.codes
    if released and (desk.quarantine.is_whole(entry) or entry.kind == "table"):
        return
    if released or waited(entry.decided_at, desk.now) >= timedelta(days=desk.params.land.orphan_after_days):
        _quarantine(desk, entry, "VANISHED", f"it was {entry.codes[0]} before")
        log.warning("delivery %s set aside: VANISHED", entry.delivery)


def in_lake(desk: Desk, entry: Delivery) -> bool:
    """Whether an accepted delivery's recording is in the lake: the next version has it, wherever its file is."""
    if entry.recording is None or entry.participant is None:
        return False
    return (desk.lake / entry.participant / "recordings" / f"{entry.recording}.json").is_file()


def give_way(desk: Desk, entry: Delivery, earlier: Sequence[Delivery]) -> None:
    """Set aside what waited under a delivery's name with other bytes and cannot be had under it any more.

    Args:
        desk: with ledger and lake.
        entry: what is about to be entered; its bytes were read whole.
        earlier: what the ledger has under its name.
    """
    if entry.stamp.startswith("kept:"):
        # A copy from the quarantine is no newer file.
        return
    for other in earlier:
        stands = other.delivery == entry.delivery or other.sha256 is None or other.fate is not Fate.DEFERRED
        if not stands and not in_lake(desk, other):
            _quarantine(desk, other, "REPLACED", f"it was {other.codes[0]} before")


def _quarantine(desk: Desk, entry: Delivery, code: str, detail: str) -> None:
    # An empty stamp differs from every file's, so whatever comes under its name is looked at.
    at = desk.now.isoformat()
    gone = replace(entry, stamp="", recording=None, fate=Fate.QUARANTINED, reasons=(Reason(code, detail),))
    desk.ledger.enter(replace(gone, decided_at=at))
