"""From a pseudonym back to a person without the vault: what somebody with lake and warehouse can try, and fails at."""

import hashlib
import hmac
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.ledger import Ledger
from pipelines.parquet import read_provenance
from pipelines.publish import VersionRecord, publish
from pipelines.recording import Recording
from pipelines.study import Study, make_study, template
from pipelines.vault import Vault
from schemas.aligned import ALIGNED_FRAMES
from schemas.core import Table
from schemas.face import AU_FRAMES
from schemas.quality import QUALITY_MEASURES
from schemas.voice import VOICE_FRAMES, VOICE_FUNCTIONALS
from tests.pipelines.lake_factory import write_feature
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4

IDS = [f"MRN-471100{number}" for number in range(6)]
"""Everyone's ID, in the hospital's order: what an attacker from the hospital knows beforehand."""
BIRTHS = [f"19{50 + number}-0{number + 1}-1{number}" for number in range(6)]
NOBODY = 65534
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Seen:
    """All that can be read without the vault: every name, every text in a table, every file as it lies."""

    names: list[str]
    texts: set[str]
    raw: bytes
    participants: list[str]

    @cached_property
    def pieces(self) -> set[str]:
        """Every run of 8 and of 12 letters and digits: long enough that none is the same by chance."""
        everything = "\n".join((*self.names, *self.texts, self.raw.decode("latin-1"))).upper()
        words = set(re.findall(r"[0-9A-Z]{8,}", everything))
        return {word[at : at + length] for word in words for length in (8, 12) for at in range(len(word) - length + 1)}

    def holds(self, text: str) -> bool:
        in_texts = any(text.lower() in each.lower() for each in (*self.names, *self.texts))
        return in_texts or text.encode() in self.raw or text.lower().encode() in self.raw


def take_in(study: LightStudy, hospital: Hospital) -> list[Recording]:
    """Six people with a recording each, through the real landing."""
    for number, (one, birth) in enumerate(zip(IDS, BIRTHS, strict=True)):
        hospital.admit(one, birth_date=birth)
        hospital.film(small_mp4(40 + 20 * number), f"{one} film.mp4", participant_id=one)
        hospital.score("6", participant_id=one)
    recordings = study.night()
    assert len(recordings) == len(IDS)
    return recordings


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Those people's lake, with features as the stages write them, and the warehouse made of it."""
    paths = Study(tmp_path_factory.mktemp("reidentification") / "study")
    paths.root.mkdir()
    shutil.copyfile(template("params.yaml"), paths.params_file)
    study = LightStudy(paths, Vault.create(paths.vault), Ledger(paths.ledger), paths.params())
    for each in take_in(study, Hospital(paths.root / "landing")):
        rows: list[tuple[Table, dict[str, object]]] = [
            (QUALITY_MEASURES, {"measure": "fps", "unit": "Hz", "value": 25.0, "status": "info"}),
            (AU_FRAMES, {"frame": 0, "timestamp_s": 0.0}),
            (VOICE_FRAMES, {"frame": 0, "timestamp_s": 0.0}),
            (VOICE_FUNCTIONALS, {"task": "whole", "start_s": 0.0, "end_s": 0.3, "feature_set": "eGeMAPSv02", "cause": None}),
            (ALIGNED_FRAMES, {"t_s": 0.0}),
        ]  # fmt: skip
        for table, row in rows:
            write_feature(study.study.lake, each.recording, table, [row])
    publish(paths.lake, paths.warehouse, VersionRecord(1, "0.1.0"), [], study.params.publish)
    study.ledger.close()
    return paths


@pytest.fixture(scope="module")
def seen(published: Study) -> Seen:
    names, texts, raw = [], set(), b""
    for folder in (published.lake, published.warehouse):
        for path in sorted(folder.rglob("*")):
            names.append(str(path.relative_to(folder)))
            if not path.is_file():
                continue
            raw += path.read_bytes()
            if path.suffix == ".parquet":
                frame = pl.read_parquet(path)
                texts |= {str(value) for column in frame.iter_columns() for value in column.unique()}
                texts.add(str(read_provenance(path)))
            elif path.suffix == ".json":
                texts.add(path.read_text())
    with duckdb.connect(str(published.warehouse / "current"), read_only=True) as db:
        for schema, table in db.execute("SELECT schema_name, table_name FROM duckdb_tables()").fetchall():
            texts |= {str(value) for row in db.execute(f'FROM "{schema}"."{table}"').fetchall() for value in row}
        participants = [row[0] for row in db.execute("SELECT participant FROM participants").fetchall()]
    return Seen(names, texts, raw, participants)


def derived(secret: bytes) -> Iterator[str]:
    """What somebody could have made of a text: digests of it, and the beginnings of names of our form."""
    keys = [b"", b"painlake", b"PainLake", b"PainLake study", b"label", b"name", b"secret", b"0" * 32]
    digests = [
        hashlib.new(name, secret).digest() for name in ("md5", "sha1", "sha256", "sha512", "blake2b", "sha3_256")
    ]
    digests += [hmac.new(key, secret, name).digest() for key in keys for name in ("md5", "sha1", "sha256")]
    for digest in digests:
        yield digest.hex()[:12].upper()
        number = int.from_bytes(digest[:16])
        for body in (
            "".join(CROCKFORD[(number >> (5 * place)) & 31] for place in range(8)),
            "".join(CROCKFORD[byte & 31] for byte in digest[:8]),
            "".join(CROCKFORD[byte >> 3] for byte in digest[:8]),
        ):
            yield body
            yield f"P{body[:7]}"


def test_the_attack_would_find_what_is_there(seen: Seen) -> None:
    """Else the tests below could not fail."""
    assert len(seen.participants) == len(IDS)
    assert all(seen.holds(one) for one in seen.participants)
    assert seen.holds("breast")
    assert {one[:8] for one in seen.participants} | {one[1:9] for one in seen.participants} <= seen.pieces
    assert len(seen.names) > 10 * len(IDS)


def test_no_id_and_nothing_made_of_one_is_in_lake_or_warehouse(seen: Seen) -> None:
    for number, one in enumerate(IDS):
        for text in (one, one.lower(), one.removeprefix("MRN-"), str(number)):
            for salted in (text, f"name\x1frecordings/{text}", f"{text}\n"):
                assert not seen.pieces.intersection(derived(salted.encode())), text
        assert not seen.holds(one)
        assert not seen.holds(one.removeprefix("MRN-"))


def test_there_is_no_date_to_join_on(seen: Seen) -> None:
    date_like = re.compile(r"\b(19|20)\d\d-\d\d-\d\d|\b\d\d-\d\d-(19|20)\d\d|\b(19|20)\d\d/\d\d/\d\d")
    assert [text for text in (*seen.names, *seen.texts) if date_like.search(text)] == []
    for known in (*BIRTHS, "2026-03-15", "2026-03-01", "20260315"):
        assert not seen.holds(known)


def test_no_column_is_a_date_or_a_year_of_birth(published: Study, seen: Seen) -> None:
    with duckdb.connect(str(published.warehouse / "current"), read_only=True) as db:
        columns = db.execute("SELECT column_name, data_type FROM duckdb_columns() WHERE NOT internal").fetchall()
    assert [name for name, kind in columns if kind.startswith(("DATE", "TIME"))] == []
    assert not {"birth_date", "birth_year", "participant_id", "recorded_at", "enrolled_at"} & {n for n, _ in columns}
    for birth in BIRTHS:
        assert birth[:4] not in seen.texts


def test_neither_the_order_of_rows_nor_that_of_files_is_the_hospitals(published: Study, seen: Seen) -> None:
    assert seen.participants == sorted(seen.participants)
    written = {path.parent.parent.name: path.stat().st_mtime_ns
               for path in published.lake.glob("P*/clinical/participants.parquet")}  # fmt: skip
    by_time = sorted(written, key=lambda name: (written[name], name))
    assert by_time == sorted(written)


def test_two_vaults_give_the_same_people_other_names(study: LightStudy, hospital: Hospital, tmp_path: Path) -> None:
    take_in(study, hospital)
    first = {path.name for path in study.study.lake.rglob("*") if "P" in path.name}
    shutil.rmtree(study.study.lake)
    study.ledger.close()
    study.study.ledger.unlink()
    other = LightStudy(study.study, Vault.create(tmp_path / "other"), Ledger(study.study.ledger), study.params)
    assert len(other.night()) == len(IDS)
    second = {path.name for path in study.study.lake.rglob("*") if "P" in path.name}
    other.ledger.close()
    assert len(second) >= 3 * len(IDS)
    assert not first & second


# --- the file system ---


@pytest.fixture
def shared_study() -> Iterator[Study]:
    """A study as `painlake init` makes it, where other accounts can get to it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    umask = os.umask(0o022)
    try:
        study = make_study(folder / "study", None, None)
        Vault.open(study.vault).save()
        lake_file = study.lake / "P7K3M9QXA0" / "clinical" / "participants.parquet"
        lake_file.parent.mkdir(parents=True)
        lake_file.write_bytes(b"rows")
        (study.warehouse / "current").write_bytes(b"rows")
        (study.quarantine / "D1.age").write_bytes(b"sealed")
        for name in ("ledger.sqlite", "audit.log", "painlake.log"):
            (study.state / name).write_bytes(b"state")
        yield study
    finally:
        os.umask(umask)
        shutil.rmtree(folder)


def what_nobody_can(paths: list[Path]) -> list[str]:
    """What an account without rights gets from each path: 'read', 'listed', or the name of the error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing but the operating system from here on: the parent's threads are not in the child.
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            for path in paths:
                try:
                    if path.is_dir():
                        list(path.iterdir())
                        result = "listed"
                    else:
                        os.close(os.open(path, os.O_RDONLY))
                        result = "read"
                except OSError as error:
                    result = type(error).__name__
                os.write(writing, f"{result}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answers:
        results = answers.read().split()
    os.waitpid(child, 0)
    return results


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_account_reads_lake_and_warehouse_and_neither_vault_nor_state(shared_study: Study) -> None:
    study = shared_study
    opened = [study.lake / "P7K3M9QXA0" / "clinical" / "participants.parquet", study.warehouse / "current"]
    assert what_nobody_can([*opened, study.lake]) == ["read", "read", "listed"]
    closed = [
        study.vault, study.vault / "vault.age", study.vault / "master.key",
        study.state, study.ledger, study.audit, study.log, study.quarantine, study.quarantine / "D1.age",
    ]  # fmt: skip
    assert set(what_nobody_can(closed)) == {"PermissionError"}
