"""Libraries find their settings when they are imported, and what the user has set stays."""

import os
import subprocess
import sys

import pytest

_FOUND = """
import os, sys
from unittest.mock import patch
from flows import cli

def found():
    print("polars" in sys.modules, os.environ["_RJEM_MALLOC_CONF"])

with patch.object(cli, "app", found):
    cli.main()
"""


@pytest.mark.parametrize(("given", "kept"), [({}, "dirty_decay_ms:5000"), ({"_RJEM_MALLOC_CONF": "mine"}, "mine")])
def test_a_command_begins_with_settings_for_polars_and_without_it(given: dict[str, str], kept: str) -> None:
    others = {name: value for name, value in os.environ.items() if name != "_RJEM_MALLOC_CONF"}
    done = subprocess.run(
        [sys.executable, "-c", _FOUND], env=others | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.split()[0] == "False"
    assert done.stdout.split()[1].startswith(kept)
