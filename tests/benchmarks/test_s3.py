"""The benchmark's command: what it prints and writes. What it measures needs a server and a quiet minute."""

import json
from pathlib import Path

import pytest

from benchmarks import s3
from benchmarks.report import Part, Table

FIGURE = s3.Figure("read large", 0.5, 100, {"GET": 13, "LIST": 1})


def test_a_row_has_the_rate_and_the_requests_by_kind() -> None:
    assert FIGURE.row == ["read large", "0.50", "200", "14", "13 GET, 1 LIST"]
    assert s3.Figure("list", 0.5, 0, {}).row[2] == "."


def test_it_prints_its_table_and_writes_json_with_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    part = Part((Table("S3", "Note.", ("work",), (("read large",),)),), {"s3": [1]})
    monkeypatch.setattr(s3, "measure", lambda: part)
    assert s3.main(["--json", str(tmp_path / "s3.json")]) == 0
    assert "S3\nNote.\nwork" in capsys.readouterr().out
    data = json.loads((tmp_path / "s3.json").read_text(encoding="utf-8"))
    assert data["s3"] == [1]
    assert data["machine"]["cores"] >= 1


def test_a_folder_that_is_not_there_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(SystemExit) as stopped:
        s3.main(["--json", str(tmp_path / "nowhere" / "s3.json")])
    assert stopped.value.code == 2
