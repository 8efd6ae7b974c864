"""Pinned packages are for the Python that they are installed in: uv passes over an upper bound, and pip refuses it."""

import platform
from importlib.metadata import distributions

from packaging.specifiers import SpecifierSet


def test_every_installed_package_is_for_this_python() -> None:
    said = {each.name: each.metadata.json.get("requires_python", "") for each in distributions()}
    bounds = {name: SpecifierSet(str(bound)) for name, bound in said.items()}
    assert len(bounds) > 100
    assert {name for name, bound in bounds.items() if not bound.contains(platform.python_version())} == set()
