"""The ML Test Score is what its tables say, and its tables name tests that exist."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.checkout import CHECKOUT

TEXT = (CHECKOUT / "docs/ml-test-score.md").read_text()
SECTIONS = dict(re.findall(r"^## (Data|Model|Infrastructure|Monitoring): ([\d.]+)$", TEXT, re.MULTILINE))
ROW = re.compile(r"^\| (\d) \| ([^|]+) \| ([\d.]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
LEAST = 6.0


def rows(section: str) -> list[tuple[str, ...]]:
    (part,) = re.findall(rf"^## {section}: .*?(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return ROW.findall(part)


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((CHECKOUT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("section", ["Data", "Model", "Infrastructure", "Monitoring"])
def test_a_section_has_seven_tests_and_their_sum(section):
    found = rows(section)
    assert [row[0] for row in found] == [*"1234567"]
    points = [float(row[2]) for row in found]
    assert set(points) <= {0.0, 0.5, 1.0}
    assert sum(points) == float(SECTIONS[section]) >= LEAST
    # Half a point is explained.
    assert all("Half a point:" in row[3] for row in found if float(row[2]) == 0.5)


def test_the_score_is_that_of_the_weakest_section():
    names = " · ".join(rf"{name} ([\d.]+)" for name in ("data", "model", "infrastructure", "monitoring"))
    told = re.search(rf"\*\*Score: ([\d.]+)\*\* \({names}\)", TEXT)
    assert told
    assert list(told.groups()[1:]) == list(SECTIONS.values())
    assert float(told[1]) == min(map(float, SECTIONS.values()))


@pytest.mark.parametrize("row", [row for section in SECTIONS for row in rows(section)], ids=lambda row: row[1][:40])
def test_what_earns_it_exists(row):
    named = re.findall(r"`(tests/[^`]+)`", row[4])
    assert named
    for node in named:
        path, _, name = node.partition("::")
        there = functions(path)
        assert name in there if name else any(function.startswith("test_") for function in there), node
