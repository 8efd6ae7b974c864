"""The benchmark's command, its document, and that `au_support` quotes it rightly."""

import json
import re
from pathlib import Path

import pytest

from benchmarks import accuracy
from benchmarks.report import Part, Table, signed
from pipelines.action_units import support

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "accuracy.md"
GOOD = Part(
    (Table("A table", "Of figures.", ("unit", "rise"), (("AU04", "+1.5"), ("AU06", "."))),),
    {"rise": 1.5, "unknown": float("nan")},
)
BAD = Part(GOOD.tables, {}, passed=False)


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Part]:
    found = {"warps": GOOD, "identity": GOOD}
    monkeypatch.setattr(accuracy, "PARTS", {name: lambda name=name: found[name] for name in found})
    return found


def test_it_prints_its_tables_and_writes_them_where_asked(
    parts: dict[str, Part], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parts
    files = tmp_path / "a.json", tmp_path / "a.md"
    assert accuracy.main(["--json", str(files[0]), "--markdown", str(files[1])]) == 0
    assert "A table\nOf figures.\nunit  rise" in capsys.readouterr().out
    data = json.loads(files[0].read_text())
    assert data["warps"] == {"passed": True, "rise": 1.5, "unknown": None}
    assert data["machine"]["cores"] >= 1
    document = files[1].read_text()
    assert "### A table\n\nOf figures.\n\n| unit | rise |\n|---|--:|\n| AU04 | +1.5 |" in document
    assert "never edited by hand" in document


def test_one_part_can_be_asked_for(parts: dict[str, Part], capsys: pytest.CaptureFixture[str]) -> None:
    parts["warps"] = BAD
    assert accuracy.main(["--part", "identity"]) == 0
    assert capsys.readouterr().out.count("A table") == 1


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(
    parts: dict[str, Part], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parts
    with pytest.raises(SystemExit) as stopped:
        accuracy.main(["--json", str(tmp_path / "nowhere" / "a.json")])
    assert stopped.value.code == 2
    told = capsys.readouterr()
    assert "there is no folder" in told.err
    assert "A table" not in told.out


def test_what_must_be_exact_and_is_not_fails(parts: dict[str, Part], capsys: pytest.CaptureFixture[str]) -> None:
    parts["identity"] = BAD
    assert accuracy.main([]) == 1
    assert "identity" in capsys.readouterr().err


def test_a_difference_has_its_sign_and_nothing_is_a_dot() -> None:
    assert [signed(value) for value in (1.25, -0.31, 0.04, -0.04, float("nan"))] == ["+1.2", "-0.3", ".", ".", "NULL"]


def crossed() -> dict[str, dict[str, str]]:
    """The document's matrix: by movement and measure, what is printed."""
    lines = iter(DOCUMENT.read_text(encoding="utf-8").splitlines())
    header = next(line for line in lines if line.startswith("| movement | AU01"))
    names = [cell.strip() for cell in header.strip("|").split("|")]
    next(lines)
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        cells = dict(zip(names, [cell.strip() for cell in line.strip("|").split("|")], strict=True))
        rows[cells.pop("movement")] = cells
    return rows


def test_the_document_is_linked_from_the_readme_and_has_every_part() -> None:
    assert "docs/accuracy.md" in (ROOT / "README.md").read_text(encoding="utf-8")
    text = DOCUMENT.read_text(encoding="utf-8")
    assert all(f"## {title}\n" in text for title in accuracy._TITLES.values())


def test_what_au_support_says_of_synthetic_movements_is_what_the_document_has() -> None:
    matrix = crossed()
    stated = {}
    for unit, caveat in support().select("action_unit", "caveat").iter_rows():
        stated[unit] = re.findall(r"(AU\d\d) ([+-]\d\.\d)", caveat.partition("Synthetic movements of a face")[2])
    for unit, told in stated.items():
        if unit == "AU28":
            continue
        notable = [
            (movement, cells[unit])
            for movement, cells in matrix.items()
            if movement != "at rest" and cells[unit] != "." and abs(float(cells[unit])) >= 0.5
        ]
        assert told == notable, f"{unit}: pipelines/au_response.py should have {notable}"
