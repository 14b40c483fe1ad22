"""Customers from columns of any source, valid by the same rules as one customer of POST /predict.

The rules are `churn.customers.validation`; here the rows that break them become problems that name row and field, and never the value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import ValidationError

from churn.customers.columns import CustomerColumns
from churn.customers.validation import CUSTOMER_ID, CustomerRules, Table
from service.http.errors import LISTED_ERRORS, MAX_DESCRIBED_ERRORS, NAME_LENGTH, FieldProblem, Unprocessable

# Beyond so many there is no point in counting on: each costs microseconds.
COUNTED_PROBLEMS = 10_000


class ColumnRules(CustomerRules):
    """The rules of one contract, whose breaking is an answer over HTTP."""

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
        problems: list[FieldProblem] = []
        found = 0

        def refuse(row: int, error: ValidationError | None) -> bool:
            nonlocal found
            found += 1 if error is None else error.error_count()
            if error is None:
                problems.append(FieldProblem(field=f"{table.where}.{row}", problem="Input should be an object"))
            elif len(problems) < LISTED_ERRORS:
                problems.extend(_problems(error, f"{table.where}.{row}"))
            return error is None or found <= COUNTED_PROBLEMS

        customers = self.examine(table, refuse)
        raise_any(problems, found)
        return customers


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
    if error.error_count() > MAX_DESCRIBED_ERRORS:
        yield FieldProblem(field=where, problem="too many problems to list; send less, to see them")
        return
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        name = ".".join([where, *(str(part)[:NAME_LENGTH] for part in one["loc"])])
        yield FieldProblem(field=name, problem=one["msg"].removeprefix("Value error, "))
