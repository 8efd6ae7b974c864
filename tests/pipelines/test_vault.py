import re
from datetime import date
from pathlib import Path

import pyrage
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.vault import FOLDER_VARIABLE, Vault, check_character
from pipelines.vault_key import KEY_FILE_VARIABLE, KEY_VARIABLE
from pipelines.vault_records import ConsentEvent
from schemas.people import PARTICIPANT

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
DAY = date(2026, 3, 1)
BODIES = st.text(ALPHABET, min_size=8, max_size=8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vault"


@pytest.fixture
def vault(folder: Path) -> Vault:
    return Vault.create(folder)


# --- the file and its key ---


def test_what_was_saved_is_there_when_it_is_opened_again(folder: Path, vault: Vault) -> None:
    person = vault.enrol("007", DAY, {"sex": "female", "site": None})
    person.consent.append(ConsentEvent("2026-03-01T08:00:00+00:00", "given", "recording"))
    vault.remember_name("D1", "recordings/007/V1/Piet \udcff.mp4")
    vault.save()
    again = Vault.open(folder)
    assert again.person("007") == person
    assert again.of_pseudonym(person.pseudonym) == person
    assert again.people == [person]
    assert again.name_of("D1") == "recordings/007/V1/Piet \udcff.mp4"
    assert (again.digest("a"), again.label("a")) == (vault.digest("a"), vault.label("a"))
    assert again.unseal(vault.seal(b"set aside")) == b"set aside"


def test_only_the_owner_may_read_it(folder: Path, vault: Vault) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {
        "vault.age": 0o600,
        "master.key": 0o600,
    }


def test_a_folder_that_others_could_read_is_closed(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    Vault.create(folder)
    assert folder.stat().st_mode & 0o777 == 0o700


def test_nothing_in_it_can_be_read_without_the_key(folder: Path, vault: Vault) -> None:
    person = vault.enrol("MRN-4711007", DAY, {"site": "north"})
    vault.save()
    sealed = (folder / "vault.age").read_bytes()
    for secret in ("MRN-4711007", person.pseudonym, person.identity, "north"):
        assert secret.encode() not in sealed


def test_saving_without_a_change_writes_nothing(folder: Path, vault: Vault) -> None:
    vault.enrol("007", DAY, {})
    vault.save()
    before = (folder / "vault.age").stat()
    vault.enrol("007", DAY, {})
    vault.save()
    assert (folder / "vault.age").stat().st_ino == before.st_ino


def test_a_failed_write_leaves_the_earlier_vault(folder: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    vault.enrol("007", DAY, {})
    vault.save()

    def full(_: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.durable.sync", full)
    vault.enrol("008", DAY, {})
    with pytest.raises(OSError, match="No space left"):
        vault.save()
    monkeypatch.undo()
    assert [person.participant_id for person in Vault.open(folder).people] == ["007"]
    vault.save()
    assert len(Vault.open(folder).people) == 2


def test_a_second_vault_is_never_made_over_the_first(folder: Path, vault: Vault) -> None:
    with pytest.raises(UserError, match="holds a vault already"):
        Vault.create(folder)


def test_a_missing_vault_says_so(tmp_path: Path, folder: Path, vault: Vault) -> None:
    (folder / "vault.age").unlink()
    with pytest.raises(UserError, match=rf"vault.age is missing: mount it, or name its folder in {FOLDER_VARIABLE}"):
        Vault.open(folder)


def test_a_missing_key_says_so(folder: Path, vault: Vault) -> None:
    (folder / "master.key").unlink()
    with pytest.raises(UserError, match=rf"cannot be read: set {KEY_FILE_VARIABLE}, {KEY_VARIABLE} or"):
        Vault.open(folder)


def test_another_key_does_not_open_it(folder: Path, vault: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, str(pyrage.x25519.Identity.generate()))
    with pytest.raises(UserError, match="the master key does not open"):
        Vault.open(folder)


@pytest.mark.parametrize("content", [b"", b"age-encryption.org/v1\nnonsense", b"\x00" * 200])
def test_a_damaged_vault_is_no_traceback(folder: Path, vault: Vault, content: bytes) -> None:
    (folder / "vault.age").write_bytes(content)
    with pytest.raises(UserError, match="does not open"):
        Vault.open(folder)


@pytest.mark.parametrize("text", ["", "secret", "age1qqqq"])
def test_a_key_that_is_none_says_where_it_stands(folder: Path, vault: Vault, text: str) -> None:
    (folder / "master.key").write_text(text)
    with pytest.raises(UserError, match=r"master.key holds no age identity") as refused:
        Vault.open(folder)
    assert "secret" not in str(refused.value)


def test_the_key_may_come_from_the_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, f" {pyrage.x25519.Identity.generate()}\n")
    Vault.create(folder)
    assert [path.name for path in folder.iterdir()] == ["vault.age"]
    assert Vault.open(folder).people == []


def test_the_key_may_come_from_a_file_elsewhere(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "key"
    elsewhere.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    elsewhere.chmod(0o600)
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(elsewhere))
    Vault.create(folder)
    assert [path.name for path in folder.iterdir()] == ["vault.age"]
    elsewhere.unlink()
    with pytest.raises(UserError, match=str(elsewhere)):
        Vault.open(folder)


# --- persons ---


def test_pseudonyms_are_random_and_say_nothing_of_the_id(tmp_path: Path) -> None:
    one, other = (Vault.create(tmp_path / name) for name in "ab")
    pseudonyms = {vault.enrol("007", DAY, {}).pseudonym for vault in (one, other)}
    assert len(pseudonyms) == 2
    assert one.digest("name", "a.mp4") != other.digest("name", "a.mp4")


def test_a_pseudonym_has_the_declared_form_and_its_check_character(vault: Vault) -> None:
    for number in range(20):
        pseudonym = vault.enrol(str(number), DAY, {}).pseudonym
        assert re.fullmatch(PARTICIPANT.pattern or "", pseudonym)
        assert pseudonym[-1] == check_character(pseudonym[1:-1])
    assert len({person.pseudonym for person in vault.people}) == 20


def test_everyone_has_a_key_of_their_own(vault: Vault) -> None:
    one, other = vault.enrol("1", DAY, {}), vault.enrol("2", DAY, {})
    sealed = pyrage.encrypt(b"film", [pyrage.x25519.Recipient.from_str(one.recipient)])
    assert pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(one.identity)]) == b"film"
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(other.identity)])


def test_registering_again_renews_the_facts_but_neither_pseudonym_nor_day_zero(vault: Vault) -> None:
    first = vault.enrol("007", DAY, {"site": "north"})
    pseudonym, identity = first.pseudonym, first.identity
    again = vault.enrol("007", date(2026, 4, 1), {"site": "south"})
    assert (again.pseudonym, again.identity, again.day_zero_date) == (pseudonym, identity, DAY)
    assert again.register == {"site": "south"}


def test_who_is_not_known_is_nobody(vault: Vault) -> None:
    assert vault.person("007") is None
    assert vault.name_of("D1") is None
    with pytest.raises(UserError, match="the vault knows no P000000000"):
        vault.of_pseudonym("P000000000")


# --- check characters, digests and labels ---


@given(BODIES, st.integers(0, 7), st.sampled_from(ALPHABET))
def test_every_single_wrong_character_is_caught(body: str, place: int, wrong: str) -> None:
    changed = body[:place] + wrong + body[place + 1 :]
    assert (check_character(changed) == check_character(body)) == (changed == body)


@given(BODIES, st.integers(0, 6))
def test_swapped_neighbours_are_caught_but_for_the_pair_that_luhn_cannot_tell(body: str, place: int) -> None:
    a, b = body[place], body[place + 1]
    changed = body[:place] + b + a + body[place + 2 :]
    missed = check_character(changed) == check_character(body)
    assert missed == (a == b or {a, b} == {"0", "Z"})


@given(st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=8), min_size=1, max_size=4), st.data())
def test_digests_tell_parts_apart_and_never_hold_them(parts: list[str], data: st.DataObject) -> None:
    vault = Vault(Path(), "", {"index_key": "07" * 32, "quarantine_identity": "", "names": {}, "people": []})
    other = data.draw(st.lists(st.text(st.characters(exclude_characters="\x1f"), max_size=8), min_size=1, max_size=4))
    assert (vault.digest(*parts) == vault.digest(*other)) == (parts == other)
    assert re.fullmatch(r"[0-9a-f]{64}", vault.digest(*parts))
    assert re.fullmatch(rf"[{ALPHABET}]{{12}}", vault.label(*parts, length=12))
