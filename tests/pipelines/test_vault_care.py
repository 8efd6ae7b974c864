"""Making, checking, rotating and backing up the vault; a kill at any step leaves one that opens."""

import json
import os
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from pipelines.audit import read_audit, verify
from pipelines.errors import RunInProgressError, UserError
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.vault_care import back_up, check_vault, make_vault, rotate_key
from pipelines.vault_key import KEY_FILE_VARIABLE, KEY_VARIABLE, key_id, new_key, read_key, write_key
from pipelines.vault_records import Backup
from tests.pipelines.landing_factory import LightStudy

ROOT = Path(__file__).parents[2]
DAY = date(2026, 3, 1)


@pytest.fixture
def opened(study: LightStudy) -> Study:
    """A study whose vault knows one person."""
    study.vault.enrol("MRN-4711007", DAY, {})
    study.vault.save()
    return study.study


def ids(study: Study) -> list[str]:
    return [person.participant_id for person in Vault.open(study.vault).people]


def actions(study: Study) -> list[str]:
    return [entry["action"] for entry in read_audit(study)]


# --- init ---


def test_a_study_without_a_vault_gets_one(tmp_path: Path) -> None:
    study = Study(tmp_path)
    assert "master.key" in make_vault(study)
    assert Vault.open(study.vault).people == []
    assert actions(study) == ["vault_made"]
    with pytest.raises(UserError, match="holds a vault already"):
        make_vault(study)


def test_people_in_the_lake_are_never_given_a_vault_that_does_not_know_them(tmp_path: Path) -> None:
    (tmp_path / "lake" / "P7K3M9QXA0").mkdir(parents=True)
    with pytest.raises(UserError, match="mount the one that does"):
        make_vault(Study(tmp_path))


# --- check ---


def test_a_sound_vault_has_no_problems_and_names_nobody(opened: Study) -> None:
    found = check_vault(opened)
    assert (found["opens"], found["people"], found["pseudonyms"], found["problems"]) == (True, 1, 1, [])
    assert found["key_beside_vault"] is True
    assert len(found["advice"]) == 2
    assert "MRN-4711007" not in json.dumps(found)


def test_a_wrong_check_character_a_spoilt_key_and_a_double_are_found(study: LightStudy) -> None:
    one, other, third = (study.vault.enrol(name, DAY, {}) for name in ("1", "2", "3"))
    other.pseudonym = one.pseudonym
    third.pseudonym = third.pseudonym[:-1] + ("1" if third.pseudonym[-1] == "0" else "0")
    third.identity = "no key"
    study.vault.save()
    found = check_vault(study.study)["problems"]
    assert [problem.split()[-1] for problem in found] == ["character", "IdentityError", "pseudonym"]


def test_backups_are_looked_for_opened_and_reminded_of(opened: Study, tmp_path: Path) -> None:
    (tmp_path / "safe").mkdir()
    kept = back_up(opened, tmp_path / "safe" / "kept.age", 30)
    lost = back_up(opened, tmp_path / "safe" / "lost.age", 30)
    Path(lost.file).unlink()
    vault = Vault.open(opened.vault)
    past = (datetime.now(tz=UTC) - timedelta(days=1)).isoformat()
    vault.backups = [Backup(kept.file, kept.made_at, past, kept.key_id), lost]
    vault.save()
    found = check_vault(opened)
    assert [(b["found"], b["opens"], b["overdue"]) for b in found["backups"]] == [(True, True, True), (False,) * 3]
    assert any("1 backups are kept longer" in line for line in found["advice"])


def test_all_hold_the_study(opened: Study, tmp_path: Path) -> None:
    with opened.held():
        for command in (
            lambda: check_vault(opened),
            lambda: rotate_key(opened, None),
            lambda: back_up(opened, tmp_path / "copy.age", 1),
            lambda: make_vault(opened),
        ):
            with pytest.raises(RunInProgressError):
                command()


# --- rotate ---


def test_after_a_rotation_only_the_new_key_opens_the_vault(opened: Study) -> None:
    key_file = opened.vault / "master.key"
    old = read_key(key_file)
    done = rotate_key(opened, None)
    new = read_key(key_file)
    assert (new != old, done.to_name, done.old_backups) == (True, False, 0)
    assert ids(opened) == ["MRN-4711007"]
    assert sorted(path.name for path in opened.vault.iterdir()) == ["master.key", "vault.age"]
    write_key(key_file, old)
    with pytest.raises(UserError, match="does not open"):
        Vault.open(opened.vault)
    write_key(key_file, new)
    assert actions(opened) == ["vault_rotating", "vault_rotated"]
    assert verify(opened, Vault.open(opened.vault)).problem is None


def test_a_key_that_cannot_be_written_to_asks_for_a_file(
    opened: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = read_key(opened.vault / "master.key")
    (opened.vault / "master.key").unlink()
    monkeypatch.setenv(KEY_VARIABLE, key)
    before = (opened.vault / "vault.age").read_bytes()
    with pytest.raises(UserError, match="--new-key-file"):
        rotate_key(opened, None)
    assert (opened.vault / "vault.age").read_bytes() == before
    elsewhere = tmp_path / "new.key"
    assert rotate_key(opened, elsewhere).to_name
    assert elsewhere.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UserError, match="does not open"):
        Vault.open(opened.vault)
    with pytest.raises(UserError, match="have the environment name it"):
        rotate_key(opened, elsewhere)
    monkeypatch.delenv(KEY_VARIABLE)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(elsewhere))
    assert ids(opened) == ["MRN-4711007"]


def test_a_new_key_that_a_killed_rotation_wrote_is_taken(opened: Study, tmp_path: Path) -> None:
    written = new_key()
    write_key(tmp_path / "new.key", written)
    rotate_key(opened, tmp_path / "new.key")
    assert read_key(tmp_path / "new.key") == written
    sealed = (opened.vault / "vault.age").read_bytes()
    assert Vault.opened(opened.vault, sealed, written) is not None


ROTATE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.vault_care import rotate_key

study = Study(Path(sys.argv[1]))

def rotate_until(step):
    seen = 0
    def watch(event, arguments):
        nonlocal seen
        if event in ("open", "os.rename", "os.chmod", "os.remove") and str(arguments[0]).startswith(str(study.root)):
            seen += 1
            if seen == step:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(watch)
    rotate_key(study, None)

for step in range(1, 100):
    child = os.fork()
    if child == 0:
        rotate_until(step)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert [person.participant_id for person in Vault.open(study.vault).people] == ["MRN-4711007"], step
    if status == 0:
        print(step - 1)
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
"""


def test_a_kill_at_any_step_of_a_rotation_leaves_a_vault_that_opens(opened: Study) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ROTATE_AND_DIE, str(opened.root)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 12, "it was to be killed at every step"
    found = check_vault(opened)
    assert (found["rotation_unfinished"], found["problems"]) == (False, [])
    assert sorted(path.name for path in opened.vault.iterdir()) == ["master.key", "vault.age"]
    assert verify(opened, Vault.open(opened.vault)).problem is None


# --- backup ---


def test_a_backup_is_the_vault_without_its_key_and_the_vault_knows_of_it(opened: Study, tmp_path: Path) -> None:
    safe = tmp_path / "safe"
    safe.mkdir()
    done = back_up(opened, safe, 30)
    (copy,) = safe.iterdir()
    key = read_key(opened.vault / "master.key")
    assert (done.file, done.key_id) == (str(copy), key_id(key))
    assert copy.stat().st_mode & 0o777 == 0o600
    assert datetime.fromisoformat(done.keep_until) - datetime.fromisoformat(done.made_at) == timedelta(days=30)
    restored = Vault.opened(safe, copy.read_bytes(), key)
    assert restored is not None
    assert restored.backups == Vault.open(opened.vault).backups == [done]
    assert [person.participant_id for person in restored.people] == ["MRN-4711007"]
    assert actions(opened) == ["vault_backed_up"]


def test_a_backup_of_before_a_rotation_needs_the_old_key(opened: Study, tmp_path: Path) -> None:
    back_up(opened, tmp_path / "copy.age", 30)
    assert rotate_key(opened, None).old_backups == 1
    (backup,) = check_vault(opened)["backups"]
    assert (backup["found"], backup["opens"]) == (True, False)


@pytest.mark.parametrize("dest", ["study/vault/copy.age", "study/copy.age", "missing/copy.age", "taken.age"])
def test_a_place_that_makes_no_backup_is_refused(opened: Study, tmp_path: Path, dest: str) -> None:
    (tmp_path / "taken.age").write_bytes(b"another")
    with pytest.raises(UserError):
        back_up(opened, tmp_path / dest, 30)
    assert (tmp_path / "taken.age").read_bytes() == b"another"
    assert Vault.open(opened.vault).backups == []


def test_a_backup_that_fails_is_not_counted_as_one(
    opened: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.vault_care.write_durably", full)
    with pytest.raises(UserError, match="No space left"):
        back_up(opened, tmp_path / "copy.age", 30)
    assert Vault.open(opened.vault).backups == []
    assert actions(opened) == ["vault_backed_up", "vault_not_backed_up"]
