"""Whether a command line is one of `churn`'s."""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import typer

from pipelines.cli.main import app
from tests.checkout import CHECKOUT

PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]


@cache
def churn() -> Any:
    """Typer builds every command anew each time that it is asked."""
    return typer.main.get_command(app)


def assert_is_churn_command(words: list[str]) -> None:
    """`churn` and its subcommands exist, and what follows parses as their options."""
    assert words[0] in PROJECT["scripts"]
    command = churn()
    context = typer.Context(command, info_name="churn")
    rest = words[1:]
    while hasattr(command, "commands"):
        assert set(rest[:1]) & set(command.commands), f"there is no command {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    command.make_context(command.name, rest, parent=context)
