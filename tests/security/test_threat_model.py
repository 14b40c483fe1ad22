"""docs/security.md names tests that exist, and every control has one."""

from __future__ import annotations

import ast
import re

from tests.security.documented import CHECKOUT, PAGE, rows

NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE.read_text("utf-8"))))


def test_a_test_that_the_page_names_is_there() -> None:
    for named in NAMED:
        file, _, function = named.partition("::")
        tree = ast.parse((CHECKOUT / file).read_text("utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert (function in there) if function else any(name.startswith("test_") for name in there), named


def test_every_threat_has_a_control_and_a_test() -> None:
    threats = list(rows("Threats"))
    assert len(threats) > 25
    for letter, threat, control, tests in threats:
        assert letter in "STRIDE", threat
        assert control, threat
        assert "`tests/" in tests, threat
    assert {row[0] for row in threats} == set("STRIDE")


def test_every_file_of_tests_here_is_on_the_page() -> None:
    files = {f"tests/security/{file.name}" for file in (CHECKOUT / "tests/security").glob("test_*.py")}
    assert files == {name.partition("::")[0] for name in NAMED if name.startswith("tests/security/")}
