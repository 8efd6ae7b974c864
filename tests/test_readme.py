"""The README documents every command and nothing else; no file names a registry host or a path of somebody's machine."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from flows.cli import app
from schemas.landing import DELIVERED_TABLES, MEDIA_SUFFIXES, DeliveredTable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")

Command = tuple[str, ...]


def _commands(group: click.Group, before: Command = ()) -> Iterator[tuple[Command, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, (*before, name))
        else:
            yield (*before, name), command


COMMANDS = dict(_commands(typer.main.get_command(app)))  # type: ignore[arg-type] # an app of several commands is a group
TABLE_ROWS = dict(re.findall(r"^\| `painlake ([^`]+)` \| (.+) \|$", README, re.MULTILINE))
"""What the README's table says, by the words after `painlake`."""


def _command_of(words: list[str]) -> Command | None:
    """The longest beginning of some words that is a command."""
    for length in range(len(words), 0, -1):
        if tuple(words[:length]) in COMMANDS:
            return tuple(words[:length])
    return None


def _options(command: Command) -> set[str]:
    return {option for parameter in COMMANDS[command].params for option in parameter.opts if option.startswith("--")}


def _mentions() -> list[str]:
    """Everything in code that begins with `painlake`, after a prompt or between backticks."""
    prompted = re.findall(r"^\$ (painlake .+)$", README, re.MULTILINE)
    return [*prompted, *re.findall(r"`(painlake [^`]+)`", README)]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_stands_in_the_table_of_commands(command: Command) -> None:
    assert command in {_command_of(row.split()) for row in TABLE_ROWS}


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_option_of_a_command_stands_in_its_row(command: Command) -> None:
    row = next(f"{words} {does}" for words, does in TABLE_ROWS.items() if _command_of(words.split()) == command)
    # Those of every command stand above the table.
    assert {option for option in _options(command) if f"`{option}" not in row} <= {"--study", "--help"}


@pytest.mark.parametrize("mention", _mentions())
def test_every_command_that_is_shown_exists_with_its_options(mention: str) -> None:
    # A quotation that goes on in the README's next line is no whole word: the words before it are enough.
    whole = mention if mention.count('"') % 2 == 0 else mention.partition('"')[0]
    words = shlex.split(whole)[1:]
    command = _command_of(words)
    assert command is not None, f"{mention}: there is no such command"
    assert {word for word in words if word.startswith("--")} <= _options(command)


def test_every_target_of_the_makefile_is_documented_and_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)) - {"help"}
    assert set(re.findall(r"^\| `make ([a-z]+)` \|", README, re.MULTILINE)) == targets


@pytest.mark.parametrize("table", DELIVERED_TABLES, ids=lambda table: table.name)
def test_the_contract_names_the_columns_that_are_read(table: DeliveredTable) -> None:
    assert re.search(rf"^landing/{table.name}\.csv +{','.join(table.fields)}$", README, re.MULTILINE)


def test_the_contract_names_the_kinds_of_media_that_are_read() -> None:
    written = re.search(r"<any name>\.\{([a-z0-9,]+)\}", README)
    assert written is not None
    assert {f".{suffix}" for suffix in written[1].split(",")} == set(MEDIA_SUFFIXES)


@pytest.mark.parametrize("link", re.findall(r"\]\(([^)#:]+)\)", README))
def test_links_lead_to_files_of_the_project(link: str) -> None:
    assert (ROOT / link).is_file()


def test_files_that_the_readme_names_exist() -> None:
    named = re.findall(r"`((?:flows|pipelines|schemas|expectations|benchmarks|tests)/\S*)`", README)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def _project_files() -> list[Path]:
    """What git has or would take; where there is no git repository, what stands in the project's folders."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git of the PATH
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    tops = [path for path in ROOT.iterdir() if path.is_file()]
    folders = ("flows", "pipelines", "schemas", "expectations", "benchmarks", "tests", ".ci")
    return [*tops, *(path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file())]


# Written in halves, so that this file is no finding itself.
REGISTRIES = ("py" + "pi.org", "python" + "hosted", "deb" + ".debian", "/simple" + "/", "index" + "-url")
MACHINE_PATHS = ("/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/opt/py" + "pi", "/Us" + "ers/")


@pytest.mark.parametrize("unwanted", [*REGISTRIES, *MACHINE_PATHS])
def test_no_file_names_a_registry_or_a_path_of_a_machine(unwanted: str) -> None:
    needle = unwanted.encode()
    assert [str(path.relative_to(ROOT)) for path in _project_files() if needle in path.read_bytes()] == []


def test_every_pinned_package_has_hashes() -> None:
    for name in ("requirements.txt", "requirements-dev.txt", ".ci/uv.txt"):
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text(encoding="utf-8").strip())
        assert entries
        assert [
            entry for entry in entries if not re.match(r"[A-Za-z0-9._-]+==\S+ .*--hash=sha256:", entry, re.DOTALL)
        ] == []


def test_production_takes_the_very_versions_that_are_tested() -> None:
    pins = {
        name: set(
            re.findall(
                r"^[A-Za-z0-9._-]+==\S+(?: ; [^\\\n]+)?", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE
            )
        )
        for name in ("requirements.txt", "requirements-dev.txt")
    }
    assert pins["requirements.txt"] <= pins["requirements-dev.txt"]
