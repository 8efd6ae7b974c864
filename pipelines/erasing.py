"""What the steps of one erasure work with."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.erasure_journal import Journal
from pipelines.ledger import Ledger
from pipelines.params import Params, ValidateParams
from pipelines.repository import Repository
from pipelines.stores import Stores
from pipelines.study import Study
from pipelines.tombstone import row_of_erased
from pipelines.validate import ValidationOutcome
from pipelines.vault import Vault

Check = Callable[[Path, Path, ValidateParams], ValidationOutcome]


@dataclass(frozen=True, slots=True)
class Erasing:
    """One erasure under way.

    Args:
        study, params, vault, ledger, repository, stores: of the study, which the caller holds.
        journal: what is done.
        check: looks at the lake before it is published.
        elsewhere: folders outside the study in which a scheduler keeps names of runs.
        hospital_names: the ID and the names of deliveries, in memory alone, to be looked for in the end.
    """

    study: Study
    params: Params
    vault: Vault
    ledger: Ledger
    repository: Repository
    stores: Stores
    journal: Journal
    check: Check
    elsewhere: Sequence[Path] = ()
    hospital_names: list[str] = field(default_factory=list)

    @property
    def pseudonym(self) -> str:
        """Whose erasure it is."""
        return self.journal.pseudonym

    def count(self, what: str, number: int) -> None:
        """Note for the receipt, before it is done, how much of something is removed; a step done again finds less."""
        self.journal.removed[what] = max(number, self.journal.removed.get(what, 0))
        self.journal.write(self.study)

    def without_rows(self, content: bytes) -> bytes:
        """Rows of a table that were set aside, one JSON object a line, without those of erased persons."""
        lines = content.decode().split("\n")
        return "\n".join(line for line in lines if line and not self._is_erased(line)).encode()

    def _is_erased(self, line: str) -> bool:
        return row_of_erased(json.loads(line)["text"], self.vault)
