"""Fates that are given together: the vault is written once for all of them, before the ledger has any.

The vault is one file, and its writing takes as long as there are people and names in it. So the names of many new
deliveries go into it at once; their entries in the ledger are one transaction that ends after it. A run that is killed
in between leaves a vault that knows more names than the ledger, as it would between any two of these steps, and a
ledger without any of the batch: the next run judges it anew and comes to the same names and fates.
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

from pipelines.durable_steps import durable_step
from pipelines.ledger import Ledger
from pipelines.vault import Vault

_AT_MOST = 100
_AT_MOST_S = 5.0
"""What a kill costs: so many deliveries, or so long, are judged again."""


class Batch:
    """Gathers what is entered while it is open; closed, all is written at once.

    Args:
        vault: with the deliveries' names.
        ledger: with their fates.
    """

    def __init__(self, vault: Vault, ledger: Ledger) -> None:
        self._vault = vault
        self._ledger = ledger
        self._gathers = False
        self._transaction: ExitStack | None = None
        self._count = 0
        self._since = 0.0

    @contextmanager
    def gathering(self) -> Iterator[None]:
        """Gather until the end of the block; what was entered by then is kept, also where an error ends it."""
        self._gathers = True
        try:
            yield
        except BaseException:
            # What ended the block is what is to be told.
            with suppress(OSError, sqlite3.Error):
                self.settle()
            raise
        else:
            self.settle()
        finally:
            self._gathers = False

    def before(self, *, is_new: bool) -> None:
        """Say that a delivery is about to be judged.

        Args:
            is_new: nothing came under its name before: so nothing that is kept, in the lake or in quarantine, changes
                with its fate, and it can wait for the others. Every other has what was gathered before written first.
        """
        full = self._count >= _AT_MOST or time.monotonic() - self._since > _AT_MOST_S
        if full or not is_new:
            self.settle()
        if self._gathers and is_new:
            self._count += 1
            if self._transaction is None:
                self._transaction = ExitStack()
                self._transaction.enter_context(self._ledger.transaction())
                self._since = time.monotonic()

    def save_names(self) -> None:
        """Have the vault know the names given so far, now or with the others of the batch."""
        if self._transaction is None:
            self._vault.save()

    def settle(self) -> None:
        """Write what was gathered: the names, then the fates; where the vault cannot be written there are no fates."""
        if self._transaction is None:
            return
        transaction, self._transaction, self._count = self._transaction, None, 0
        with durable_step("land.batch"), transaction:
            self._vault.save()
