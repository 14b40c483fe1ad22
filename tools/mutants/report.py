"""The table of a sample: what noticed the mutants of each package."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from tools.mutants.sample import PACKAGES

NOTICED = ("mirror", "unit", "other")
COLUMNS = (*NOTICED, "timed out", "survived", "equivalent")
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


def reasons(path: Path = EQUIVALENT) -> dict[tuple[str, str, str], str]:
    """Return why some mutants behave as the code does, by path, code before and after; each was marked by hand."""
    known = tomllib.loads(path.read_text(encoding="utf-8")).get("mutant", [])
    return {(one["path"], one["before"], one["after"]): one["reason"] for one in known}


def judged(result: dict[str, Any]) -> str:
    """Return the column that a result counts in."""
    marked = (result["path"], result["before"], result["after"]) in reasons()
    return "equivalent" if marked and result["result"] in ("survived", "timed out") else str(result["result"])


def table(results: list[dict[str, Any]]) -> str:
    """Return the table in Markdown: a mutant that is equivalent counts neither way; one that timed out counts as not noticed."""
    lines = [
        f"| package | mutants | {' | '.join(COLUMNS)} | noticed | by unit tests |",
        "| --- |" + " ---: |" * (len(COLUMNS) + 3),
    ]
    for package in (*PACKAGES, "all"):
        of_it = [result for result in results if package in ("all", result["path"].split("/")[0])]
        counts = Counter(judged(result) for result in of_it)
        judgeable = max(len(of_it) - counts["equivalent"], 1)
        noticed = sum(counts[column] for column in NOTICED)
        shares = (noticed / judgeable, (counts["mirror"] + counts["unit"]) / judgeable)
        cells = [package, str(len(of_it)), *(str(counts[column]) for column in COLUMNS), *(f"{share:.0%}" for share in shares)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def survivors(results: list[dict[str, Any]]) -> list[str]:
    """List those that nothing noticed, for a person to look at."""
    left = [result for result in results if judged(result) in ("survived", "timed out")]
    return [f"{one['result']}: {one['path']}:{one['line']}: {one['before']}  →  {one['after']}" for one in left]
