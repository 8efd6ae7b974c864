"""Texts planted in every place of recordings are in no file that the study keeps, published or not."""

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl
import pyrage
import pytest

from pipelines.recording import Recording
from pipelines.study import Study
from pipelines.vault import Vault
from tests.flows.conftest import painlake, status
from tests.flows.hospital import Delivery, deliver, register
from tests.pipelines.canary_factory import FILES

pytestmark = pytest.mark.slow

PEOPLE = {name: f"PT-{number}" for number, name in enumerate(FILES, 8101)}
AGE = b"age-encryption.org/v1"


@dataclass(frozen=True)
class Ingested:
    """A study after a night of planted recordings."""

    study: Study
    landing: Path
    prefect: Path
    said: str


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory, prefect_server: dict[str, str]) -> Ingested:
    folder = tmp_path_factory.mktemp("canaries")
    landing, root = folder / "hospital", folder / "study"
    said = painlake("init", root, "--landing", landing, "--remote", folder / "remote").stdout
    study = Study(root)
    text = study.params_file.read_text(encoding="utf-8")
    for kind in ("audio", "video"):
        # One of the planted recordings has sound alone, two have none.
        text = text.replace(f"require_{kind}: true", f"require_{kind}: false")
    study.params_file.write_text(text, encoding="utf-8")
    register(landing, *PEOPLE.values())
    for name, make in FILES.items():
        planted = make()
        deliver(landing, Delivery(PEOPLE[name], "V1", f"{name}{planted.suffix}", planted.media, tasks=()))
    done = painlake("ingest", "--json", "--study", root, env=prefect_server)
    return Ingested(study, landing, Path(prefect_server["PREFECT_HOME"]), said + done.stdout + done.stderr)


@pytest.fixture(scope="module")
def wanted() -> dict[bytes, str]:
    """The first eight bytes of every planted text, since a part of one is already too much; and where it stood."""
    return {text[:8]: f"{name}: {place}" for name, make in FILES.items() for place, text in make().places.items()}


def everything(ingested: Ingested) -> Iterator[tuple[str, bytes]]:
    """What the run said and every file, as it lies and, where it is compressed or encrypted, opened."""
    study = ingested.study
    vault = Vault.open(study.vault)
    identities = [pyrage.x25519.Identity.from_str(person.identity) for person in vault.people]
    yield "the output", ingested.said.encode()
    for folder in (study.root, study.root.parent / "remote", ingested.prefect):
        for path in folder.rglob("*"):
            if not path.is_file() or path.is_relative_to(study.vault):
                continue
            content = path.read_bytes()
            yield str(path), content
            # What is set aside is sealed with the vault's own key, as it was delivered.
            if content.startswith(AGE) and not path.is_relative_to(study.quarantine):
                yield f"{path} decrypted", pyrage.decrypt(content, identities)
            if content[:4] == b"PAR1":
                yield f"{path} read", pl.read_parquet(path).write_json().encode()
    objects = ["git", "cat-file", "--batch-all-objects", "--batch"]
    yield "git's objects", subprocess.run(objects, cwd=study.root, capture_output=True, check=True).stdout
    with duckdb.connect(str(study.warehouse / "current"), read_only=True) as db:
        for schema, table in db.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            yield f"{schema}.{table}", db.sql(f'FROM "{schema}"."{table}"').pl().write_json().encode()


def test_every_planted_recording_is_published(ingested: Ingested) -> None:
    state = status(ingested.study.root)
    assert (state["published"], state["quarantined"], state["balanced"]) == (len(FILES), 0, True)
    sidecars = [Recording.read(path) for path in ingested.study.lake.rglob("recordings/*.json")]
    assert len(sidecars) == len(FILES)


def test_no_canary_is_in_anything_that_the_study_keeps(ingested: Ingested, wanted: dict[bytes, str]) -> None:
    pattern = re.compile(b"|".join(re.escape(text) for text in wanted))
    delivered = b"".join(path.read_bytes() for path in ingested.landing.rglob("*") if path.is_file())
    assert {wanted[text] for text in set(pattern.findall(delivered))} == set(wanted.values())
    opened = {"decrypted": 0, "read": 0, "else": 0}
    for where, content in everything(ingested):
        found = pattern.search(content)
        assert found is None, f"{wanted[found[0]]} is in {where}"
        assert b"Grootenboer" not in content, where
        kind = where.rsplit(" ", 1)[-1]
        opened[kind if kind in opened else "else"] += 1
    # Each recording lies in the lake, in DVC's cache and at the remote.
    assert opened["decrypted"] >= 3 * len(FILES)
    assert opened["read"] >= 3 * len(FILES)
    assert (ingested.prefect / "prefect.db").is_file()
