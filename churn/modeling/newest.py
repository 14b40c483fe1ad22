"""Which rows of the reserved customers judge: the newest months, and further back only where these say too little."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.config.params import GateParams


def newest_rows(requested_at: pd.Series, churned: NDArray[np.float64], params: GateParams) -> NDArray[np.intp]:
    """Choose the rows of the newest months, counted back from the newest row: months without any change nothing.

    Parameters
    ----------
    requested_at : pandas.Series of datetime, shape (n,)
        When each row was asked for, in any order.
    churned : array of 0 and 1, shape (n,)
    params : GateParams
        `fresh_days`, and what is enough: `min_fresh_rows` rows, and `min_class_rows` of each class.

    Returns
    -------
    numpy.ndarray of int, shape (at most `max_fresh_rows`,)
        Positions, ascending: those of the last `fresh_days`; where they are not enough, as many of the newest as are; where all
        are not, all.

    Examples
    --------
    >>> days = pd.Series(pd.to_datetime(["2026-01-01", "2026-05-01", "2026-05-02"]))
    >>> params = GateParams(fresh_days=30, min_fresh_rows=30).model_copy(update={"min_fresh_rows": 2, "min_class_rows": 1})
    >>> newest_rows(days, np.array([0.0, 1.0, 0.0]), params).tolist()
    [1, 2]
    """
    moments = requested_at.to_numpy(dtype="datetime64[us]")
    order = np.argsort(moments, kind="stable")[::-1]
    if not len(order):
        return order
    left, rows = np.cumsum(churned[order]), np.arange(1, len(order) + 1)
    fewest = np.minimum(left, rows - left)
    enough = np.flatnonzero((rows >= params.min_fresh_rows) & (fewest >= params.min_class_rows))
    start = moments[order[0]] - np.timedelta64(round(params.fresh_days * 86_400), "s")
    recent = int((moments >= start).sum())
    needed = int(enough[0]) + 1 if len(enough) else len(order)
    return np.sort(order[: min(max(recent, needed), params.max_fresh_rows)])
