from __future__ import annotations

import shlex

import pytest

from churn.config.settings import Settings
from tests.checkout import CHECKOUT
from tests.unit.deploy.commands import assert_is_churn_command

PAGE = (CHECKOUT / "docs/your-own-data.md").read_text()
COMMANDS = [shlex.split(line) for line in PAGE.splitlines() if line.startswith("    ")]


@pytest.mark.parametrize("command", [command for command in COMMANDS if command[0] == "churn"], ids=" ".join)
def test_every_command_of_the_page_is_one(command: list[str]) -> None:
    assert_is_churn_command(command)


def test_every_setting_of_the_page_is_one() -> None:
    exported = next(command for command in COMMANDS if command[0] == "export")[1:]
    settings = {word.split("=")[0].removeprefix("CHURN_").lower() for word in exported}
    assert settings == {"home", "contract", "data"} <= set(Settings.model_fields)
