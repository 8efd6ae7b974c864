"""What is left of a study after its night: all that must not depend on where the night was killed."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines.audit import verify as verify_audit
from pipelines.lake import recordings
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.pseudonymise import open_recording
from pipelines.quarantine import Quarantine
from pipelines.repository import Repository
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.verify import verify
from pipelines.warehouse import CURRENT, current_file, open_warehouse

_TIMES = {"meta.dataset_version": "EXCLUDE (created_at, git_commit)"}
_LEDGER = {
    "deliveries": "delivery, kind, name_digest, stamp, sha256, bytes, participant, recording, fate, reasons, duplicate_of",
    "table_rows": "*",
    "units": "*",
    "dirty": "*",
    "withdrawn": "*",
    "versions": "number, pushed_at IS NULL",
}


def write_end_state(root: Path) -> None:
    """Write it to `state.json` beside the study."""
    (root.parent / "state.json").write_text(json.dumps(end_state(Study(root)), indent=1), encoding="utf-8")


def end_state(study: Study) -> dict[str, Any]:
    """The study's parts by name, in what JSON has."""
    vault, ledger, repository = Vault.open(study.vault), Ledger(study.ledger), Repository(study.root)
    try:
        rows = {
            name: sorted(map(str, map(tuple, ledger._db.execute(f"SELECT {columns} FROM {name}"))))  # noqa: S608 - above
            for name, columns in _LEDGER.items()
        }
        counted = counts(ledger)
    finally:
        ledger.close()
    quarantine = Quarantine(study.quarantine, vault)
    state: dict[str, Any] = {
        "tables": dict(_tables(study)),
        "lake": {
            path.relative_to(study.lake).as_posix(): _sha256(path.read_bytes())
            for path in sorted(study.lake.rglob("*"))
            if path.is_file() and path.suffix not in {".age", ".dvc"}
        },
        "recordings": {
            one.recording: _sha256(open_recording(study.lake, one, vault.of_pseudonym(one.participant).identity))
            for one in recordings(study.lake)
        },
        "sealed": sorted(path.name for path in study.lake.rglob("*.age")),
        "dvc": {
            path.relative_to(study.root).as_posix(): _without_ciphertext(path.read_text(encoding="utf-8"))
            for path in [study.root / "dvc.lock", *sorted(study.lake.rglob("*.dvc"))]
        },
        "reports": {path.name: _sha256(path.read_bytes()) for path in sorted(study.reports.glob("*.json"))},
        "ledger": rows,
        "counts": counted,
        "vault": [str(person) for person in vault.people],
        "names": vault.names,
        "quarantine": {path.stem: str(quarantine.fetch(path.stem)) for path in sorted(study.quarantine.glob("*.age"))},
        "tags": repository.git("tag", "--list").split(),
        "tagged": repository.version_at_head(),
        "uncommitted": repository.git("status", "--porcelain"),
        "dvc status": json.loads(repository.dvc("status", "--json")),
        "warehouse": sorted(path.name for path in study.warehouse.iterdir()),
        "current": (study.warehouse / CURRENT).readlink().name,
        "left": sorted(_left(study.root)),
        "audit": str(verify_audit(study, vault).problem),
        "wrong": list(verify(study).wrong),
    }
    return state


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tables(study: Study) -> Iterator[tuple[str, str]]:
    """Each table's and view's rows, as they stand in the published file."""
    with open_warehouse(current_file(study.warehouse)) as connection:
        names = connection.execute(
            "SELECT table_schema || '.' || table_name FROM information_schema.tables WHERE table_catalog = 'painlake'"
        ).fetchall()
        for (name,) in sorted(names):
            rows = connection.execute(f"SELECT * {_TIMES.get(name, '')} FROM {name}").fetchall()  # noqa: S608 - its own
            yield name, f"{len(rows)} rows {_sha256(repr(rows).encode())}"


def _without_ciphertext(text: str) -> str:
    """DVC's record without what hangs on the recordings' ciphertext, whose nonce and padding are new each time."""
    text = re.sub(r"(path: lake(?:/\w+/recordings)?\n\s+hash: md5\n\s+md5: )\w+\.dir(\n\s+size: )\d+", r"\1…\2…", text)
    return re.sub(r"(- md5: )\w+\.dir(\n  size: )\d+((?:\n  (?!path).*)*\n  path: recordings\n)", r"\1…\2…\3", text)


def _left(root: Path) -> Iterator[str]:
    """What only a killed run leaves: half-written files, and locks that nobody holds."""
    for path in root.rglob("*"):
        in_git = path.relative_to(root).parts[0] == ".git"
        if path.name.endswith(".partial") or (in_git and path.suffix == ".lock"):
            yield path.relative_to(root).as_posix()
