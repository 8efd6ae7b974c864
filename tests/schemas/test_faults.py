"""Every code in the code base is declared, and every declared code is given by something."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.errors import Rejection
from schemas.faults import FAULTS, Effect, Fate

ROOT = Path(__file__).parents[2]
DECLARATION = ROOT / "schemas" / "faults.py"
SOURCES = [
    path
    for folder in ("flows", "pipelines", "expectations", "schemas")
    for path in (ROOT / folder).rglob("*.py")
    if path != DECLARATION
]

RESERVED: dict[str, str] = {}
"""Codes that nothing gives so far, and why they are declared all the same."""


def trees() -> Iterator[tuple[Path, ast.Module]]:
    for path in SOURCES:
        yield path, ast.parse(path.read_bytes())


def constants(node: ast.AST) -> set[str]:
    return {each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)}


def given() -> set[str]:
    """The codes handed to a `Rejection` or `Reason`, also where one of two is chosen."""
    found: set[str] = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                first = node.args[0]
                if node.func.id in {"Rejection", "Reason"} and isinstance(first, ast.Constant | ast.IfExp):
                    chosen = [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]
                    found |= {code for part in chosen for code in constants(part)}
    return found


def test_every_code_that_is_given_is_declared() -> None:
    assert len(given()) > 20
    assert given() <= set(FAULTS)


def test_every_declared_code_is_given_or_reserved_with_a_reason() -> None:
    named = {text for _, tree in trees() for text in constants(tree)}
    unused = set(FAULTS) - named
    assert unused == set(RESERVED)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_says_in_one_line_what_it_is_and_what_to_do(fault: object) -> None:
    assert isinstance(fault, type(FAULTS["ORPHAN"]))
    assert FAULTS[fault.code] is fault
    assert fault.code == fault.code.upper()
    for text in (fault.meaning, fault.next_step):
        assert text
        assert "\n" not in text
        assert not text.endswith(".")
    assert Rejection(fault.code).fault is fault


def test_no_code_is_declared_twice() -> None:
    tree = ast.parse(DECLARATION.read_bytes())
    codes = [
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Fault"
        if isinstance(node.args[0], ast.Constant)
    ]
    assert sorted(codes) == sorted(FAULTS)


def test_every_fate_but_success_and_erasure_has_codes_that_lead_to_it() -> None:
    assert {fault.effect for fault in FAULTS.values()} == set(Effect)
    assert {fate.value for fate in Fate} == {"published", "quarantined", "deferred", "duplicate", "erased"}
