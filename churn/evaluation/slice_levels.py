"""Levels: which level of a sliced column each customer has. Missing values are a level too: "missing"."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from churn.config.params import SliceParams
from churn.contract import Column, Contract

if TYPE_CHECKING:
    import pandas as pd

MISSING = "missing"
# A number with at most so many values has levels rather than a scale: a senior citizen is 0 or 1.
FEW = 4


def sliced_levels(
    features: pd.DataFrame, sensitive: pd.DataFrame | None, contract: Contract, params: SliceParams
) -> list[tuple[str, pd.Series]]:
    """Return each sliced column's level for each customer.

    Parameters
    ----------
    features : pandas.DataFrame, shape (n, n_features)
        Columns that are absent have no slices.
    sensitive : pandas.DataFrame, shape (n, at least 1), or None
        Of the same customers.
    contract : Contract
    params : SliceParams
        Of it the bands.

    Returns
    -------
    list of (str, pandas.Series)
        Each column, in the contract's order, with a level a customer: categories, bands in their order.
    """
    import pandas as pd

    levels = []
    for column in contract.features:
        if column.name not in features:
            continue
        values = features[column.name]
        if column.kind in {"flag", "category"}:
            levels.append((column.name, _named(values, column)))
        elif column.name in params.bands:
            levels.append((column.name, _banded(values, params.bands[column.name])))
    for column in contract.sensitive:
        if sensitive is not None and column.name in sensitive:
            values = sensitive[column.name]
            few = not pd.api.types.is_numeric_dtype(values) or values.nunique() <= FEW
            levels.append((column.name, _named(values, column) if few else _quartered(values)))
    return levels


def _named(values: pd.Series, column: Column) -> pd.Series:
    if column.kind == "flag":
        values = values.replace({0: column.false_level, 1: column.true_level})
    named = values.map(lambda value: f"{value:g}" if isinstance(value, float) else str(value), na_action="ignore")
    return _with_missing(named.astype("category"))


def _banded(values: pd.Series, edges: list[float]) -> pd.Series:
    import pandas as pd

    middle = [f"{low:g} to {high:g}" for low, high in pairwise(edges)]
    labels = [f"under {edges[0]:g}", *middle, f"{edges[-1]:g} and more"]
    return _with_missing(pd.cut(values, [-np.inf, *edges, np.inf], right=False, labels=labels))


def _quartered(values: pd.Series) -> pd.Series:
    edges = np.unique(values.quantile([0.25, 0.5, 0.75]).to_numpy())
    return _banded(values, [float(edge) for edge in edges])


def _with_missing(levels: pd.Series) -> pd.Series:
    return levels.cat.add_categories(MISSING).fillna(MISSING)
