"""Taking stock of a person before the vault forgets them: which deliveries, rows and objects are theirs."""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from pipelines.deliveries import Delivery
from pipelines.erase_objects import objects_of
from pipelines.erasing import Erasing
from pipelines.quarantine import Quarantine
from pipelines.tombstone import row_of_erased
from schemas.faults import Fate
from schemas.landing import MEDIA_SUFFIXES

_MOST_REPEATED = 20
"""So often the same row may stand in a table that was set aside."""


def take_inventory(erasing: Erasing) -> None:
    """Note in the journal what is the person's; nothing is changed."""
    journal, vault = erasing.journal, erasing.vault
    named = {delivery: name for delivery, name in vault.names.items() if _is_of_erased(name, erasing)}
    given = vault.releases_with(erasing.pseudonym)
    journal.releases = [f"{each.release} ({each.profile}, of {each.version}, {each.at})" for each in given]
    accepted = erasing.ledger.of_participant(erasing.pseudonym)
    inside = {entry.delivery for entry in erasing.ledger.deliveries() if _states_erased(entry, erasing)}
    journal.deliveries = sorted({*named, *inside, *(entry.delivery for entry in accepted)})
    known = (vault.name_of(delivery) for delivery in journal.deliveries)
    files = (PurePosixPath(name) for name in known if name is not None)
    erasing.hospital_names.extend(file.name for file in files if file.suffix.lower() in MEDIA_SUFFIXES)
    if vault.knows(erasing.pseudonym):
        erasing.hospital_names.append(vault.of_pseudonym(erasing.pseudonym).participant_id)
    in_lake = (path.stem for path in (erasing.study.lake / erasing.pseudonym / "recordings").glob("*.json"))
    in_ledger = (entry.recording for entry in accepted if entry.recording is not None)
    journal.recordings = sorted({*in_lake, *in_ledger})
    journal.rows = sorted(_rows_set_aside(erasing))
    erased_before = {each.pseudonym for each in vault.tombstones}
    found = objects_of(erasing.study, erasing.repository, erasing.stores, erasing.pseudonym, erased_before)
    journal.objects = list(found.own)
    journal.shared = list(found.shared)
    journal.removed["unreferenced_objects_md5"] = list(found.unreferenced)
    if found.unread:
        journal.removed["folders_whose_list_is_lost_md5"] = list(found.unread)


def _is_of_erased(name: str, erasing: Erasing) -> bool:
    """Whether the hospital's name of a delivery has the ID as a folder or as the file's own name."""
    path = PurePosixPath(name)
    return any(erasing.vault.tombstone_of(part) is not None for part in (*path.parts, path.stem))


def _states_erased(entry: Delivery, erasing: Erasing) -> bool:
    """Whether the sidecar of a delivery that was set aside has the ID, whatever folder it came in."""
    if entry.fate is not Fate.QUARANTINED or entry.kind == "table":
        return False
    kept = Quarantine(erasing.study.quarantine, erasing.vault).fetch(entry.delivery)
    if kept is None:
        return False
    name, content, sidecar = kept
    described = content if name.lower().endswith(".json") else sidecar
    try:
        document = json.loads(described or b"")
    except (ValueError, UnicodeDecodeError):
        return False
    stated = document.get("participant_id") if isinstance(document, dict) else None
    return isinstance(stated, str) and erasing.vault.tombstone_of(stated.strip()) is not None


def _rows_set_aside(erasing: Erasing) -> Iterator[str]:
    """The digests under which the ledger knows the person's rows that were set aside before anybody was found in them."""
    quarantine = Quarantine(erasing.study.quarantine, erasing.vault)
    for path in sorted(erasing.study.quarantine.glob("*-rows.age")):
        kept = quarantine.fetch(path.stem)
        if kept is None:
            continue
        name, content, _ = kept
        table = PurePosixPath(name.removesuffix(": rows")).stem.lower()
        texts = {json.loads(line)["text"] for line in content.decode().split("\n") if line}
        for text in sorted(text for text in texts if row_of_erased(text, erasing.vault)):
            for number in range(1, _MOST_REPEATED + 1):
                yield erasing.vault.digest("row", table, text, str(number))
