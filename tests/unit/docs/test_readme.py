from __future__ import annotations

import re
import shlex

import pytest

from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import assert_is_churn_command

README = (CHECKOUT / "README.md").read_text()
COMMANDS = [line.strip() for line in README.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith(".venv/bin/churn ")])
def test_every_churn_command_of_the_readme_is_one(line: str) -> None:
    assert_is_churn_command(["churn", *shlex.split(line, comments=True)[1:]])


def test_every_make_target_of_the_readme_is_one() -> None:
    targets = set(re.findall(r"^([a-z0-9]+):", (CHECKOUT / "Makefile").read_text(), flags=re.MULTILINE))
    named = set(re.findall(r"make ([a-z]+)", README))
    assert {"up", "test", "demo"} <= named <= targets


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/adr/README.md"])
def test_every_link_to_a_file_leads_somewhere(page: str) -> None:
    folder = (CHECKOUT / page).parent
    for link in re.findall(r"\]\(([^)#]+)\)", (CHECKOUT / page).read_text()):
        assert link.startswith("http") or (folder / link).exists(), link
