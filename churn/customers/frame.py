"""Customers as a frame: one spelling for every reader. Numbers and flags are float64, categories are text or None."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import pandera.pandas as pa

from churn.contract import Column, Contract


def frame_from_records(records: Iterable[Mapping[str, Any]], contract: Contract) -> pd.DataFrame:
    """Turn validated records (JSON spelling) into the frame that models and monitors read.

    Parameters
    ----------
    records : iterable of mapping
        Feature name to value, as `request_model` gives them; an absent key is a missing value.
    contract : Contract
        Names the features and their kinds.

    Returns
    -------
    pandas.DataFrame, shape (n_records, n_features)
        float64 columns (flags as 0.0 or 1.0, missing as NaN) and object columns (text, missing as None).

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> frame = frame_from_records([{"total_day_minutes": 180, "international_plan": True}], load_contract())
    >>> frame[["total_day_minutes", "international_plan", "state"]].to_dict("records")
    [{'total_day_minutes': 180.0, 'international_plan': 1.0, 'state': None}]
    """
    rows = list(records)
    columns: dict[str, Any] = {}
    for column in contract.features:
        values = [row.get(column.name) for row in rows]
        if column.is_numeric:
            columns[column.name] = np.array([np.nan if v is None else float(v) for v in values], dtype=np.float64)
        else:
            columns[column.name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns, columns=contract.feature_names)


def frame_schema(contract: Contract, *, target: bool = False) -> pa.DataFrameSchema:
    """Give the pandera schema of a frame of this contract's features (and of its 0/1 target, if asked)."""
    return _frame_schema(contract.model_dump_json(include={"columns", "target", "name"}), target)


@lru_cache(maxsize=16)
def _frame_schema(contract_json: str, target: bool) -> pa.DataFrameSchema:
    contract = Contract.model_validate_json(contract_json)
    columns = {column.name: _column_schema(column, column.nullable) for column in contract.features}
    if target:
        columns[contract.target.column] = pa.Column(
            np.int64, pa.Check.isin([0, 1], error=f"must be {contract.target.true_level} or {contract.target.false_level}")
        )
    return pa.DataFrameSchema(columns, strict="filter")


def sensitive_schema(columns: Iterable[Column]) -> pa.DataFrameSchema:
    """Give the pandera schema of sensitive columns: any may be missing, and a category without levels is any text."""
    return pa.DataFrameSchema({column.name: _column_schema(column, True) for column in columns})


def _column_schema(column: Column, nullable: bool) -> pa.Column:
    checks = []
    if column.kind == "category":
        known = [pa.Check.isin(list(column.levels), error="unknown level")] if column.levels else None
        return pa.Column(object, known, nullable=nullable)
    if column.kind == "flag":
        checks.append(pa.Check.isin([0.0, 1.0], error=f"must be {column.true_level} or {column.false_level}"))
    else:
        unit = f" {column.unit}" if column.unit else ""
        if column.minimum is not None:
            checks.append(pa.Check.ge(column.minimum, error=f"must be at least {column.minimum:g}{unit}"))
        if column.maximum is not None:
            checks.append(pa.Check.le(column.maximum, error=f"must be at most {column.maximum:g}{unit}"))
        checks.append(pa.Check(np.isfinite, error="must be a finite number"))
    if column.kind == "integer":
        checks.append(pa.Check(lambda values: values % 1 == 0, error="must be a whole number"))
    return pa.Column(np.float64, checks, nullable=nullable)


def frame_digest(frame: pd.DataFrame) -> str:
    """Hash a frame's columns and values, order included, so that a model can name its data.

    Returns
    -------
    str
        16 hexadecimal digits. Equal frames have equal digests on every machine.
    """
    digest = hashlib.sha256("\x1f".join(map(str, frame.columns)).encode())
    digest.update(pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]
