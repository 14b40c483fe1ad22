"""Quality by month, where it is known when customers were asked about: one figure for a year hides the month that was bad."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from churn.evaluation.statistics import log_losses

COLUMNS = ["month", "rows", "churned", "churn_rate", "mean_probability", "roc_auc", "brier", "log_loss"]


def score_months(asked_at: pd.Series | None, outcome: np.ndarray, probability: np.ndarray) -> pd.DataFrame:
    """Score the customers of each month on their own.

    Parameters
    ----------
    asked_at : pandas.Series of datetime, shape (n,), or None
        When each was asked about; None if that is not known.
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)

    Returns
    -------
    pandas.DataFrame, shape (n_months, 8)
        Columns month (such as 2026-03, in UTC), rows, churned, churn_rate, mean_probability, roc_auc (NaN with one class), brier
        and log_loss; oldest month first. A month without customers has no row. Without times there are no rows.

    Examples
    --------
    >>> asked = pd.Series(pd.to_datetime(["2026-03-31", "2026-05-01", "2026-05-02"]))
    >>> score_months(asked, np.array([1, 0, 1]), np.array([0.5, 0.2, 0.8]))[["month", "rows", "brier"]].round(3).values.tolist()
    [['2026-03', 1, 0.25], ['2026-05', 2, 0.04]]
    """
    if asked_at is None:
        return pd.DataFrame(columns=COLUMNS)
    y, p = np.asarray(outcome, dtype=np.float64), np.asarray(probability, dtype=np.float64)
    lost = log_losses(y, p)
    month = asked_at.dt.strftime("%Y-%m").to_numpy()
    found = []
    for name in np.unique(month):
        here = month == name
        both = 0 < y[here].sum() < here.sum()
        found.append(
            {
                "month": str(name),
                "rows": int(here.sum()),
                "churned": int(y[here].sum()),
                "churn_rate": float(y[here].mean()),
                "mean_probability": float(p[here].mean()),
                "roc_auc": float(roc_auc_score(y[here], p[here])) if both else float("nan"),
                "brier": float(np.mean((y[here] - p[here]) ** 2)),
                "log_loss": float(lost[here].mean()),
            }
        )
    return pd.DataFrame(found, columns=COLUMNS)
