"""Where the master key comes from, and who else could read it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.errors import UserError
from pipelines.vault import Vault
from pipelines.vault_key import (
    KEY_FILE_VARIABLE,
    KEY_VARIABLE,
    SECRET_VARIABLE,
    key_id,
    key_place,
    master_keys,
    new_key,
    read_key,
    settle,
    write_key,
)


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    import boto3  # noqa: PLC0415 - half a second that the other tests need not pay
    from moto import mock_aws  # noqa: PLC0415 - the same

    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_the_first_place_that_the_environment_names_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beside = tmp_path / "master.key"
    assert key_place(tmp_path).file == beside
    monkeypatch.setenv(SECRET_VARIABLE, "vault-key")
    assert "secret vault-key" in key_place(tmp_path).words
    monkeypatch.setenv(KEY_FILE_VARIABLE, str(tmp_path / "mounted"))
    assert key_place(tmp_path).file == tmp_path / "mounted"
    monkeypatch.setenv(KEY_VARIABLE, new_key())
    assert key_place(tmp_path).file is None
    assert KEY_VARIABLE in key_place(tmp_path).words


@pytest.mark.parametrize("stored", ["SecretString", "SecretBinary"])
def test_a_vault_opens_with_a_key_from_aws(
    tmp_path: Path, secrets_manager: Any, monkeypatch: pytest.MonkeyPatch, stored: str
) -> None:
    text = f"{new_key()}\n"
    made = secrets_manager.create_secret(
        Name="painlake/key", **{stored: text if stored == "SecretString" else text.encode()}
    )
    monkeypatch.setenv(SECRET_VARIABLE, "painlake/key")
    Vault.create(tmp_path / "vault")
    assert [path.name for path in (tmp_path / "vault").iterdir()] == ["vault.age"]
    monkeypatch.setenv(SECRET_VARIABLE, made["ARN"])
    assert Vault.open(tmp_path / "vault").people == []


def test_a_secret_that_is_not_there_is_a_users_error(
    tmp_path: Path, secrets_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SECRET_VARIABLE, "nowhere")
    with pytest.raises(UserError, match="the secret nowhere answers ResourceNotFoundException"):
        master_keys(tmp_path)


def test_a_secret_that_is_no_key_is_not_repeated(
    tmp_path: Path, secrets_manager: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets_manager.create_secret(Name="other", SecretString="hunter2")
    monkeypatch.setenv(SECRET_VARIABLE, "other")
    with pytest.raises(UserError, match="holds no age identity") as refused:
        master_keys(tmp_path)
    assert "hunter2" not in str(refused.value)


def test_aws_that_cannot_be_reached_is_a_users_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    # The discard port of this machine, where nobody listens.
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "http://127.0.0.1:9")
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    monkeypatch.setenv(SECRET_VARIABLE, "vault-key")
    with pytest.raises(UserError, match="the secret vault-key cannot be had"):
        master_keys(tmp_path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o602, 0o610])
def test_a_key_that_others_may_open_is_refused(tmp_path: Path, mode: int) -> None:
    key = tmp_path / "master.key"
    write_key(key, new_key())
    key.chmod(mode)
    with pytest.raises(UserError, match=rf"is open to others \(mode {mode:04o}\): run `chmod 600 .*master\.key`"):
        read_key(key)


@pytest.mark.parametrize(("name", "mode"), [("vault.age", 0o644), ("", 0o755)])
def test_a_vault_that_others_may_open_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    folder = tmp_path / "vault"
    Vault.create(folder)
    (folder / name).chmod(mode)
    with pytest.raises(UserError, match=r"is open to others \(mode 0"):
        Vault.open(folder)


def test_a_key_that_cannot_be_written_is_a_users_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="the new key cannot be written"):
        write_key(tmp_path / "file" / "key", new_key())


# --- a rotation that was cut short ---


@pytest.fixture
def both(tmp_path: Path) -> tuple[str, str]:
    """Today's key and the next one, each in its file."""
    keys = new_key(), new_key()
    write_key(tmp_path / "master.key", keys[0])
    write_key(tmp_path / "master.key.next", keys[1])
    return keys


def test_both_keys_are_tried_todays_first(tmp_path: Path, both: tuple[str, str]) -> None:
    assert master_keys(tmp_path) == list(both)


@pytest.mark.parametrize("opens", [0, 1])
def test_the_key_that_opens_the_vault_stays(tmp_path: Path, both: tuple[str, str], opens: int) -> None:
    settle(tmp_path, both[opens])
    settle(tmp_path, both[opens])
    assert master_keys(tmp_path) == [both[opens]]
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_a_key_is_told_from_another_without_being_told(tmp_path: Path) -> None:
    one, other = new_key(), new_key()
    assert key_id(one) == key_id(one) != key_id(other)
    assert key_id(one) not in one.lower()
