"""Customers from columns of any source, valid by the same rules as one customer of POST /predict.

What is certainly right is found a column at a time (`service.feature_cells`). Every customer that is not is shown to the request
model, which has the last word and makes the errors: the same customer has the same verdict over every protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from churn.contract import Contract
from churn.customers import CustomerColumns
from churn.request import CustomerBase
from service.feature_cells import Cells, Doubt, FeatureCells, doubtful_ids
from service.problems import LISTED_ERRORS, NAME_LENGTH, SPELLED_ERRORS, FieldProblem, Unprocessable

CUSTOMER_ID = "customer_id"
# Beyond so many there is no point in counting on: each costs microseconds.
COUNTED_PROBLEMS = 10_000


@dataclass(frozen=True)
class Table:
    """Columns that a format has read, not yet known to be valid.

    Attributes
    ----------
    rows : int
    cells : dict
        Feature to its cells; an absent feature is missing in every row.
    record : callable
        Spells a row, counted from 0, as JSON would: the request model judges it where there is a doubt.
    where : str
        What errors call the rows: `customers` gives `customers.3.total_day_minutes`.
    customer_ids : sequence or None
    doubtful : array of bool, shape (rows,), or None
        Rows that a format has doubts about, beyond those of its cells.
    """

    rows: int
    cells: dict[str, Cells]
    record: Callable[[int], Any]
    where: str
    customer_ids: Sequence[Any] | None = None
    doubtful: Doubt | None = None


class ColumnRules:
    """The rules of one contract for columns of customers."""

    def __init__(self, contract: Contract, customer: type[CustomerBase]) -> None:
        self.contract = contract
        self.features = {column.name: FeatureCells(column) for column in contract.features}
        self.names = frozenset([*self.features, CUSTOMER_ID])
        self._customer = customer

    def check_names(self, names: Sequence[Any], where: str) -> None:
        """Raise Unprocessable if a column is foreign, or is there twice."""
        wrong: list[FieldProblem] = []
        seen: set[str] = set()
        for name in names:
            if not isinstance(name, str) or name not in self.names:
                wrong.append(FieldProblem(field=f"{where}.{name}"[:NAME_LENGTH], problem="Extra inputs are not permitted"))
            elif name in seen:
                wrong.append(FieldProblem(field=f"{where}.{name}", problem="The column is there twice"))
            else:
                seen.add(name)
        raise_any(wrong, len(wrong))

    def objects(
        self,
        columns: Mapping[str, Sequence[Any]],
        rows: int,
        where: str,
        *,
        record: Callable[[int], Any] | None = None,
        odd: Sequence[bool] | None = None,
    ) -> CustomerColumns:
        """Validate columns of Python values as JSON has them; the names are checked already.

        With `record`, this spells a row, and not the columns do; with `odd`, these rows are doubtful whatever their values are.
        """
        cells = {name: self.features[name].from_objects(values) for name, values in columns.items() if name != CUSTOMER_ID}
        spelled = record or (lambda row: {name: values[row] for name, values in columns.items()})
        doubtful = None if odd is None else np.array(odd, np.bool_)
        return self.customers(Table(rows, cells, spelled, where, columns.get(CUSTOMER_ID), doubtful))

    def customers(self, table: Table) -> CustomerColumns:
        """Validate a table.

        Raises
        ------
        Unprocessable
            All customers, or none: each broken rule is named by row and field, the first hundred of them.
        """
        values: dict[str, NDArray[Any]] = {}
        doubts: list[Doubt] = [] if table.doubtful is None else [table.doubtful]
        empty: Doubt | None = None
        some_column_is_full = False
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
            if some_column_is_full and not feature.required:
                continue  # nobody can be empty any more
            missing = feature.missing(cells.values)
            if not missing.any():
                some_column_is_full = True
                continue
            if feature.required:
                doubts.append(missing)
            empty = missing if empty is None else empty & missing
        if not some_column_is_full:
            doubts.append(np.ones(table.rows, np.bool_) if empty is None else empty)
        ids = table.customer_ids
        if ids is not None and (doubtful := doubtful_ids(ids)) is not None:
            doubts.append(doubtful)
        customers = CustomerColumns(values, ids)
        if doubts and (rows := np.flatnonzero(np.logical_or.reduce(doubts))).size:
            customers = self._judge(customers, rows.tolist(), table)
        return customers

    def _judge(self, customers: CustomerColumns, rows: list[int], table: Table) -> CustomerColumns:
        problems: list[FieldProblem] = []
        found = 0
        values = {name: column if column.flags.writeable else column.copy() for name, column in customers.values.items()}
        for row in rows:
            record = table.record(row)
            if not isinstance(record, dict):
                found += 1
                problems.append(FieldProblem(field=f"{table.where}.{row}", problem="Input should be an object"))
                continue
            try:
                customer = self._customer.model_validate(record)
            except ValidationError as error:
                found += error.error_count()
                if len(problems) < LISTED_ERRORS:
                    problems += _problems(error, f"{table.where}.{row}")
                if found > COUNTED_PROBLEMS:
                    break
                continue
            for name, value in customer.features().items():
                values[name][row] = self.features[name].coded(value)
        raise_any(problems, found)
        return CustomerColumns(values, customers.customer_ids)


def raise_any(problems: Sequence[FieldProblem], found: int) -> None:
    """Raise Unprocessable if there are problems: of those `found`, the first are listed."""
    if found:
        more = f"; the first {LISTED_ERRORS} are listed" if found > LISTED_ERRORS else ""
        number = (
            f"{found} problem{'s' if found > 1 else ''}"
            if found <= COUNTED_PROBLEMS
            else f"More than {COUNTED_PROBLEMS} problems"
        )
        raise Unprocessable(f"{number} found{more}.", problems[:LISTED_ERRORS])


def _problems(error: ValidationError, where: str) -> Iterable[FieldProblem]:
    if error.error_count() > SPELLED_ERRORS:
        yield FieldProblem(field=where, problem="too many problems to list; send less, to see them")
        return
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join([where, *(str(part)[:NAME_LENGTH] for part in one["loc"])])
        yield FieldProblem(field=name, problem=one["msg"].removeprefix("Value error, "))
