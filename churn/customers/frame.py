"""Customers as a frame: one spelling for every reader. Numbers and flags are float64, categories are text or None."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from churn.contract import Contract


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
