"""The customers of a frame, as values that a compiled model reads, and explained one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from churn.explain.attribution import Attributor

if TYPE_CHECKING:
    import pandas as pd


def column_values(features: pd.DataFrame) -> list[list[Any]]:
    """Return the columns of a frame as `CompiledModel.logit` reads them: None where a value is missing."""
    columns = []
    for name in features.columns:
        values = features[name].tolist()
        for row in np.flatnonzero(features[name].isna()).tolist():
            values[row] = None
        columns.append(values)
    return columns


def attribute_rows(attributor: Attributor, features: pd.DataFrame) -> NDArray[np.float64]:
    """Return what each column contributes to each customer's log-odds.

    Parameters
    ----------
    attributor : Attributor
    features : pandas.DataFrame, shape (n, n_columns)
        The columns that the model reads, in its order.

    Returns
    -------
    numpy.ndarray of float64, shape (n, n_columns)
    """
    rows = [attributor.attribute(values).contributions for values in zip(*column_values(features), strict=True)]
    return np.array(rows, dtype=np.float64).reshape(-1, features.shape[1])
