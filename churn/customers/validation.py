"""Validate tables of customers, whatever they came in: the service's batches, and files that are scored.

Columns are read at once (`churn.customers.cells`). A row with a doubtful cell is shown to the request model, which says what is
wrong, in the words that a single customer gets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from churn.contract import Contract
from churn.customers.cells import Cells, Doubt, FeatureCells
from churn.customers.column_names import ColumnNames
from churn.customers.columns import CustomerColumns
from churn.customers.customer import WITHOUT_SUGGESTIONS, CustomerBase
from churn.customers.customer_id import read_ids
from churn.errors import without_frames

# Rows whose unknown names are compared with the known ones.
SUGGESTED_ROWS = 100
# Called with a refused row and what is wrong with it (None: it is no object at all); returns whether to go on.
Refuse = Callable[[int, ValidationError | None], bool]


@dataclass(frozen=True)
class Table:
    """Columns that a format has read, not yet known to be valid.

    Attributes
    ----------
    rows : int
    cells : dict
        Feature to its cells; an absent feature is missing in every row.
    record : callable
        Returns a row, counted from 0, as JSON would have it: the request model judges it where there is a doubt.
    where : str
        What errors call the rows: `customers` gives `customers.3.total_day_minutes`.
    customer_ids : sequence or None
        As they were sent.
    doubtful : array of bool, shape (rows,), or None
        Rows that a format has doubts about, beyond those of its cells.
    """

    rows: int
    cells: dict[str, Cells]
    record: Callable[[int], Any]
    where: str
    customer_ids: Sequence[Any] | None = None
    doubtful: Doubt | None = None


class CustomerRules:
    """Tells valid customers from others."""

    def __init__(self, contract: Contract, customer: type[CustomerBase]) -> None:
        self.contract = contract
        self.features = {column.name: FeatureCells(column) for column in contract.features}
        self.names = ColumnNames(contract)
        self._customer = customer

    def examine(self, table: Table, refuse: Refuse) -> CustomerColumns:
        """Read a table.

        Parameters
        ----------
        table : Table
        refuse : callable
            Called with every row that breaks a rule, in their order. What the result holds of those means nothing.

        Returns
        -------
        CustomerColumns
            Of all rows.
        """
        values: dict[str, NDArray[Any]] = {}
        doubts: list[Doubt] = [] if table.doubtful is None else [table.doubtful]
        # Rows without any value so far: mostly few are left after the first column, and none after the second.
        empty = np.arange(table.rows)
        for name, feature in self.features.items():
            cells = table.cells.get(name)
            if cells is None:
                values[name] = feature.absent(table.rows)
                if feature.required:
                    doubts.append(np.ones(table.rows, np.bool_))
                continue
            values[name] = cells.values
            if cells.doubtful is not None:
                doubts.append(cells.doubtful)
            if feature.required:
                doubts.append(feature.missing(cells.values))
            if empty.size:
                here = cells.values if len(empty) == table.rows else cells.values[empty]
                empty = empty[feature.missing(here)]
        if empty.size:
            nothing = np.zeros(table.rows, np.bool_)
            nothing[empty] = True
            doubts.append(nothing)
        ids = table.customer_ids
        if ids is not None:
            ids, doubtful = read_ids(ids)
            doubts += [] if doubtful is None else [doubtful]
        customers = CustomerColumns(values, ids)
        if doubts and (rows := np.flatnonzero(np.logical_or.reduce(doubts))).size:
            customers = self._judge(customers, rows.tolist(), table, refuse)
        return customers

    def _judge(self, customers: CustomerColumns, rows: list[int], table: Table, refuse: Refuse) -> CustomerColumns:
        values = {name: column if column.flags.writeable else column.copy() for name, column in customers.values.items()}
        refused = 0
        for row in rows:
            record, error = table.record(row), None
            if isinstance(record, dict):
                context = None if refused < SUGGESTED_ROWS else WITHOUT_SUGGESTIONS
                try:
                    customer = self._customer.model_validate(record, context=context)
                except ValidationError as broken:
                    error = _without_frames(broken)
                else:
                    for name, value in customer.features().items():
                        values[name][row] = self.features[name].coded(value)
                    continue
            refused += 1
            if not refuse(row, error):
                break
        return CustomerColumns(values, customers.customer_ids)


def _without_frames(broken: ValidationError) -> ValidationError:
    """Return pydantic's error without the frames that it and the validators' own errors went through.

    Their frames hold all rows, and the error: a circle. Python's collector does not look into pydantic's error, which holds the
    validators', so what such a circle holds would never be free again.
    """
    for problem in broken.errors(include_url=False, include_input=False):
        held = problem.get("ctx", {}).get("error")
        if isinstance(held, BaseException):
            without_frames(held)
    return without_frames(broken)
