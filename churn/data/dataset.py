"""Read a file of customers and hold it against the contract: a `Dataset`, or a `ContractError` and nothing half-read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from churn.contract import Contract, Target
from churn.customers.column_names import is_pandas_index
from churn.customers.customer import EMPTY_CUSTOMER
from churn.customers.frame import frame_digest
from churn.data.columns import OnProblem, read_column, read_id_column, read_target, read_time_column
from churn.data.files import read_tabular_file
from churn.data.headers import find_columns, id_name_of
from churn.data.problems import Problems
from churn.errors import ContractError, InputError, Problem


@dataclass(frozen=True)
class Dataset:
    """Validated customers.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n_customers, n_features)
        In the contract's order: float64 (flags 0/1) and text columns, see `churn.customers.frame`.
    outcome : pandas.Series of int64 (0 or 1), shape (n_customers,), or None
        What came true, if the file tells.
    customer_id : pandas.Series of str (None where missing), or None
    source : str
        Where it came from, for people.
    simulated : bool
        Whether these are invented customers.
    sensitive : pandas.DataFrame, shape (n_customers, at least 1), or None
        The sensitive columns that the file has, spelled as features are; for comparing groups, never for a model.
    asked_at : pandas.Series of datetime64 in UTC (NaT where missing), or None
        The time that each row speaks of, if the contract has a column with the role `time` and the file tells it.
    """

    features: pd.DataFrame
    outcome: pd.Series | None
    customer_id: pd.Series | None = None
    source: str = ""
    simulated: bool = False
    ignored_columns: list[str] = field(default_factory=list)
    sensitive: pd.DataFrame | None = None
    asked_at: pd.Series | None = None

    def __len__(self) -> int:
        return len(self.features)

    @property
    def labelled(self) -> pd.Series:
        """The outcome.

        Raises
        ------
        InputError
            If the data are not labelled.
        """
        if self.outcome is None:
            raise InputError(f"{self.source}: needs the outcome column")
        return self.outcome

    @property
    def uninformative(self) -> list[str]:
        """Names of the features that are empty or the same for everybody: they are kept, and nothing is learned from them."""
        return [str(name) for name, values in self.features.items() if values.nunique(dropna=False) <= 1]

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that stand for exactly these features and outcomes: what a model may learn from."""
        frame = self.features if self.outcome is None else self.features.assign(**{"<outcome>": self.outcome.to_numpy()})
        return frame_digest(frame)


def read_dataset(
    path: Path,
    contract: Contract,
    *,
    labelled: bool = True,
    once: bool = True,
    check_relations: bool = True,
    simulated: bool = False,
) -> Dataset:
    """Read a CSV or Parquet file whose columns are spelled as in the source or as in the contract.

    Parameters
    ----------
    path : Path
        `.csv` (also `.csv.gz`) or `.parquet`.
    contract : Contract
        What is allowed.
    labelled : bool
        Whether every row must have an outcome. If False, the outcome is read where the file has it for all rows.
    once : bool
        Whether each row of a labelled file must be the only one of its customer: one who is there twice would be both learned
        from and judged by.
    check_relations : bool
        Whether the contract's relations between columns are rules (training data) or may be broken (traffic).
    simulated : bool
        Whether these are invented customers.

    Returns
    -------
    Dataset

    Raises
    ------
    ContractError
        With up to 20 problems, each naming row, column and rule. Rows are lines of a CSV file, whose header is line 1, or
        numbered from 1 in Parquet.
    InputError
        If the file cannot be read at all.
    """
    file = read_tabular_file(path)
    needed = {*contract.feature_names, *([contract.target.column] if labelled else [])}
    found = find_columns(str(path), file.columns, contract, needed)
    if file.rows == 0:
        raise ContractError(str(path), [Problem("has no rows, only a header")])

    problems = Problems(file)
    cells = {name: file.columns[given] for name, given in found.items()}
    features = pd.DataFrame(
        {column.name: read_column(cells[column.name], column, _noting(problems, column.name)) for column in contract.features},
        columns=contract.feature_names,
    )
    sensitive = _sensitive(cells, contract, problems)
    target, id_name = contract.target, id_name_of(contract)
    outcome = _outcome(cells[target.column], target, labelled, problems) if target.column in cells else None
    customer_id = read_id_column(cells[id_name], _noting(problems, id_name)) if id_name in cells else None
    asked_at = _asked_at(cells, contract, problems)
    if labelled and once and customer_id is not None:
        _note_repeated_customers(customer_id, id_name, problems)
    if not problems.total:
        _note_empty_customers(features, problems)
    if not problems.total and check_relations:
        _note_broken_relations(features, contract, problems)
    problems.raise_any()

    read = {*found.values(), *(name for name in file.columns if is_pandas_index(name))}
    return Dataset(
        features,
        outcome,
        customer_id=customer_id,
        source=path.name,
        simulated=simulated,
        ignored_columns=[name for name in file.columns if name not in read],
        sensitive=None if sensitive.empty else sensitive,
        asked_at=asked_at,
    )


def _noting(problems: Problems, column: str) -> OnProblem:
    return lambda row, rule, cell: problems.add(row, column, rule, cell)


def _sensitive(cells: Mapping[str, Any], contract: Contract, problems: Problems) -> pd.DataFrame:
    """Read the sensitive columns that are there. Any cell may be blank; one that is not must be what the contract says."""
    return pd.DataFrame(
        {
            column.name: read_column(
                cells[column.name], column.model_copy(update={"nullable": True}), _noting(problems, column.name)
            )
            for column in contract.sensitive
            if column.name in cells
        }
    )


def _asked_at(cells: Mapping[str, Any], contract: Contract, problems: Problems) -> pd.Series | None:
    column = contract.time_column
    if column is None or column.name not in cells:
        return None
    return read_time_column(cells[column.name], column, _noting(problems, column.name))


def _outcome(cells: Any, target: Target, labelled: bool, problems: Problems) -> pd.Series | None:
    before = problems.total
    flags = read_target(cells, target, _noting(problems, target.column))
    missing = flags.isna()
    if problems.total == before and missing.any():
        if not labelled:
            return None
        rule = f"must be {target.true_level} or {target.false_level}, not blank; leave out rows whose outcome is not known yet"
        for row in np.flatnonzero(missing.to_numpy()).tolist():
            problems.add(row, target.column, rule, cells[row].as_py())
    return flags.fillna(0).astype(np.int64)


def _note_repeated_customers(customer_id: pd.Series, id_name: str, problems: Problems) -> None:
    for row in np.flatnonzero((customer_id.duplicated() & customer_id.notna()).to_numpy()).tolist():
        problems.add(row, id_name, "the customer is there twice; keep one row each", customer_id.iloc[row])


def _note_empty_customers(features: pd.DataFrame, problems: Problems) -> None:
    for row in np.flatnonzero(features.isna().all(axis=1).to_numpy()).tolist():
        problems.add(row, None, EMPTY_CUSTOMER)


def _note_broken_relations(features: pd.DataFrame, contract: Contract, problems: Problems) -> None:
    for check in contract.checks:
        difference = (features[check.column] - features[check.equals] * check.times).abs()
        # The tolerance is in the column's own unit; the slack is for how binary floats hold decimals.
        for row in np.flatnonzero((difference > check.tolerance + 1e-9).to_numpy()).tolist():
            problems.add(row, check.column, str(check), features[check.column].iloc[row])
