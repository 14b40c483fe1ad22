"""Markdown tables, facts and numbers. Text that people typed is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def number(value: Any) -> str:
    """Format a number for people: four digits, thousands apart; None is n/a and text stays."""
    if value is None:
        return "n/a"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"
    return f"{value:,.0f}" if isinstance(value, int | float) else str(value)


def interval(bounds: Mapping[str, Any]) -> str:
    """Format the interval of `low` and `high`; empty if there is none."""
    low, high = bounds.get("low"), bounds.get("high")
    return "" if low is None or high is None else f"[{number(low)}, {number(high)}]"


def facts(known: Mapping[str, str]) -> str:
    """Return a table of names and values, without those that are empty."""
    return table(("", ""), [(name, value) for name, value in known.items() if value])


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    r"""Return a table in GitHub's Markdown.

    Parameters
    ----------
    header : iterable of str
    rows : iterable of iterable of str

    Returns
    -------
    str

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
