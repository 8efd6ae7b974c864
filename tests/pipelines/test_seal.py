import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import UserError
from pipelines.ledger import Ledger
from pipelines.seal import Seal, seal_file, seal_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of a ledger that was written and closed."""
    ledger = Ledger(tmp_path / "state" / "ledger.sqlite")
    ledger.mark_dirty("P1")
    ledger.close()
    return tmp_path / "state" / "ledger.sqlite"


def flip(path: Path, place: int, bit: int = 0) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1 << bit
    path.write_bytes(content)


def test_a_closed_ledger_is_sealed_in_the_form_of_sha256sum(path: Path) -> None:
    assert seal_of(path) is Seal.WHOLE
    line = f"{hashlib.sha256(path.read_bytes()).hexdigest()}  ledger.sqlite\n"
    assert seal_file(path).read_text() == line * 2


@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 0.999])
def test_one_bit_anywhere_in_the_file_breaks_the_seal_also_where_no_row_is(path: Path, share: float) -> None:
    flip(path, int(path.stat().st_size * share), 3)
    assert seal_of(path) is Seal.BROKEN


def test_any_bit_of_the_seal_is_told_from_damage_to_the_ledger(path: Path) -> None:
    seal = seal_file(path)
    whole = seal.read_bytes()
    for place in range(len(whole)):
        flip(seal, place, place % 8)
        assert seal_of(path) is Seal.SPOILT, place
        seal.write_bytes(whole)


def test_no_run_begins_on_a_damaged_ledger_since_it_would_seal_the_damage(path: Path) -> None:
    flip(path, path.stat().st_size // 2)
    with pytest.raises(UserError, match=r"ledger\.sqlite is damaged"):
        Ledger(path)
    # Whoever put it there knows better.
    seal_file(path).unlink()
    Ledger(path).close()
    assert seal_of(path) is Seal.WHOLE


def test_reading_leaves_the_seal_and_the_first_write_breaks_it(path: Path) -> None:
    ledger = Ledger(path)
    assert ledger.dirty() == ["P1"]
    assert seal_of(path) is Seal.WHOLE
    with ledger.transaction():
        assert seal_of(path) is Seal.WHOLE
        ledger.mark_dirty("P2")
        assert seal_of(path) is Seal.NONE
    ledger.close()
    assert seal_of(path) is Seal.WHOLE


def test_the_seal_holds_while_somebody_else_reads_or_writes(path: Path) -> None:
    reader, writer, other = Ledger(path, read_only=True), Ledger(path), Ledger(path)
    writer.clear_dirty()
    writer.close()
    assert seal_of(path) is Seal.WHOLE
    other.mark_dirty("P3")
    assert seal_of(path) is Seal.NONE
    assert reader.dirty() == ["P3"]
    other.close()
    reader.close()
    assert seal_of(path) in {Seal.WHOLE, Seal.NONE}
    Ledger(path).close()
    assert seal_of(path) is Seal.WHOLE


def test_a_run_that_is_killed_leaves_an_unsealed_ledger_which_the_next_one_seals(path: Path) -> None:
    code = "import os, sys, pathlib; from pipelines.ledger import Ledger\nLedger(pathlib.Path(sys.argv[1])).mark_dirty('P2'); os.kill(os.getpid(), 9)"
    subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )
    assert seal_of(path) is Seal.NONE
    ledger = Ledger(path)
    assert ledger.dirty() == ["P1", "P2"]
    ledger.close()
    assert seal_of(path) is Seal.WHOLE


def test_a_ledger_of_before_there_were_seals_is_taken_as_it_is(path: Path) -> None:
    seal_file(path).unlink()
    assert seal_of(path) is Seal.NONE
    Ledger(path).close()
    assert seal_of(path) is Seal.WHOLE
