"""The ML Test Score is what its items add up to, and these name tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.checkout import CHECKOUT

TEXT = (CHECKOUT / "docs/ml-test-score.md").read_text()
SECTIONS = dict(re.findall(r"^## (Data|Model|Infrastructure|Monitoring): ([\d.]+)$", TEXT, re.MULTILINE))
# What is tested, its points, what earns them; and below it the tests.
ITEM = re.compile(r"^(\d)\. \*\*([^*]+)\*\* \(([\d.]+)\): ((?:[^\n]+\n)+?)((?:   - [^\n]+\n)+)", re.MULTILINE)
LEAST = 6.0


def items(section: str) -> list[tuple[str, ...]]:
    (part,) = re.findall(rf"^## {section}: .*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return ITEM.findall(part)


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((CHECKOUT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("section", ["Data", "Model", "Infrastructure", "Monitoring"])
def test_a_section_has_seven_tests_and_their_sum(section):
    found = items(section)
    assert [item[0] for item in found] == [*"1234567"]
    points = [float(item[2]) for item in found]
    assert set(points) <= {0.0, 0.5, 1.0}
    assert sum(points) == float(SECTIONS[section]) >= LEAST
    # Half a point is explained.
    assert all("Half a point:" in " ".join(item[3].split()) for item in found if float(item[2]) == 0.5)


def test_the_score_is_that_of_the_weakest_section():
    names = " · ".join(rf"{name} ([\d.]+)" for name in ("data", "model", "infrastructure", "monitoring"))
    told = re.search(rf"\*\*Score: ([\d.]+)\*\* \({names}\)", TEXT)
    assert told
    assert list(told.groups()[1:]) == list(SECTIONS.values())
    assert float(told[1]) == min(map(float, SECTIONS.values()))


@pytest.mark.parametrize("item", [item for section in SECTIONS for item in items(section)], ids=lambda item: item[1][:40])
def test_what_earns_it_exists(item):
    named = re.findall(r"`(tests/[^`]+)`", item[4])
    assert named
    for node in named:
        path, _, name = node.partition("::")
        there = functions(path)
        assert name in there if name else any(function.startswith("test_") for function in there), node
