"""Erasure on a versioned study: the person is gone everywhere, everybody else is as before, whatever interrupts it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipelines.audit import open_audit
from pipelines.checkout import rebuild
from pipelines.erase import STEPS, Eraser
from pipelines.erase_traces import leftovers
from pipelines.erasure_journal import unfinished
from pipelines.errors import PainLakeError, UserError
from pipelines.faultpoints import VARIABLE
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.quarantine import Quarantine
from pipelines.receipt import receipt_file
from pipelines.repository import Repository, tag_name
from pipelines.stores import FolderStore, stores_of
from pipelines.study import Study
from pipelines.tombstone import read_tombstones
from pipelines.vault import Vault
from pipelines.verify import verify
from pipelines.warehouse import current_file, open_warehouse
from tests.pipelines.erase_factory import FILM, PERSON, WHO, erase, make, passes
from tests.pipelines.lake_factory import pseudonym, recording_name

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
OTHERS = [pseudonym(2), pseudonym(3)]


def hashes(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@dataclass(frozen=True)
class Erased:
    """A study, and a copy of it in which a person was erased."""

    before: Study
    after: Study
    receipt: dict[str, Any]


def copy(study: Study, folder: Path) -> Study:
    shutil.copytree(study.root.parent, folder, symlinks=True)
    return Study(folder / "study")


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = make(tmp_path_factory.mktemp("erase") / "before")
    made.ledger.close()
    return made.study


@pytest.fixture(scope="module")
def erased(before: Study) -> Erased:
    after = copy(before, before.root.parents[1] / "after")
    return Erased(before, after, erase(after.root))


def objects(study: Study) -> dict[str, set[str]]:
    return {store.name: store.objects() for store in stores_of(study).places}


def asked(file: Path, sql: str) -> list[Any]:
    with open_warehouse(file) as connection:
        return [row[0] for row in connection.execute(sql).fetchall()]


# --- what is gone ---


def test_the_person_is_in_no_file_of_the_study(erased: Erased) -> None:
    assert leftovers(erased.before, PERSON, [WHO, FILM], []) != []
    assert leftovers(erased.after, PERSON, [WHO, FILM], []) == []
    assert not (erased.after.lake / PERSON).exists()


def test_every_object_of_the_person_is_gone_from_cache_and_remote_and_no_other(erased: Erased) -> None:
    own = set(erased.receipt["deleted"]["objects_md5"])
    assert len(own) > 20
    for name, had in objects(erased.before).items():
        assert own <= had
        assert objects(erased.after)[name] & own == set()
        assert had - own <= objects(erased.after)[name]


def test_what_others_share_stays(erased: Erased) -> None:
    shared = set(erased.receipt["kept_since_others_share_them_md5"])
    assert shared
    assert all(shared <= had for had in objects(erased.after).values())


def test_the_vault_holds_a_tombstone_and_neither_row_nor_key_nor_file_name(erased: Erased) -> None:
    vault = Vault.open(erased.after.vault)
    assert vault.person(WHO) is None
    assert [person.pseudonym for person in vault.people] == OTHERS
    assert not [name for name in vault.names.values() if WHO in name]
    tombstone = vault.tombstone_of(WHO)
    assert tombstone is not None
    assert read_tombstones(erased.after.lake) == [tombstone]
    assert tombstone.pseudonym == PERSON


def test_what_was_set_aside_of_the_person_is_gone_line_by_line(erased: Erased) -> None:
    quarantine = Quarantine(erased.after.quarantine, Vault.open(erased.after.vault))
    kept = {path.stem: quarantine.fetch(path.stem) for path in erased.after.quarantine.glob("*.age")}
    assert len(kept) == 3
    contents = {name: content for each in kept.values() if each for name, content, _ in [each]}
    assert WHO.encode() not in b"".join(contents.values())
    assert contents["consent.csv"] == b"id;x\r\nMRN-4711002;2\r\n"
    assert contents["clinical.csv: rows"].count(b"MRN-4711002") == 1


def test_the_ledger_keeps_counts_alone_and_balances(erased: Erased) -> None:
    ledgers = [Ledger(study.ledger, read_only=True) for study in (erased.before, erased.after)]
    then, now = (counts(ledger) for ledger in ledgers)
    assert (then["landed"], then["published"], then["quarantined"], then["erased"]) == (7, 5, 2, 0)
    assert (now["landed"], now["published"], now["quarantined"], now["erased"]) == (7, 3, 1, 3)
    assert now["balanced"]
    assert now["tables"]["medications"]["landed"] == 1
    assert now["tables"]["clinical"]["quarantined"] == 1
    known = {entry.sha256 for entry in ledgers[0].deliveries("media")}
    for entry in ledgers[1].deliveries("media"):
        if entry.fate.value == "erased":
            assert (entry.participant, entry.recording, entry.reasons) == (None, None, ())
            assert entry.sha256 not in known
    for ledger in ledgers:
        ledger.close()
    assert PERSON.encode() not in erased.after.ledger.read_bytes()


def test_the_log_keeps_its_lines_without_the_pseudonym(erased: Erased) -> None:
    first, second, *_ = erased.after.log.read_text(encoding="utf-8").splitlines()
    assert first == f"INFO {'*' * len(recording_name(1, 1))} measured"
    assert second == f"INFO {recording_name(2, 1)} measured"


# --- what stays ---


def test_everybody_elses_data_are_bit_identical(erased: Erased) -> None:
    for person in OTHERS:
        assert hashes(erased.after.lake / person) == hashes(erased.before.lake / person)


def test_a_new_version_without_the_person_is_published_and_alone_stands(erased: Erased) -> None:
    assert erased.receipt["published"] == "v0003 is published without the person"
    current = current_file(erased.after.warehouse)
    assert [path.name for path in erased.after.warehouse.glob("painlake*")] == [current.name]
    assert current.name == "painlake-v0003.duckdb"
    assert asked(current, "SELECT participant FROM participants ORDER BY 1") == OTHERS
    assert asked(current, "SELECT participant FROM meta.erased") == []


@pytest.mark.parametrize("version", [1, 2])
def test_an_older_version_is_built_for_everybody_else_and_says_who_is_missing(erased: Erased, version: int) -> None:
    then = asked(rebuild(erased.before, version), "SELECT recording FROM recordings ORDER BY 1")
    file = rebuild(erased.after, version)
    now = asked(file, "SELECT recording FROM recordings ORDER BY 1")
    assert now == [name for name in then if not name.startswith(PERSON)]
    assert len(now) == version + 1
    assert asked(file, "SELECT participant FROM meta.erased") == [PERSON]
    file.unlink()


def test_plain_dvc_pull_restores_everybody_else_in_a_clone_at_an_old_tag(erased: Erased, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "--quiet", erased.after.root, tmp_path / "clone"], check=True)  # noqa: S607 - git of the PATH
    clone = Repository(tmp_path / "clone")
    clone.git("checkout", "--quiet", tag_name(1))
    (tmp_path / "remote").symlink_to(erased.after.root.parent / "remote")
    clone.dvc("pull", "--allow-missing")
    for person in OTHERS:
        had = hashes(erased.before.lake / person / "recordings")
        got = hashes(tmp_path / "clone" / "lake" / person / "recordings")
        assert got
        assert got.items() <= had.items()
    assert not list((tmp_path / "clone" / "lake" / PERSON).rglob("*.age"))


def test_verify_passes_before_and_after(erased: Erased) -> None:
    for study in (erased.before, erased.after):
        found = verify(study)
        assert found.wrong == ()
        assert found.checked["objects"] > 40


def test_verify_names_each_object_and_file_that_is_not_as_it_was(erased: Erased) -> None:
    study = copy(erased.after, erased.after.root.parents[1] / "damaged")
    cache, remote = stores_of(study).places
    assert isinstance(cache, FolderStore)
    assert isinstance(remote, FolderStore)
    rotten, lost, gone = sorted(oid for oid in cache.objects() if not oid.endswith(".dir"))[:3]
    cache.path(rotten).chmod(0o644)
    cache.path(rotten).write_bytes(b"rotten")
    cache.remove(lost)
    remote.remove(gone)
    sidecar = min((study.lake / pseudonym(2) / "recordings").glob("*.age"))
    sidecar.write_bytes(b"tampered")
    wrong = verify(study).wrong
    assert [line for line in wrong if line.startswith(f"{rotten} (") and "damaged in the cache" in line]
    assert [line for line in wrong if line.startswith(f"{lost} (") and "missing from the cache" in line]
    assert [line for line in wrong if line.startswith(f"{gone} of v0") and "missing from the remote store" in line]
    name = sidecar.relative_to(study.root)
    assert [line for line in wrong if line.startswith(f"{name} (") and "is not what the last version has" in line]
    assert len(wrong) == 4


# --- the receipt ---


def test_the_receipt_says_what_was_deleted_and_what_is_beyond_reach(erased: Erased) -> None:
    receipt = erased.receipt
    assert receipt == json.loads(receipt_file(erased.after, PERSON).read_bytes())
    assert (receipt["pseudonym"], receipt["reason"], receipt["recordings"]) == (PERSON, "asked for it", 2)
    assert receipt["deleted"]["objects_in_remote_store"] == len(receipt["deleted"]["objects_md5"])
    assert receipt["deleted"]["deliveries_of_media"] == 3
    beyond = " ".join(receipt["beyond_our_reach"])
    assert all(place in beyond for place in ("landing zone", "vault", "clones", "released before"))
    page = receipt_file(erased.after, PERSON).with_suffix(".md").read_text(encoding="utf-8")
    assert all(oid in page for oid in receipt["deleted"]["objects_md5"])
    assert WHO not in page + json.dumps(receipt)


def test_the_audit_log_tells_of_it_by_pseudonym(erased: Erased) -> None:
    lines = [json.loads(line) for line in erased.after.audit.read_bytes().splitlines()]
    told = [(line["action"], line["subject"]) for line in lines if line["action"] != "vault_opened"]
    assert told[-2:] == [("erasure_begun", PERSON), ("person_erased", PERSON)]


def test_erasing_again_changes_nothing_and_gives_the_same_receipt(erased: Erased) -> None:
    assert erase(erased.after.root) == erased.receipt
    assert unfinished(erased.after) == []


@contextmanager
def eraser_of(study: Study) -> Iterator[Eraser]:
    vault, ledger = Vault.open(study.vault), Ledger(study.ledger)
    audit = open_audit(study, vault)
    try:
        yield Eraser(study, study.params(), vault, ledger, audit, passes)
    finally:
        audit.save_head()
        audit.close()
        ledger.close()


def test_what_was_entered_is_carried_out_later_by_whoever_knows_no_id(before: Study, tmp_path: Path) -> None:
    study = copy(before, tmp_path / "entered")
    for _ in range(2):
        with eraser_of(study) as eraser:
            assert eraser.enter_id(WHO, "asked for it") == PERSON
    assert [journal.pseudonym for journal in unfinished(study)] == [PERSON]
    journals = b"".join(path.read_bytes() for path in (study.state / "erasures").iterdir())
    assert WHO.encode() not in journals
    assert (study.lake / PERSON).is_dir()
    with eraser_of(study) as eraser:
        (receipt,) = eraser.resume()
    assert receipt["pseudonym"] == PERSON
    assert leftovers(study, PERSON, [WHO, FILM], []) == []


@pytest.mark.parametrize(("who", "reason"), [("MRN-0000000", "asked for it"), (WHO, f"{WHO} asked")])
def test_what_cannot_be_erased_is_not_entered(before: Study, who: str, reason: str) -> None:
    with eraser_of(before) as eraser, pytest.raises(UserError):
        eraser.enter_id(who, reason)
    assert unfinished(before) == []


# --- wrong use ---


@pytest.mark.parametrize(
    ("who", "reason", "said"),
    [
        ("MRN-0000000", "asked for it", "the vault knows no such ID"),
        (WHO, f"{WHO} asked", "leave identities out"),
        (WHO, "as MRN-4711002 said", "leave identities out"),
    ],
)
def test_wrong_use_is_refused_and_nothing_begins(before: Study, who: str, reason: str, said: str) -> None:
    vault, ledger = Vault.open(before.vault), Ledger(before.ledger)
    audit = open_audit(before, vault)
    with pytest.raises(UserError, match=said):
        Eraser(before, before.params(), vault, ledger, audit, passes).erase_id(who, reason)
    audit.close()
    ledger.close()
    assert unfinished(before) == []
    assert Vault.open(before.vault).tombstones == []


# --- killed at any place ---


INSIDE = {
    "tombstone": ["erase.tombstone.vault"],
    "lake": ["erase.lake.folder"],
    "quarantine": ["erase.quarantine.one"],
    "cache": ["erase.cache.one"],
    "remotes": ["erase.remote.one"],
    "publish": ["version.committed", "version.published", "version.tagged"],
}
ENTERED = {"tombstone", "vault", "receipt"}
"""The place after a step is the place before the next, so these stand for all."""
POINTS = [
    point
    for name, _ in STEPS
    for point in (*INSIDE.get(name, []), f"erase.{name}.did", *([f"erase.{name}.entered"] if name in ENTERED else []))
]


def run(study: Study, point: str) -> int:
    command = [sys.executable, "-m", "tests.pipelines.erase_factory", str(study.root)]
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, VARIABLE: point, "PYTHONPATH": str(ROOT)}, check=False
    ).returncode


def end_state(study: Study) -> dict[str, Any]:
    """All that must not depend on how often the erasure was interrupted."""
    vault, ledger = Vault.open(study.vault), Ledger(study.ledger)
    quarantine = Quarantine(study.quarantine, vault)
    rows = {
        table: sorted(map(str, map(tuple, ledger._db.execute(f"SELECT {columns} FROM {table}"))))  # noqa: S608 - names below
        for table, columns in {
            "deliveries": "delivery, name_digest, stamp, sha256, participant, recording, fate, reasons",
            "table_rows": "*", "units": "*", "dirty": "*", "withdrawn": "*", "versions": "number, pushed_at IS NULL",
        }.items()
    }  # fmt: skip
    ledger.close()
    receipt = json.loads(receipt_file(study, PERSON).read_bytes())
    lock = (study.root / "dvc.lock").read_text(encoding="utf-8").split("\n  validate:")[0]
    return {
        "lake": {name: digest for name, digest in hashes(study.lake).items() if name != "tombstones.yaml"},
        "objects": objects(study),
        "rows": rows,
        "vault": (vault.people, vault.names, [(t.pseudonym, t.digest) for t in vault.tombstones]),
        "tombstones": [(t.pseudonym, t.digest) for t in read_tombstones(study.lake)],
        "quarantine": {path.stem: quarantine.fetch(path.stem) for path in study.quarantine.glob("*.age")},
        "lock": lock,
        "tags": Repository(study.root).git("tag", "--list").split(),
        "uncommitted": Repository(study.root).git("status", "--porcelain"),
        "warehouse": sorted(path.name for path in study.warehouse.iterdir()),
        "current": asked(current_file(study.warehouse), "SELECT recording FROM recordings ORDER BY 1"),
        "receipt": {key: receipt[key] for key in ("deleted", "published", "recordings", "reason")},
        "unfinished": unfinished(study),
        "wrong": verify(study).wrong,
    }


def test_an_erasure_killed_at_every_place_in_turn_comes_to_the_same_end(before: Study, erased: Erased) -> None:
    study = copy(before, before.root.parents[1] / "killed")
    died = {point: run(study, point) for point in POINTS}
    assert {point: code for point, code in died.items() if code != -signal.SIGKILL} == {}
    erase(study.root)
    assert end_state(study) == end_state(erased.after)


def test_a_remote_that_is_away_keeps_nothing_else_from_being_erased_and_is_emptied_later(
    before: Study, erased: Erased
) -> None:
    study = copy(before, before.root.parents[1] / "away")
    remote = study.root.parent / "remote"
    remote.rename(remote.with_name("elsewhere"))
    remote.write_text("a file where a folder should be", encoding="utf-8")
    with pytest.raises(PainLakeError, match="not finished"):
        erase(study.root)
    assert Vault.open(study.vault).person(WHO) is None
    assert asked(current_file(study.warehouse), "SELECT participant FROM participants ORDER BY 1") == OTHERS
    remote.unlink()
    remote.with_name("elsewhere").rename(remote)
    vault, ledger = Vault.open(study.vault), Ledger(study.ledger)
    audit = open_audit(study, vault)
    (receipt,) = Eraser(study, study.params(), vault, ledger, audit, passes).resume()
    ledger.close()
    audit.close()
    assert receipt["deleted"]["objects_md5"] == erased.receipt["deleted"]["objects_md5"]
    assert "without it" in " ".join(receipt["searched"])
    assert verify(study).wrong == ()


def test_a_vault_restored_from_before_forgets_the_person_again(erased: Erased) -> None:
    study = copy(erased.after, erased.after.root.parents[1] / "restored")
    shutil.copy(erased.before.vault / "vault.age", study.vault / "vault.age")
    vault, ledger = Vault.open(study.vault), Ledger(study.ledger)
    audit = open_audit(study, vault)
    assert vault.person(WHO) is not None
    Eraser(study, study.params(), vault, ledger, audit, passes).resume()
    ledger.close()
    audit.close()
    again = Vault.open(study.vault)
    assert again.person(WHO) is None
    assert again.tombstone_of(WHO) is not None
