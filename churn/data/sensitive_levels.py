"""Read a file that says which group each customer is in, by sensitive columns; and read back what was kept of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from churn.contract import Column, Contract
from churn.customers.cell_rule import number_text
from churn.customers.column_names import is_pandas_index
from churn.data.columns import read_column, read_id_column
from churn.data.files import read_tabular_file
from churn.data.headers import find_columns, id_name_of
from churn.data.problems import LISTED_PROBLEMS, Problems
from churn.errors import ContractError, InputError, Problem

# A level is a word on pages and in metrics.
MAX_LEVEL_LENGTH = 128
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def read_sensitive_levels(path: Path, contract: Contract) -> pd.DataFrame:
    """Read a CSV or Parquet file of customers' ids and sensitive columns, and of nothing else.

    Parameters
    ----------
    path : Path
        `.csv` (also `.csv.gz`) or `.parquet`.
    contract : Contract
        Says which columns are sensitive, and what their cells may be.

    Returns
    -------
    pandas.DataFrame of str, shape (n_customers, n_columns)
        The sensitive columns that the file has, as texts, None where nothing is known; customers' ids are the index.

    Raises
    ------
    ContractError
        With up to 20 problems, each naming row, column and rule: also if there is any other column, since what is not needed for
        comparing groups is not to be sent.
    InputError
        If the file cannot be read at all, or the contract has no sensitive columns.
    """
    if not contract.sensitive:
        raise InputError(f"contract {contract.name!r} has no column of the role `sensitive`")
    file = read_tabular_file(path)
    id_name, wanted = id_name_of(contract), {column.name: column for column in contract.sensitive}
    found = find_columns(str(path), file.columns, contract, {id_name})
    read = {found[name] for name in (id_name, *wanted) if name in found}
    if foreign := [name for name in file.columns if name not in read and not is_pandas_index(name)]:
        rule = "is no sensitive column of the contract: leave it out"
        raise ContractError(str(path), [Problem(rule, column=name) for name in foreign[:LISTED_PROBLEMS]], len(foreign))
    if len(read) < 2:
        raise ContractError(str(path), [Problem(f"has none of the sensitive columns ({', '.join(wanted)})")])
    if file.rows == 0:
        raise ContractError(str(path), [Problem("has no rows, only a header")])
    problems = Problems(file)
    ids = read_id_column(file.columns[found[id_name]], lambda row, rule, cell: problems.add(row, id_name, rule, cell))
    if not problems.total:
        for row in np.flatnonzero(ids.isna().to_numpy()).tolist():
            problems.add(row, id_name, "must name the customer")
        for row in np.flatnonzero((ids.duplicated() & ids.notna()).to_numpy()).tolist():
            problems.add(row, id_name, "the customer is there twice; keep one row each", ids.iloc[row])
    levels = {name: _texts(file.columns[found[name]], column, problems) for name, column in wanted.items() if name in found}
    problems.raise_any()
    return pd.DataFrame(levels, dtype=object).set_axis(pd.Index(ids, name=id_name))


def _texts(cells: object, column: Column, problems: Problems) -> list[str | None]:
    """Return a column's cells as the texts that stand for them: a flag's level, a number without trailing zeros."""
    lenient = column.model_copy(update={"nullable": True})
    values = read_column(cells, lenient, lambda row, rule, cell: problems.add(row, column.name, rule, cell))
    texts: list[str | None] = []
    for row, value in enumerate(values.tolist()):
        text = None if pd.isna(value) else value if isinstance(value, str) else _spell(value, column)
        if text is not None and len(text) > MAX_LEVEL_LENGTH:
            problems.add(row, column.name, f"must have at most {MAX_LEVEL_LENGTH} characters", text)
        elif text is not None and _FORBIDDEN.search(text):
            problems.add(row, column.name, "must not contain control characters", text)
        texts.append(text)
    return texts


def _spell(number: float, column: Column) -> str:
    if column.kind == "flag":
        return column.true_level if number else column.false_level
    return number_text(number)


def sensitive_frame(customer_ids: Iterable[str], known: Mapping[str, Mapping[str, str]], contract: Contract) -> pd.DataFrame:
    """Return what was kept of customers as a labelled file has it.

    Parameters
    ----------
    customer_ids : iterable of str, length n
        Each row's customer.
    known : mapping of str to mapping of str to str
        Levels by column, by customer.
    contract : Contract
        Today's: what another one said, and this one does not know, is not known.

    Returns
    -------
    pandas.DataFrame, shape (n, n_columns)
        The sensitive columns of which anything is known: float64 (flags 0/1, missing as NaN) and text (missing as None).

    Examples
    --------
    >>> columns = [{"name": "calls", "source": "Calls", "kind": "integer"}]
    >>> columns += [{"name": "age", "source": "Age", "kind": "integer", "role": "sensitive"}]
    >>> known = {"anna": {"age": "43", "shoe_size": "38"}}
    >>> sensitive_frame(["anna", "ben"], known, Contract.model_validate({"name": "c", "columns": columns}))["age"].tolist()
    [43.0, nan]
    """
    rows = [known.get(customer_id, {}) for customer_id in customer_ids]
    frame = pd.DataFrame(index=range(len(rows)))
    for column in contract.sensitive:
        values = _values(pd.Series([row.get(column.name) for row in rows], dtype=object), column)
        if values.notna().any():
            frame[column.name] = values
    return frame


def _values(texts: pd.Series, column: Column) -> pd.Series:
    if column.kind == "flag":
        return texts.map({column.true_level: 1.0, column.false_level: 0.0}).astype("float64")
    if column.kind == "category":
        known = frozenset(column.levels)
        return pd.Series([text if not known or text in known else None for text in texts], dtype=object)
    return pd.to_numeric(texts, errors="coerce").astype("float64")
