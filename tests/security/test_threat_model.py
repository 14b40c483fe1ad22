"""docs/security.md names tests that exist, and every control has one."""

from __future__ import annotations

import ast
import re

from tests.security.documented import CHECKOUT, PAGE

NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", PAGE.read_text("utf-8"))))
STRIDE = ["Spoofing", "Tampering", "Repudiation", "Information disclosure", "Denial of service", "Elevation of privilege"]


def test_a_test_that_the_page_names_is_there() -> None:
    for named in NAMED:
        file, _, function = named.partition("::")
        tree = ast.parse((CHECKOUT / file).read_text("utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert (function in there) if function else any(name.startswith("test_") for name in there), named


def test_every_threat_has_a_control_and_a_test() -> None:
    section = PAGE.read_text("utf-8").partition("\n## Threats\n")[2].partition("\n## ")[0]
    kinds = re.split(r"^### ", section, flags=re.MULTILINE)[1:]
    assert [kind.splitlines()[0] for kind in kinds] == STRIDE
    threats = [threat for kind in kinds for threat in re.split(r"^- ", kind, flags=re.MULTILINE)[1:]]
    assert len(threats) > 25
    for threat in threats:
        assert re.match(r"\*\*[^*]+\*\*: \S[^\n]*(?:\n  [^ \-][^\n]*)*(?:\n  - `tests/[^`\n]+`)+\s*$", threat), threat


def test_every_file_of_tests_here_is_on_the_page() -> None:
    files = {f"tests/security/{file.name}" for file in (CHECKOUT / "tests/security").glob("test_*.py")}
    assert files == {name.partition("::")[0] for name in NAMED if name.startswith("tests/security/")}
