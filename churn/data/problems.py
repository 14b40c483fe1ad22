"""Collect what is wrong with one file: all of it counted, the first rows of it listed."""

from __future__ import annotations

import heapq
from typing import Any

from churn.data.files import TabularFile
from churn.errors import ContractError, Problem

LISTED_PROBLEMS = 20
SHOWN_CHARACTERS = 60


class Problems:
    """The problems of one file.

    Attributes
    ----------
    total : int
    """

    def __init__(self, file: TabularFile) -> None:
        self.file = file
        self.total = 0
        self._found: list[tuple[int, int, Problem]] = []
        self._listed: dict[str | None, int] = {}

    def add(self, row: int, column: str | None, rule: str, cell: Any = None) -> None:
        """Count a problem, and keep it if it is one of its column's first.

        Parameters
        ----------
        row : int
            From 0; the rows of a column come in their order.
        column : str or None
            None where the whole row is meant.
        rule : str
        cell : object
            The value to show.
        """
        self.total += 1
        listed = self._listed.get(column, 0)
        if listed < LISTED_PROBLEMS:
            self._listed[column] = listed + 1
            shown = str(cell)
            shown = shown if len(shown) <= SHOWN_CHARACTERS else shown[:SHOWN_CHARACTERS] + "…"
            self._found.append((row, len(self._found), Problem(rule, column=column, value=None if cell is None else shown)))

    def raise_any(self) -> None:
        """Raise ContractError if there is a problem."""
        if self.total:
            first = heapq.nsmallest(LISTED_PROBLEMS, self._found)
            lines = self.file.lines([row for row, _, _ in first])
            listed = [Problem(p.rule, column=p.column, row=lines.get(row), value=p.value) for row, _, p in first]
            raise ContractError(str(self.file.path), listed, total=self.total)
