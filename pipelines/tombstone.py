"""Tombstones: who was erased, without a name, and how a line of theirs is known when it is delivered again.

The vault decides; `lake/tombstones.yaml`, which git keeps, tells every clone who is missing from older versions.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

import yaml

from pipelines.durable import write_durably
from pipelines.errors import PainLakeError
from pipelines.vault import Vault
from pipelines.vault_records import Tombstone

_FILE = "tombstones.yaml"
_HEADER = """\
# Written by PainLake: who was erased, by pseudonym and a keyed digest that only the vault can make. Older versions
# lack these persons: `dvc pull --allow-missing` gives everyone else.
"""
_BETWEEN_CELLS = re.compile(r"[;,\t|\r\n\"]")


def tombstones_file(lake: Path) -> Path:
    """Where a study's tombstones stand for all to see."""
    return lake / _FILE


def read_tombstones(lake: Path) -> list[Tombstone]:
    """The tombstones in a lake, oldest first.

    Raises:
        PainLakeError: the file is not what was written.
    """
    try:
        rows = yaml.safe_load(tombstones_file(lake).read_text(encoding="utf-8"))
        return [Tombstone(**row) for row in rows]
    except FileNotFoundError:
        return []
    except (yaml.YAMLError, TypeError, UnicodeDecodeError) as error:
        raise PainLakeError(
            f"lake/{_FILE} is no list of tombstones: take it back from git (`git checkout -- lake/{_FILE}`)"
        ) from error


def write_tombstones(lake: Path, tombstones: Iterable[Tombstone]) -> None:
    """Write the tombstones into the lake, those that stand there already included."""
    both = {each.digest: each for each in (*read_tombstones(lake), *tombstones)}
    rows = [asdict(each) for each in sorted(both.values(), key=lambda one: (one.erased_at, one.digest))]
    write_durably(tombstones_file(lake), (_HEADER + yaml.safe_dump(rows, sort_keys=False)).encode())


def row_of_erased(text: str, vault: Vault) -> bool:
    """Whether a row, in the stable form that `pipelines.csvfile` gives it, has the ID of an erased person.

    Args:
        text: a JSON list of cells, or a JSON object of values.
        vault: knows the erased by a keyed digest.
    """
    if not vault.tombstones:
        return False
    row = json.loads(text)
    cells = row.values() if isinstance(row, dict) else row
    return any(isinstance(cell, str) and vault.tombstone_of(cell.strip()) is not None for cell in cells)


def without_erased_lines(content: bytes, vault: Vault) -> bytes:
    """A delivered table that cannot be read, without the lines that hold the ID of an erased person.

    What is no text (a spreadsheet's own format) cannot be looked into line by line: nothing of it is kept.
    """
    if not vault.tombstones:
        return content
    if b"\x00" in content or content.startswith(b"PK"):
        return b""
    # Every byte is some character in Latin-1, so what stays, stays byte for byte.
    lines = content.decode("latin-1").splitlines(keepends=True)
    return "".join(line for line in lines if not _names_erased(line, vault)).encode("latin-1")


def _names_erased(line: str, vault: Vault) -> bool:
    return any(vault.tombstone_of(cell.strip()) is not None for cell in _BETWEEN_CELLS.split(line))
