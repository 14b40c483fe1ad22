"""A file as it is, whatever it breaks: for comparing, not for learning. `churn.data.dataset` reads what must keep the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from churn.contract import Contract
from churn.data.columns import read_leniently, read_target, read_time_column
from churn.data.files import read_tabular_file
from churn.data.headers import find_columns
from churn.errors import InputError


@dataclass(frozen=True)
class UnvalidatedRows:
    """Customers as a file has them.

    Attributes
    ----------
    frame : pandas.DataFrame, shape (n, n_features)
        The contract's features as in `churn.customers.frame`: unknown levels as they stand, whatever cannot be read as missing.
        With column `churned` where the file has the outcome of every row.
    unreadable : dict of int
        Cells that are not what the contract says (text in a column of numbers, say), by column; those without any left out.
    absent : tuple of str
        Features that the file has no column for: all of their values are missing in `frame`.
    asked_at : pandas.Series of datetime64 in UTC, shape (n,), or None
        The times that the rows speak of, NaT where a cell names none; None where the contract or the file has no column of them.
    """

    path: Path
    frame: pd.DataFrame
    unreadable: dict[str, int]
    absent: tuple[str, ...]
    asked_at: pd.Series | None = None


def read_unvalidated(path: Path, contract: Contract) -> UnvalidatedRows:
    """Read a CSV or Parquet file as it is, whatever rules its values break. It may have no rows.

    Parameters
    ----------
    path : Path
    contract : Contract

    Returns
    -------
    UnvalidatedRows

    Raises
    ------
    ContractError
        If a row has more or fewer fields than the header, or two columns have the same name.
    InputError
        If there is no such file, it is not readable, or it has none of the contract's columns.
    """
    file = read_tabular_file(path)
    found = find_columns(str(path), file.columns, contract, ())
    columns, unreadable, absent = {}, {}, []
    for column in contract.features:
        if column.name not in found:
            absent.append(column.name)
        cells = file.columns[found[column.name]] if column.name in found else pa.chunked_array([pa.nulls(file.rows, pa.string())])
        columns[column.name], wrong = read_leniently(cells, column)
        if wrong:
            unreadable[column.name] = wrong
    if len(absent) == len(columns):
        raise InputError(
            f"{path}: has none of the columns of contract {contract.name!r}, {', '.join(contract.feature_names[:3])} …"
        )
    frame = pd.DataFrame(columns, columns=contract.feature_names)
    target = contract.target
    if target.column in found and file.rows:
        outcome = read_target(file.columns[found[target.column]], target, lambda row, rule, cell: None)
        if outcome.notna().all():
            frame["churned"] = outcome
    asked_at = None
    if (when := contract.time_column) is not None and when.name in found:
        problems: list[str] = []
        asked_at = read_time_column(file.columns[found[when.name]], when, lambda row, rule, cell: problems.append(rule))
        if problems:
            unreadable[when.name] = len(problems)
    return UnvalidatedRows(path, frame, unreadable, tuple(absent), asked_at)
