"""Markdown in small pieces: tables, facts, numbers. What people typed can break none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def number(value: Any) -> str:
    """Spell a number for people: four digits, thousands apart; None is n/a and text stays."""
    if value is None:
        return "n/a"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def interval(bounds: Mapping[str, Any]) -> str:
    """Spell the interval of `low` and `high`; empty if there is none."""
    low, high = bounds.get("low"), bounds.get("high")
    return "" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def facts(known: Mapping[str, str]) -> str:
    """Give a table of names and values, without those that are empty."""
    return table(("", ""), [(name, value) for name, value in known.items() if value])


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    r"""Give a table as GitHub has them.

    Examples
    --------
    >>> print(table(("a", "b"), [("1", "x|y")]))
    | a | b |
    | --- | --- |
    | 1 | x\|y |
    """
    names = list(header)
    cells = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(line(cell).replace("|", "\\|") for cell in row) + " |" for row in cells)


def code(text: str) -> str:
    """Mark text as code; nothing, if there is none."""
    return f"`{text.replace('`', chr(39))}`" if text else ""


def line(text: str) -> str:
    """Bring text onto one line."""
    return " ".join(str(text).split())
