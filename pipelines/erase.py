"""Erase: one person out of a versioned dataset, for good, and everybody else left as they are.

The steps stand once, in their order. Each may be done again over its own half or whole result, and is entered in the
journal once it is done: a killed erasure goes on from there and comes to the same end.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.audit import AuditLog
from pipelines.durable import remove_partials
from pipelines.erase_dataset import publish_without, remove_from_lake, remove_older_files
from pipelines.erase_inventory import take_inventory
from pipelines.erase_traces import leftovers, remove_traces
from pipelines.erasing import Check, Erasing
from pipelines.erasure_journal import Journal, journal_file, unfinished
from pipelines.errors import PainLakeError, UserError
from pipelines.faultpoints import fault_point
from pipelines.known import forget_known
from pipelines.ledger import Ledger
from pipelines.params import Params
from pipelines.quarantine import Quarantine
from pipelines.receipt import beyond_reach, read_receipt, receipt_sums, write_receipt
from pipelines.repository import Repository
from pipelines.stores import FolderStore, Store, stores_of
from pipelines.study import Study
from pipelines.tombstone import read_tombstones, without_erased_lines, write_tombstones
from pipelines.validate import validate
from pipelines.vault import Vault

log = logging.getLogger("painlake")


def _tombstone(erasing: Erasing) -> None:
    """Say that the person is erased, before anything is: from here on nothing of theirs is taken in."""
    if erasing.vault.knows(erasing.pseudonym):
        erasing.vault.bury(erasing.pseudonym, erasing.journal.erased_at)
        erasing.vault.save()
    fault_point("erase.tombstone.vault")
    write_tombstones(erasing.study.lake, erasing.vault.tombstones)


def _vault(erasing: Erasing) -> None:
    """Destroy the key, the row and the names."""
    erasing.vault.destroy(erasing.pseudonym, erasing.journal.deliveries)
    erasing.vault.save()
    # A run that was killed while it saved the vault left a sealed copy, with the key in it.
    remove_partials(erasing.study.vault)


def _quarantine(erasing: Erasing) -> None:
    """Delete what was set aside of the person, and their lines in tables that were set aside."""
    quarantine = Quarantine(erasing.study.quarantine, erasing.vault, ledger=erasing.ledger)
    gone = [each for each in erasing.journal.deliveries if quarantine.path(each).is_file()]
    of_tables = {entry.delivery for entry in erasing.ledger.deliveries("table")}
    rewritten = []
    for path in sorted(erasing.study.quarantine.glob("*.age")):
        kept = quarantine.fetch(path.stem) if path.stem.removesuffix("-rows") in of_tables else None
        if kept is None:
            continue
        name, content, sidecar = kept
        without = erasing.without_rows(content) if path.stem.endswith("-rows") else None
        less = without_erased_lines(content, erasing.vault) if without is None else without
        if less != content:
            rewritten.append((path.stem, name, less, sidecar))
    erasing.count("quarantined_deliveries", len(gone))
    erasing.count("quarantined_tables_rewritten", len(rewritten))
    for delivery in gone:
        quarantine.drop(delivery)
        fault_point("erase.quarantine.one")
    for delivery, name, less, sidecar in rewritten:
        quarantine.keep(delivery, name, less, sidecar)


def _cache(erasing: Erasing) -> None:
    """Delete the person's objects here, and the entries of DVC's run cache."""
    _empty(erasing, erasing.stores.cache)
    for oid in erasing.journal.removed.get("unreferenced_objects_md5", []):
        erasing.stores.cache.remove(oid)


def _remotes(erasing: Erasing) -> None:
    """Delete the person's objects at every remote, all versions of them."""
    for remote in erasing.stores.remotes:
        _check_there(erasing, remote)
        _empty(erasing, remote)


def _check_there(erasing: Erasing, store: Store) -> None:
    """See that a folder that versions were copied to is not merely out of sight.

    Raises:
        PainLakeError: it is.
    """
    copied = any(version["pushed_at"] is not None for version in erasing.ledger.versions())
    if copied and isinstance(store, FolderStore) and not store.is_there:
        raise PainLakeError(f"the {store.name} at {store.root} holds no objects: mount it")


def _empty(erasing: Erasing, store: Store) -> None:
    # Counted from the list: a step that was killed half way has deleted some before.
    erasing.count(f"objects_in_{store.name.replace(' ', '_')}", len(erasing.journal.objects))
    for number, oid in enumerate(erasing.journal.objects):
        store.remove(oid)
        if number == 0:
            fault_point(f"erase.{store.name.split()[0]}.one")
    store.remove_runs_naming(erasing.pseudonym.encode())


def _ledger(erasing: Erasing) -> None:
    """Leave counts of the person's deliveries, and nothing else."""

    def masked(sha256: str) -> str:
        return erasing.vault.digest("erased bytes", sha256)

    media = erasing.ledger.erase(
        erasing.pseudonym, erasing.journal.deliveries, erasing.journal.rows, masked, erasing.journal.erased_at
    )
    erasing.count("deliveries_of_media", media)


def _traces(erasing: Erasing) -> None:
    """Take the pseudonym out of logs, reports, the scheduler's database, and what DVC remembers of files."""
    remove_traces(erasing.study, erasing.pseudonym, erasing.elsewhere)
    erasing.repository.forget_computed()
    forget_known(erasing.study.state)


def _proof(erasing: Erasing) -> None:
    """Look for what should be gone, everywhere in our control.

    Raises:
        PainLakeError: something is left; the step before is done again by the next try.
    """
    journal = erasing.journal
    found = leftovers(erasing.study, erasing.pseudonym, erasing.hospital_names, erasing.elsewhere)
    for store in erasing.stores.places:
        _check_there(erasing, store)
        left = store.objects() & set(journal.objects)
        found += [f"{oid} in the {store.name}" for oid in sorted(left)]
    if erasing.vault.knows(erasing.pseudonym):
        found.append("the vault")
    if found:
        journal.done = [name for name in journal.done if name != "traces"]
        journal.write(erasing.study)
        raise PainLakeError(
            f"{len(found)} places still name the erased person, the first: {found[0]}; "
            "clear it and run `painlake erase --resume`"
        )
    journal.notes = [
        "no file of the study names the pseudonym, but for the tombstone, this receipt, the audit log and git's history",
        f"none of the {len(journal.objects)} objects is left in: {', '.join(store.name for store in erasing.stores.places)}",
        "the vault holds no row, key or file name of the person",
        "no file of the study holds the ID or a delivered file's name"
        if erasing.hospital_names
        else "the ID was not looked for: the erasure went on without it, after the vault had forgotten it",
    ]


def _receipt(erasing: Erasing) -> None:
    at = datetime.now(tz=UTC).isoformat(timespec="seconds")
    beyond = beyond_reach(erasing.study, erasing.vault, erasing.journal.releases, erasing.stores.unreachable)
    write_receipt(erasing.study, erasing.journal, beyond, at)


STEPS: tuple[tuple[str, Callable[[Erasing], None]], ...] = (
    ("tombstone", _tombstone),
    ("inventory", take_inventory),
    ("vault", _vault),
    ("lake", remove_from_lake),
    ("quarantine", _quarantine),
    ("cache", _cache),
    ("remotes", _remotes),
    ("ledger", _ledger),
    ("publish", publish_without),
    ("warehouse", remove_older_files),
    ("traces", _traces),
    ("proof", _proof),
    ("receipt", _receipt),
)
"""In this order."""

_MAY_WAIT = frozenset({"remotes"})
"""A remote that cannot be reached tonight keeps nothing else from being erased."""


@dataclass(frozen=True, slots=True)
class Eraser:
    """What erasures in a held study work with.

    Args:
        study: the study, held by the caller.
        params: its parameters.
        vault: the opened vault: the caller's own, since a second one would write back what this forgets.
        ledger: the opened ledger.
        audit: the opened audit log.
        check: looks at the lake before it is published.
        elsewhere: folders outside the study in which a scheduler keeps names of runs.
    """

    study: Study
    params: Params
    vault: Vault
    ledger: Ledger
    audit: AuditLog
    check: Check = validate
    elsewhere: Sequence[Path] = ()

    def erase_id(self, hospital_id: str, reason: str) -> dict[str, Any]:
        """Erase the person of a hospital ID, or go on with the erasure; returns the receipt.

        Raises:
            UserError: nobody has this ID, or the reason tells who it is.
            PainLakeError: something could not be deleted yet; the next try goes on.
        """
        self._check_reason(hospital_id, reason)
        tombstone = self.vault.tombstone_of(hospital_id)
        person = self.vault.person(hospital_id)
        if person is not None:
            return self.erase(person.pseudonym, reason)
        if tombstone is None:
            raise UserError("the vault knows no such ID: nothing was erased")
        return self.erase(tombstone.pseudonym, reason, [hospital_id])

    def enter_id(self, hospital_id: str, reason: str) -> str:
        """Enter an erasure for the next night, or `resume`, to carry out; returns the pseudonym.

        From here on whoever carries it out needs no ID: it is in the vault, and is destroyed with the person's row.

        Raises:
            UserError: nobody has this ID, or the reason tells who it is.
        """
        self._check_reason(hospital_id, reason)
        person = self.vault.person(hospital_id)
        if person is None:
            raise UserError("the vault knows no such ID: nothing was entered")
        if person.pseudonym not in {journal.pseudonym for journal in unfinished(self.study)}:
            self._begin(person.pseudonym, reason)
        return person.pseudonym

    def _check_reason(self, hospital_id: str, reason: str) -> None:
        if self.vault.mentions(reason) or hospital_id in reason:
            raise UserError("the reason names a participant: it is kept outside the vault, so leave identities out")

    def erase(self, pseudonym: str, reason: str, hospital_names: Sequence[str] = ()) -> dict[str, Any]:
        """Erase a person, or go on with the erasure.

        Args:
            pseudonym: the person's.
            reason: kept on the receipt.
            hospital_names: what to look for in the end besides what the vault still knows.

        Returns:
            The receipt.

        Raises:
            PainLakeError: something could not be deleted yet; the next try goes on.
        """
        journal = next((each for each in unfinished(self.study) if each.pseudonym == pseudonym), None)
        if journal is None:
            receipt = read_receipt(self.study, pseudonym)
            if receipt is not None and not self.vault.knows(pseudonym):
                return receipt
            journal = self._begin(pseudonym, reason)
        return self._go_on(journal, hospital_names)

    def resume(self) -> list[dict[str, Any]]:
        """Go on with every unfinished erasure, and repeat those that a restored vault has undone; gives their receipts.

        Raises:
            PainLakeError: something could not be deleted yet; the next try goes on.
        """
        for tombstone in read_tombstones(self.study.lake):
            self.vault.keep_tombstone(tombstone)
        self.vault.save()
        done = [self._go_on(journal, ()) for journal in unfinished(self.study)]
        undone = [each.pseudonym for each in self.vault.tombstones if self.vault.knows(each.pseudonym)]
        return [*done, *(self.erase(pseudonym, "erased before; the vault was restored") for pseudonym in undone)]

    def _begin(self, pseudonym: str, reason: str) -> Journal:
        at = datetime.now(tz=UTC).isoformat(timespec="seconds")
        stands = next((each for each in self.vault.tombstones if each.pseudonym == pseudonym), None)
        tombstone = stands or self.vault.bury(pseudonym, at)
        journal = Journal(pseudonym, tombstone.digest, tombstone.erased_at, reason)
        journal.write(self.study)
        self.audit.append("erasure_begun", pseudonym, {"reason": reason})
        log.info("an erasure begins")
        return journal

    def _go_on(self, journal: Journal, hospital_names: Sequence[str]) -> dict[str, Any]:
        stores = stores_of(self.study)
        repository = Repository(self.study.root)
        erasing = Erasing(
            self.study, self.params, self.vault, self.ledger, repository, stores, journal, self.check, self.elsewhere
        )
        erasing.hospital_names.extend(hospital_names)
        waiting: list[PainLakeError] = []
        for name, step in STEPS:
            if name in journal.done:
                continue
            if waiting and name == "proof":
                raise PainLakeError(f"the erasure is not finished: {waiting[0]}; then `painlake erase --resume`")
            try:
                step(erasing)
            except PainLakeError as error:
                if name not in _MAY_WAIT:
                    raise
                waiting.append(error)
                continue
            fault_point(f"erase.{name}.did")
            journal.done.append(name)
            journal.write(self.study)
            fault_point(f"erase.{name}.entered")
        # The log is sealed: through it, a receipt that is changed later shows.
        sums = receipt_sums(self.study, journal.pseudonym)
        self.audit.append("person_erased", journal.pseudonym, {"objects": len(journal.objects), **sums})
        receipt = read_receipt(self.study, journal.pseudonym)
        journal_file(self.study, journal.pseudonym).unlink(missing_ok=True)
        log.info("an erasure is finished: %d objects, %s", len(journal.objects), journal.published)
        return receipt or {}
