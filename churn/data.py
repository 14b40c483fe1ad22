"""Read a file of customers and hold it against the contract: a `Dataset`, or a `ContractError` and nothing half-read."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pandera.errors

from churn.contract import Column, Contract
from churn.errors import ContractError, InputError, Problem
from churn.frame import frame_digest, frame_schema

MISSING = frozenset({"", "na", "nan", "null", "none"})
LISTED_PROBLEMS = 20


@dataclass(frozen=True)
class Dataset:
    """Validated customers.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n_customers, n_features)
        In the contract's order: float64 (flags 0/1) and text columns, see `churn.frame`.
    outcome : pandas.Series of int64 (0 or 1), shape (n_customers,), or None
        What came true, if the file tells.
    customer_id : pandas.Series of str, or None
    source : str
        Where it came from, for people.
    simulated : bool
        Whether these are invented customers.
    """

    features: pd.DataFrame
    outcome: pd.Series | None
    customer_id: pd.Series | None = None
    source: str = ""
    simulated: bool = False
    ignored_columns: list[str] = field(default_factory=list)

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
    def digest(self) -> str:
        """16 hexadecimal digits that stand for exactly these features and outcomes."""
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
        Whether every row must have an outcome. If False, the outcome is read where the file has it for all rows.
    check_relations : bool
        Whether the contract's relations between columns are rules (training data) or may be broken (traffic).

    Raises
    ------
    ContractError
        With up to 20 problems, each naming row, column and rule. Rows are lines of the file; the header is line 1.
    InputError
        If the file cannot be read at all.
    """
    raw = _read_text(path)
    problems: list[Problem] = []
    columns = {column.name: _find(raw, column.name, column.source) for column in contract.columns}
    target_column = _find(raw, contract.target.column, contract.target.source)
    for column in contract.features:
        if columns[column.name] is None:
            problems.append(Problem(f"column is missing (in the source: {column.source!r})", column=column.name))
    if labelled and target_column is None:
        problems.append(Problem(f"column is missing (in the source: {contract.target.source!r})", column=contract.target.column))
    if problems:
        raise ContractError(str(path), problems)
    if raw.empty:
        raise ContractError(str(path), [Problem("has no rows, only a header")])

    features = pd.DataFrame(
        {column.name: _convert(raw[columns[column.name]], column, problems) for column in contract.features},
        columns=contract.feature_names,
    )
    outcome = _outcome(raw, target_column, contract, labelled, problems)
    if not problems:
        problems += _broken_rules(features, contract)
    if not problems and check_relations:
        problems += _broken_relations(features, contract)
    if problems:
        problems.sort(key=lambda problem: problem.row or 0)
        raise ContractError(str(path), problems[:LISTED_PROBLEMS], total=len(problems))

    id_column = contract.id_column
    id_source = columns[id_column.name] if id_column else _find(raw, "customer_id", "Customer ID")
    known = {name for name in (*columns.values(), target_column, id_source) if name is not None}
    return Dataset(
        features,
        outcome,
        customer_id=raw[id_source] if id_source is not None else None,
        source=path.name,
        simulated=simulated,
        ignored_columns=[name for name in raw.columns if name not in known],
    )


def _read_text(path: Path) -> pd.DataFrame:
    """Every cell as text, so that our rules, not a parser's guesses, decide what it is."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    try:
        if path.suffix == ".parquet":
            frame = pd.read_parquet(path)
            return frame.astype(object).where(frame.notna(), "").map(_cell)
        return pd.read_csv(path, dtype=str, keep_default_na=False, na_filter=False, skipinitialspace=True)
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError, OSError, ValueError) as error:
        kind = "Parquet" if path.suffix == ".parquet" else "CSV text in UTF-8"
        raise InputError(f"{path}: not readable as {kind} ({' '.join(str(error).split())})") from error


def _cell(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _find(raw: pd.DataFrame, name: str, source: str) -> str | None:
    return next((spelling for spelling in (source, name) if spelling in raw.columns), None)


def _convert(text: pd.Series, column: Column, problems: list[Problem]) -> pd.Series:
    text = text.str.strip()
    missing = text.str.casefold().isin(MISSING) & ~text.isin(column.levels)
    if missing.any() and not column.nullable:
        problems += _listed(missing, text, column.name, "must not be missing")
    if column.kind == "category":
        return text.astype(object).mask(missing, pd.Series([None] * len(text), index=text.index, dtype=object))
    if column.kind == "flag":
        spelled = text.str.casefold()
        yes = spelled.isin({column.true_level.casefold(), "true", "1", "1.0"})
        no = spelled.isin({column.false_level.casefold(), "false", "0", "0.0"})
        problems += _listed(~(yes | no | missing), text, column.name, f"must be {column.true_level} or {column.false_level}")
        return pd.Series(np.where(yes, 1.0, np.where(no, 0.0, np.nan)), index=text.index)
    numbers = pd.to_numeric(text.where(~missing), errors="coerce").astype(np.float64)
    problems += _listed(numbers.isna() & ~missing, text, column.name, "must be a number")
    return numbers


def _outcome(
    raw: pd.DataFrame, name: str | None, contract: Contract, labelled: bool, problems: list[Problem]
) -> pd.Series | None:
    if name is None:
        return None
    spelled = raw[name].str.strip().str.casefold()
    target = contract.target
    yes = spelled.isin({target.true_level.casefold(), "true", "1", "1.0"})
    no = spelled.isin({target.false_level.casefold(), "false", "0", "0.0"})
    unknown = ~(yes | no)
    blank = spelled.isin(MISSING)
    if unknown.any():
        if not labelled and bool((blank | ~unknown).all()):
            return None
        problems += _listed(unknown, raw[name], target.column, f"must be {target.true_level} or {target.false_level}")
    return yes.astype(np.int64)


def _listed(wrong: pd.Series, text: pd.Series, column: str, rule: str) -> list[Problem]:
    rows = np.flatnonzero(wrong.to_numpy())
    return [Problem(rule, column=column, row=int(row) + 2, value=str(text.iloc[row])) for row in rows]


def _broken_rules(features: pd.DataFrame, contract: Contract) -> list[Problem]:
    try:
        frame_schema(contract).validate(features, lazy=True)
    except pandera.errors.SchemaErrors as errors:
        cases = errors.failure_cases
        return [
            Problem(
                str(case.check),
                column=str(case.column),
                row=None if pd.isna(case.index) else int(case.index) + 2,
                value=None if pd.isna(case.failure_case) else f"{case.failure_case}",
            )
            for case in cases.itertuples()
        ]
    return []


def _broken_relations(features: pd.DataFrame, contract: Contract) -> list[Problem]:
    problems: list[Problem] = []
    for check in contract.checks:
        difference = (features[check.column] - features[check.equals] * check.times).abs()
        # The tolerance is in the column's own unit; the slack is for the binary spelling of decimals.
        broken = difference > check.tolerance + 1e-9
        problems += _listed(broken, features[check.column], check.column, str(check))
    return problems
