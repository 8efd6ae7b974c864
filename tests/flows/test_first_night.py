"""The main job: a landing zone with sound and broken deliveries becomes a published, versioned dataset."""

import ast
import filecmp
import json
import os
import re
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.ledger import Ledger
from pipelines.vault import Vault
from schemas.faults import FAULTS, Effect
from schemas.tables import TABLES
from tests.flows.conftest import FirstNight, ask, painlake, status

LOOPBACK = re.compile(r"^(127\.|::1$|localhost$|0\.0\.0\.0$|::$)")


def test_every_delivery_has_the_fate_that_was_planted_for_it(first_night: FirstNight) -> None:
    vault = Vault.open(first_night.study.vault)
    ledger = Ledger(first_night.study.ledger, read_only=True)
    found = {}
    for entry in ledger.deliveries("media"):
        codes = [code for code in entry.codes if FAULTS[code].effect is not Effect.FLAG]
        found[vault.name_of(entry.delivery)] = codes[0] if codes else entry.fate.value
    ledger.close()
    assert found == first_night.zone.deliveries


def test_the_counts_add_up(first_night: FirstNight) -> None:
    state = status(first_night.study.root)
    fates = ("published", "quarantined", "deferred", "duplicate", "erased")
    assert state["balanced"] is True
    assert state["landed"] == sum(state[fate] for fate in fates) == len(first_night.zone.deliveries)
    assert state["published"] == first_night.zone.healthy
    assert state["tables"] == first_night.zone.rows
    assert state["version"] == "v0001"


def test_the_warehouse_has_every_declared_table_and_column(first_night: FirstNight) -> None:
    with duckdb.connect(str(first_night.study.warehouse / "current"), read_only=True) as db:
        found = {
            (schema, table): columns
            for schema, table, columns in db.execute(
                "SELECT schema_name, table_name, list(column_name ORDER BY column_index) "
                "FROM duckdb_columns() WHERE NOT internal GROUP BY ALL"
            ).fetchall()
        }
    for table in TABLES.values():
        assert found[table.schema, table.name] == list(table.names)


def test_each_recording_has_frames_voice_and_a_common_grid(first_night: FirstNight) -> None:
    rows = ask(
        first_night.study.root,
        """SELECT recording, duration_s, fps,
                  (SELECT count(*) FROM au_frames f WHERE f.recording = r.recording) AS frames,
                  (SELECT count(*) FROM voice_frames v WHERE v.recording = r.recording) AS voice,
                  (SELECT count(*) FROM voice_functionals v WHERE v.recording = r.recording) AS functionals,
                  (SELECT count(*) FROM aligned_frames a WHERE a.recording = r.recording) AS steps
           FROM recordings r""",
    )
    assert len(rows) == first_night.zone.healthy
    for row in rows:
        assert row["frames"] == pytest.approx(row["duration_s"] * 25, abs=2)
        assert row["voice"] == pytest.approx(row["duration_s"] * 100, abs=10)
        assert row["functionals"] == 3
        assert row["steps"] == pytest.approx(row["duration_s"] * 25, abs=2)


def test_recording_features_brings_person_pain_and_measurements_together(first_night: FirstNight) -> None:
    rows = ask(first_night.study.root, "FROM recording_features")
    assert len(rows) == 3 * first_night.zone.healthy
    assert {row["task"] for row in rows} == {"whole", "reading", "free_speech"}
    for row in rows:
        assert row["nrs_now"] is not None
        assert abs(row["nrs_lag_min"]) <= 24 * 60
        assert (row["nrs_now"] == 0) == (row["group"] == "control")
        assert row["pspi_mean"] is not None


def test_no_identifier_is_anywhere_outside_landing_and_vault(first_night: FirstNight) -> None:
    wanted = [text.encode() for text in first_night.zone.identifiers]
    seen = 0
    for where, content in _everything(first_night):
        seen += 1
        leaked = [text for text in wanted if text in content]
        assert not leaked, f"{where} holds {leaked[0]!r}"
    assert seen > 100
    assert (first_night.study.state / "prefect" / "prefect.db").is_file()
    assert first_night.study.log.stat().st_size > 0


def _everything(night: FirstNight) -> Iterator[tuple[str, bytes]]:
    """Every file as it lies and, where it is compressed, unpacked; the output of the run; every text in DuckDB."""
    yield "the output", night.said.encode()
    for folder in (night.study.root, night.remote):
        for path in folder.rglob("*"):
            if not path.is_file() or path.is_relative_to(night.study.vault):
                continue
            content = path.read_bytes()
            yield str(path), content
            if path.is_relative_to(night.study.root / ".git" / "objects") and len(path.parent.name) == 2:
                yield f"{path} unpacked", zlib.decompress(content)
            if content[:4] == b"PAR1":
                yield f"{path} read", pl.read_parquet(path).write_json().encode()
    with duckdb.connect(str(night.study.warehouse / "current"), read_only=True) as db:
        for schema, table in db.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            if table not in {"au_frames", "voice_frames", "aligned_frames"}:
                yield table, str(db.execute(f'FROM "{schema}"."{table}"').fetchall()).encode()


def test_a_whole_run_connects_to_loopback_alone(first_night: FirstNight) -> None:
    assert first_night.connections, "nothing was watched: even Prefect's own server is reached by a connection"
    for line in first_night.connections:
        event, address = line.split("\t", 1)
        if address.startswith(("'/", "b'/", "''")):
            continue  # a socket in the file system
        host = ast.literal_eval(address)[0]
        assert host is None or LOOPBACK.match(host if isinstance(host, str) else host.decode()), f"{event} {address}"


def test_dvc_has_nothing_to_do_and_the_remote_has_it_all(first_night: FirstNight) -> None:
    assert "up to date" in _dvc(first_night.study.root, "status")
    assert "in sync" in _dvc(first_night.study.root, "status", "--cloud")
    repro = _dvc(first_night.study.root, "repro")
    assert "Running stage" not in repro
    assert "up to date" in repro
    assert _git(first_night.study.root, "status", "--porcelain") == ""
    assert _git(first_night.study.root, "tag") == "dataset-v0001\n"


def test_a_clone_without_features_makes_them_again_bit_for_bit(first_night: FirstNight, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    _git(tmp_path, "clone", "--quiet", str(first_night.study.root), str(clone))
    shutil.copytree(first_night.study.vault, clone / "vault")
    person = min(path.parent.name for path in first_night.study.lake.glob("P*/recordings"))
    _dvc(clone, "pull", f"lake/{person}/recordings.dvc")
    done = _dvc(clone, "repro", f"align@{person}", f"quality@{person}")
    assert done.count("Running stage") == 4
    for stage in ("quality", "face", "voice", "aligned"):
        original, again = first_night.study.lake / person / stage, clone / "lake" / person / stage
        names = sorted(path.name for path in original.glob("*.parquet"))
        assert names
        same, differing, missing = filecmp.cmpfiles(original, again, names, shallow=False)
        assert (sorted(same), differing, missing) == (names, [], [])
    assert _git(clone, "status", "--porcelain") == ""


def test_nothing_new_makes_no_version_and_starts_no_prefect(first_night: FirstNight) -> None:
    before = _git(first_night.study.root, "rev-parse", "HEAD")
    done = painlake("ingest", "--json", "--study", first_night.study.root)
    assert json.loads(done.stdout)["outcome"] == "nothing new"
    assert "Prefect" not in done.stderr
    assert _git(first_night.study.root, "rev-parse", "HEAD") == before


def test_the_log_has_codes_and_pseudonyms(first_night: FirstNight) -> None:
    log = first_night.study.log.read_text(encoding="utf-8")
    assert "set aside: TRUNCATED" in log
    assert "dataset-v0001 published" in log


def _dvc(folder: Path, *arguments: str) -> str:
    return _run(folder, sys.executable, "-m", "dvc", *arguments)


def _git(folder: Path, *arguments: str) -> str:
    return _run(folder, "git", *arguments)


def _run(folder: Path, *command: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
