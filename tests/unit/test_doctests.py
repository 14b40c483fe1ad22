"""The examples in docstrings are true, in every package."""

from __future__ import annotations

import doctest
import importlib

import pytest

from tests.checkout import CHECKOUT

PACKAGES = ("churn", "service", "monitoring", "pipelines", "benchmarks", "tools")


def _modules_with_examples() -> list[str]:
    files = (path for package in PACKAGES for path in sorted((CHECKOUT / package).rglob("*.py")))
    with_examples = (path for path in files if ">>> " in path.read_text(encoding="utf-8"))
    return [".".join(path.relative_to(CHECKOUT).with_suffix("").parts) for path in with_examples]


@pytest.mark.parametrize("name", _modules_with_examples())
def test_doctests(name: str) -> None:
    tried = doctest.testmod(importlib.import_module(name))
    assert tried.attempted > 0
    assert tried.failed == 0
