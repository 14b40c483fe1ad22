"""What docs/security.md says in its tables, for the tests that hold it to the code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.checkout import CHECKOUT

PAGE = CHECKOUT / "docs/security.md"


def rows(heading: str) -> Iterator[list[str]]:
    """Give the cells of the table below a heading, without its head."""
    section = PAGE.read_text("utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    for line in lines[2:]:
        yield [cell.strip() for cell in line.strip("|").split("|")]


def routes() -> dict[tuple[str, str], str]:
    """Give (method, path) to who may ask: `anybody`, `any key`, or a scope."""
    found = {}
    for asked, who, *_ in rows("What a key may do"):
        for method, path in re.findall(r"`([A-Z]+) (/[^`]*)`", asked):
            found[method, path] = who.strip("`")
    return found
