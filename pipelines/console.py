"""Output: text for people on a console, JSON for scripts, errors in one line on stderr."""

from __future__ import annotations

import sys
from typing import Any

import orjson
from rich.console import Console

# Of whatever is counted on a command line: no machine here holds more, and no database takes any number.
MAX_COUNT = 10**9
# Into a file or a pipe, tables need a width that holds them.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 120)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def print_json(document: Any) -> None:
    """Print one JSON document."""
    sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY, default=str).decode() + "\n")


def warn(text: str) -> None:
    """Print a warning in one line on stderr, and go on."""
    errors.print(_visible(text), style="bold yellow", markup=False)


def fail(text: str, details: str = "") -> None:
    """Print in one line what went wrong.

    Parameters
    ----------
    text : str
    details : str, default ""
        Lines to show below it.
    """
    errors.print(f"churn: {_visible(text)}", style="bold red", markup=False)
    for line in details.splitlines():
        errors.print(_visible(line), style="bold red", markup=False)


def _visible(text: str) -> str:
    """Escape what would end the line, move the cursor or colour the terminal: files' names and registries may hold it."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
