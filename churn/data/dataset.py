"""Read a file of customers and hold it against the contract: a `Dataset`, or a `ContractError` and nothing half-read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pandera.errors
from pandera.pandas import DataFrameSchema

from churn.contract import Contract, Target
from churn.customers.frame import frame_digest, frame_schema, sensitive_schema
from churn.data.files import read_tabular_file
from churn.data.headers import find_columns, id_name_of
from churn.data.parsing import Problems, convert, read_flags, texts
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
    """

    features: pd.DataFrame
    outcome: pd.Series | None
    customer_id: pd.Series | None = None
    source: str = ""
    simulated: bool = False
    ignored_columns: list[str] = field(default_factory=list)
    sensitive: pd.DataFrame | None = None

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
    path: Path, contract: Contract, *, labelled: bool = True, check_relations: bool = True, simulated: bool = False
) -> Dataset:
    """Read a CSV or Parquet file whose columns are spelled as in the source or as in the contract.

    Parameters
    ----------
    path : Path
        `.csv` (also `.csv.gz`) or `.parquet`.
    contract : Contract
        What is allowed.
    labelled : bool
        Whether every row must have an outcome, and be the only one of its customer: one who is there twice would be both
        learned from and judged by. If False, the outcome is read where the file has it for all rows.
    check_relations : bool
        Whether the contract's relations between columns are rules (training data) or may be broken (traffic).

    Raises
    ------
    ContractError
        With up to 20 problems, each naming row, column and rule. Rows are lines of a CSV file, whose header is line 1, or
        numbered from 1 in Parquet.
    InputError
        If the file cannot be read at all.
    """
    sheet = read_tabular_file(path)
    needed = {*contract.feature_names, *([contract.target.column] if labelled else [])}
    found = find_columns(str(path), sheet.columns, contract, needed)
    if sheet.rows == 0:
        raise ContractError(str(path), [Problem("has no rows, only a header")])

    problems = Problems(sheet)
    features = pd.DataFrame(
        {column.name: convert(sheet.columns[found[column.name]], column, problems) for column in contract.features},
        columns=contract.feature_names,
    )
    # Lenient: whatever is not there, column or cell, is not known. Only what is there must be what it is said to be.
    sensitive = pd.DataFrame(
        {
            column.name: convert(sheet.columns[found[column.name]], column.model_copy(update={"nullable": True}), problems)
            for column in contract.sensitive
            if column.name in found
        }
    )
    target = contract.target
    outcome = _outcome(sheet.columns[found[target.column]], target, labelled, problems) if target.column in found else None
    id_name = id_name_of(contract)
    customer_id = texts(sheet.columns[found[id_name]]) if id_name in found else None
    if labelled and customer_id is not None:
        repeated = (customer_id.duplicated() & customer_id.notna()).to_numpy()
        problems.note(repeated, customer_id, id_name, "the customer is there twice; keep one row each")
    if not problems.total:
        _note_broken_rules(features, frame_schema(contract), problems)
        _note_broken_rules(sensitive, sensitive_schema(contract[str(name)] for name in sensitive), problems)
    if not problems.total and check_relations:
        _note_broken_relations(features, contract, problems)
    problems.raise_any()

    return Dataset(
        features,
        outcome,
        customer_id=customer_id,
        source=path.name,
        simulated=simulated,
        ignored_columns=[name for name in sheet.columns if name not in found.values()],
        sensitive=None if sensitive.empty else sensitive,
    )


def _outcome(cells: Any, target: Target, labelled: bool, problems: Problems) -> pd.Series | None:
    trial = Problems(problems.sheet)
    flags = read_flags(cells, target.true_level, target.false_level, target.column, trial)
    if trial.total == 0 and flags.isna().any():
        if not labelled:
            return None
        rule = f"must be {target.true_level} or {target.false_level}, not blank"
        trial.note(flags.isna().to_numpy(), cells, target.column, rule)
    problems.take(trial)
    return flags.fillna(0).astype(np.int64)


def _note_broken_rules(frame: pd.DataFrame, schema: DataFrameSchema, problems: Problems) -> None:
    try:
        schema.validate(frame, lazy=False)
    except pandera.errors.SchemaError:
        # Something is wrong. pandera lists millions of cases slowly: ask it for the column and the check, count ourselves.
        for name, column in schema.columns.items():
            values = frame[name]
            for check in column.checks:
                passed = check(values.dropna()).check_output.reindex(values.index, fill_value=True)
                problems.note(~passed.to_numpy(dtype=bool), values, name, str(check.error))


def _note_broken_relations(features: pd.DataFrame, contract: Contract, problems: Problems) -> None:
    for check in contract.checks:
        difference = (features[check.column] - features[check.equals] * check.times).abs()
        # The tolerance is in the column's own unit; the slack is for the binary spelling of decimals.
        problems.note((difference > check.tolerance + 1e-9).to_numpy(), features[check.column], check.column, str(check))
