"""A file as it is, whatever it breaks: for comparing, not for learning. `churn.data.dataset` reads what must keep the rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from churn.contract import Contract
from churn.data.files import read_tabular_file
from churn.data.parsing import Problems, convert, read_flags
from churn.errors import InputError


@dataclass(frozen=True)
class UnvalidatedRows:
    """Customers as a file has them.

    Attributes
    ----------
    frame : pandas.DataFrame, shape (n, n_features)
        The contract's features as in `churn.customers.frame`: unknown levels as they stand, whatever cannot be read as missing. With
        column `churned` where the file has the outcome of every row.
    unreadable : dict of int
        Cells that are not what the contract says (text in a column of numbers, say), by column; those without any left out.
    absent : tuple of str
        Features that the file has no column for: all of their values are missing in `frame`.
    """

    path: Path
    frame: pd.DataFrame
    unreadable: dict[str, int]
    absent: tuple[str, ...]


def read_unvalidated(path: Path, contract: Contract) -> UnvalidatedRows:
    """Read a CSV or Parquet file and hold nothing against it but that it cannot be read at all. It may have no rows.

    Raises
    ------
    ContractError
        If a row has more or fewer fields than the header, or two columns have the same name.
    InputError
        If there is no such file, it is not readable, or it has none of the contract's columns.
    """
    sheet = read_tabular_file(path)
    columns, unreadable, absent = {}, {}, []
    for column in contract.features:
        spelled = next((name for name in (column.source, column.name) if name in sheet.columns), None)
        if spelled is None:
            absent.append(column.name)
        cells = sheet.columns[spelled] if spelled else pa.chunked_array([pa.nulls(sheet.rows, pa.string())])
        problems = Problems(sheet)
        columns[column.name] = convert(cells, column.model_copy(update={"nullable": True}), problems)
        if problems.total:
            unreadable[column.name] = problems.total
    if len(absent) == len(columns):
        raise InputError(
            f"{path}: has none of the columns of contract {contract.name!r}, {', '.join(contract.feature_names[:3])} …"
        )
    frame = pd.DataFrame(columns, columns=contract.feature_names)
    target = contract.target
    spelled = next((name for name in (target.source, target.column) if name in sheet.columns), None)
    if spelled is not None and sheet.rows:
        outcome = read_flags(sheet.columns[spelled], target.true_level, target.false_level, target.column, Problems(sheet))
        if outcome.notna().all():
            frame["churned"] = outcome
    return UnvalidatedRows(path, frame, unreadable, tuple(absent))
