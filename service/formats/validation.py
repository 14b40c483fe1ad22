"""Validate customers from columns of any source by the rules of one customer of POST /predict.

The rules are `churn.customers`; here what breaks them becomes a list of problems that name row and field, and never the value.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Self

import numpy as np
from pydantic import ValidationError

from churn.contract import Contract
from churn.customers.column_names import CUSTOMER_ID, NOT_READ, given_twice
from churn.customers.columns import CustomerColumns
from churn.customers.customer import SUGGESTIONS, CustomerBase
from churn.customers.validation import CustomerRules, Table
from service.http.errors import LISTED_ERRORS, MAX_DESCRIBED_ERRORS, NAME_LENGTH, FieldProblem, Unprocessable, rule_in

# Beyond so many there is no point in counting on: each costs microseconds.
MAX_COUNTED_PROBLEMS = 10_000
# Unknown columns that a warning names.
MAX_NAMED_COLUMNS = 10
log = logging.getLogger(__name__)


class ColumnRules(CustomerRules):
    """The rules of one contract, whose breaking is an answer over HTTP.

    Parameters
    ----------
    contract : Contract
    customer : type
        The request model.
    ignore_unknown : bool
        Whether columns that the contract does not know are left aside with a warning in the log, as MLflow's protocol has it.
    refuse_misspelled : bool
        Whether of these such are refused whose names differ from a known one, which is not there, in capitals or blanks alone.
    """

    def __init__(
        self,
        contract: Contract,
        customer: type[CustomerBase],
        *,
        ignore_unknown: bool = False,
        refuse_misspelled: bool = False,
    ) -> None:
        super().__init__(contract, customer)
        self.ignore_unknown, self.refuse_misspelled = ignore_unknown, refuse_misspelled

    def ignoring_unknown(self) -> Self:
        """Return the same rules for a protocol that ignores unknown columns."""
        return type(self)(self.contract, self._customer, ignore_unknown=True)

    def columns_of(self, names: Sequence[Any], where: str) -> dict[str, Any]:
        """Map the contract's name of each column that is read to its name in the table.

        Parameters
        ----------
        names : sequence
            The columns, as they were sent.
        where : str
            What errors call the place where they stand.

        Returns
        -------
        dict of str to object

        Raises
        ------
        Unprocessable
            If a column is unknown, or is there twice.
        """
        # However many there are that are wrong: all are counted, and the first are kept.
        found: dict[str, Any] = {}
        wrong: list[FieldProblem] = []
        unknown: list[Any] = []
        problems = foreign = 0
        for name in names:
            meaning = self.names.find(name) if isinstance(name, str) else None
            if meaning is not None and meaning not in found:
                if meaning != NOT_READ:
                    found[meaning] = name
                continue
            if meaning is None:
                foreign += 1
                if self.ignore_unknown and not (self.refuse_misspelled and self._is_misspelled(name, names)):
                    unknown += [name] if foreign <= MAX_NAMED_COLUMNS else []
                    continue
            problems += 1
            if len(wrong) >= LISTED_ERRORS:
                continue
            if meaning is None:
                problem = self.names.unknown(_shown(name), suggest=foreign <= SUGGESTIONS)
            else:
                problem = given_twice(found[meaning], name)
            wrong.append(FieldProblem(field=f"{where}.{meaning or _shown(name)}"[:NAME_LENGTH], problem=problem))
        if self.ignore_unknown:
            self.warn_ignored(unknown, foreign)
        raise_problems(wrong, problems)
        return found

    def _is_misspelled(self, name: Any, names: Sequence[Any]) -> bool:
        meant = self.names.same_but_for_form(name) if isinstance(name, str) else None
        return meant is not None and not any(isinstance(one, str) and self.names.find(one) == meant for one in names)

    def warn_ignored(self, unknown: Sequence[Any], count: int) -> None:
        """Log that columns were ignored.

        Parameters
        ----------
        unknown : sequence
            The first of them.
        count : int
            How many there are.
        """
        if count:
            named = ", ".join(repr(_shown(name)) for name in unknown[:MAX_NAMED_COLUMNS])
            more = f" and {count - MAX_NAMED_COLUMNS} more" if count > MAX_NAMED_COLUMNS else ""
            log.warning("ignored columns that the contract does not know: %s%s", named, more)

    def by_contract_names(self, record: Any) -> Any:
        """Return a record under the contract's names; unchanged if it breaks a rule of names: the request model reports that."""
        if type(record) is not dict:
            return record
        renamed: dict[str, Any] = {}
        for name, value in record.items():
            meaning = self.names.find(name)
            if meaning is None and self.ignore_unknown:
                continue
            if meaning is None or meaning in renamed:
                return record
            if meaning != NOT_READ:
                renamed[meaning] = value
        return renamed

    def table_of(
        self,
        columns: Mapping[str, Sequence[Any]],
        rows: int,
        where: str,
        *,
        record: Callable[[int], Any] | None = None,
        doubtful: Sequence[bool] | None = None,
    ) -> Table:
        """Return a table of Python's values as JSON has them.

        Parameters
        ----------
        columns : mapping of str to sequence of length `rows`
            By the contract's names.
        rows : int
        where : str
            What errors call the rows.
        record : callable, optional
            Returns a row as it was sent; otherwise the columns do.
        doubtful : sequence of bool, optional
            Rows that are checked by the request model, whatever their values are.

        Returns
        -------
        Table
        """
        cells = {name: self.features[name].from_objects(values) for name, values in columns.items() if name != CUSTOMER_ID}
        sent = record or (lambda row: {name: values[row] for name, values in columns.items()})
        recheck = None if doubtful is None else np.array(doubtful, np.bool_)
        return Table(rows, cells, sent, where, columns.get(CUSTOMER_ID), recheck)

    def validate_tables(self, tables: Iterable[Table]) -> CustomerColumns:
        """Validate a table, or one in several parts: of each only the columns are kept, which take little.

        Parameters
        ----------
        tables : iterable of Table
            At least one. A row is named by its place in all of them together.

        Returns
        -------
        CustomerColumns

        Raises
        ------
        Unprocessable
            All customers, or none: each broken rule is named by row and field, the first hundred of them.
        """
        problems: list[FieldProblem] = []
        parts: list[CustomerColumns] = []
        start = found = 0

        def refuse(row: int, error: ValidationError | None) -> bool:
            nonlocal found
            found += 1 if error is None else error.error_count()
            if len(problems) < LISTED_ERRORS:
                name = f"{table.where}.{start + row}"
                no_object = FieldProblem(field=name, problem="must be an object")
                problems.extend([no_object] if error is None else _problems(error, name))
            return error is None or found <= MAX_COUNTED_PROBLEMS

        for table in tables:
            parts.append(self.examine(table, refuse))
            if found > MAX_COUNTED_PROBLEMS:
                break
            start += table.rows
        raise_problems(problems, found)
        return CustomerColumns.joined(parts)


def _shown(name: Any) -> str:
    """Return the beginning of a name that nobody knows, which may be of any type and length."""
    return str(name)[:NAME_LENGTH]


def raise_problems(problems: Sequence[FieldProblem], found: int) -> None:
    """Raise Unprocessable if there are problems.

    Parameters
    ----------
    problems : sequence of FieldProblem
        The first of them; at most `LISTED_ERRORS` are listed.
    found : int
        How many there are in all.

    Raises
    ------
    Unprocessable
        If `found` is above 0.
    """
    if found:
        more = f"; the first {LISTED_ERRORS} are listed" if found > LISTED_ERRORS else ""
        number = (
            f"{found} problem{'s' if found > 1 else ''}"
            if found <= MAX_COUNTED_PROBLEMS
            else f"More than {MAX_COUNTED_PROBLEMS} problems"
        )
        raise Unprocessable(f"{number} found{more}.", problems[:LISTED_ERRORS])


def described(error: ValidationError, where: str, start: int) -> Iterator[FieldProblem]:
    """Yield the first hundred problems of a part of a list.

    Parameters
    ----------
    error : pydantic.ValidationError
        Of a list.
    where : str
        What errors call the list.
    start : int
        The place of the part's first item in the list.

    Yields
    ------
    FieldProblem
    """
    for one in islice(error.errors(include_url=False, include_context=False, include_input=False), LISTED_ERRORS):
        place, *rest = one["loc"]
        yield _problem(one["msg"], [where, start + int(place), *rest])


def _problems(error: ValidationError, where: str) -> Iterable[FieldProblem]:
    if error.error_count() > MAX_DESCRIBED_ERRORS:
        yield FieldProblem(field=where, problem="too many problems to list; send less, to see them")
        return
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        yield _problem(one["msg"], [where, *one["loc"]])


def _problem(message: str, path: Iterable[Any]) -> FieldProblem:
    name = ".".join(str(part)[:NAME_LENGTH] for part in path)
    return FieldProblem(field=name, problem=rule_in(message))
