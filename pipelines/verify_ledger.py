"""Verify: the ledger as a file, and what it says against lake, quarantine and versions."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pipelines.deliveries import Delivery
from pipelines.errors import UserError
from pipelines.findings import Findings
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.recording import Recording
from pipelines.seal import Seal, seal_file, seal_of
from pipelines.study import Study
from schemas.faults import Fate

_RESTORE = "restore state/ledger.sqlite and state/ledger.seal from a backup"


@dataclass(frozen=True, slots=True)
class LedgerAsRead:
    """What the ledger says, read once.

    Args:
        sound: whether there is one that can be believed.
        pending: whether a run was killed, or data wait for a version.
    """

    sound: bool = False
    pending: bool = False
    balanced: bool = True
    landed: int = 0
    deliveries: tuple[Delivery, ...] = ()
    dirty: frozenset[str] = frozenset()
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)
    versions: tuple[dict[str, Any], ...] = ()
    sums: Mapping[str, str] = field(default_factory=dict)


def read_ledger(findings: Findings, study: Study) -> LedgerAsRead:
    """Check the ledger's file, and read it; one that is damaged is not believed.

    Args:
        findings: what is found goes there.
        study: the study, held.
    """
    if not study.ledger.is_file():
        if study.audit.is_file() and seal_file(study.ledger).is_file():
            findings.add("state/ledger.sqlite", "is missing", _RESTORE)
        else:
            findings.note("there is no ledger: nothing has been taken in here, as in a clone")
        return LedgerAsRead()
    findings.progress.phase("reading the ledger")
    found = seal_of(study.ledger)
    if found is Seal.BROKEN:
        findings.add("state/ledger.sqlite", "is not what was sealed", _RESTORE)
        return LedgerAsRead(pending=True)
    if found is Seal.SPOILT:
        remedy = "remove it: the next run checks the ledger and seals it again"
        findings.add("state/ledger.seal", "is damaged", remedy)
    if found is Seal.NONE:
        findings.note("the ledger is unsealed: a run was killed, and the next one seals it")
    try:
        with _opened(study) as ledger:
            # What is sealed is as SQLite wrote it.
            problems = ledger.problems() if found is not Seal.WHOLE else []
            if problems:
                findings.add("state/ledger.sqlite", f"is damaged ({problems[0]})", _RESTORE)
                return LedgerAsRead(pending=True)
            return _read(ledger, killed=found is Seal.NONE)
    except (UserError, sqlite3.Error, json.JSONDecodeError, ValueError, KeyError) as error:
        findings.add("state/ledger.sqlite", f"cannot be read ({type(error).__name__})", _RESTORE)
        return LedgerAsRead(pending=True)


@contextmanager
def _opened(study: Study) -> Iterator[Ledger]:
    ledger = Ledger(study.ledger, read_only=True)
    try:
        yield ledger
    finally:
        ledger.close()


def _read(ledger: Ledger, *, killed: bool) -> LedgerAsRead:
    state = counts(ledger)
    dirty = frozenset(ledger.dirty())
    return LedgerAsRead(
        sound=True,
        pending=killed or bool(dirty),
        balanced=state["balanced"],
        landed=state["landed"],
        deliveries=tuple(ledger.deliveries()),
        dirty=dirty,
        units={unit: sha256 for unit, (_, sha256) in ledger.units_with_digests().items()},
        versions=tuple(ledger.versions()),
        sums=ledger.sums(),
    )


def check_deliveries(findings: Findings, ledger: LedgerAsRead, found: Mapping[str, Recording], *, spoilt: bool) -> None:
    """Name deliveries whose fate and whose place disagree.

    Args:
        findings: what is found goes there.
        ledger: from `read_ledger`.
        found: the recordings in the lake.
        spoilt: whether recordings may be missing there that were named already.
    """
    findings.count("deliveries", ledger.landed)
    if not ledger.balanced:
        findings.add("state/ledger.sqlite", "does not balance: landed is not the sum of the fates", "report this")
    media = [entry for entry in ledger.deliveries if entry.kind == "media"]
    entered = {entry.recording: entry for entry in media if entry.recording is not None}
    for recording, entry in sorted(entered.items()):
        if entry.fate is Fate.PUBLISHED and recording not in found and not spoilt:
            problem = "is published by the ledger and not in the lake"
            findings.add(recording, problem, "run `dvc checkout`", entry.participant or "")
    for recording in sorted(found.keys() - entered.keys()):
        remedy = "run `painlake ingest`; if it stays, move its files away"
        findings.add(recording, "is in the lake and not in the ledger", remedy, found[recording].participant)
    for recording in sorted({recording for recording, _ in ledger.units} - found.keys() - entered.keys()):
        if not spoilt and recording.partition("-")[0] not in ledger.dirty:
            findings.add(recording, "has units in the ledger and is not in the lake", "run `painlake ingest`")
