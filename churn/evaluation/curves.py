"""Evaluation curves as frames: for plots, for `dvc plots`, for a tracker."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import precision_recall_curve, roc_curve

from churn.config.params import ProfitParams
from churn.evaluation.profit import profit_curve
from churn.evaluation.ranking import rank
from churn.evaluation.scorecard import equal_bins
from churn.evaluation.statistics import Customers

# A plot cannot show more points than this.
POINTS = 1_000


def curves_of(
    outcome: np.ndarray,
    probability: np.ndarray,
    profit: ProfitParams,
    *,
    bins: int = 10,
    confidence: float = 0.95,
    customer: Customers | None = None,
) -> dict[str, pd.DataFrame]:
    """Return all curves.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
        Without both classes there is no `roc`, and without churners no `precision_recall`, `gains` or `lift`.
    probability : array of float in [0, 1], shape (n,)
    profit : ProfitParams
    bins : int
        Number of bins of the calibration curve.
    confidence : float
        Of its intervals, in (0, 1).
    customer : array of int, shape (n,), optional
        Which rows are of the same customer; None if each is of another one.

    Returns
    -------
    dict of str to pandas.DataFrame
        - roc: false_positive_rate, true_positive_rate
        - precision_recall: recall, precision
        - calibration: predicted, observed, low, high, customers; see `calibration_curve`
        - gains: contacted_share, churners_share
        - lift: decile (1 has the highest scores), lift (its churn rate over that of all)
        - profit: threshold, contacted_share, profit_per_customer
    """
    curves = {
        "calibration": calibration_curve(outcome, probability, bins=bins, confidence=confidence, customer=customer),
        "profit": _thinned(profit_curve(outcome, probability, profit)),
    }
    if not outcome.any():
        return curves
    precision, recall, _ = precision_recall_curve(outcome, probability)
    curves["precision_recall"] = _thinned(pd.DataFrame({"recall": recall, "precision": precision}))
    ranking = rank(outcome, probability)
    shares = ranking.contacted / ranking.total
    curves["gains"] = _thinned(pd.DataFrame({"contacted_share": shares, "churners_share": ranking.gain(shares)}))
    tenths = np.linspace(0, 1, 11)
    curves["lift"] = pd.DataFrame({"decile": np.arange(1, 11), "lift": np.diff(ranking.gain(tenths)) / 0.1})
    if not outcome.all():
        false_positive_rate, true_positive_rate, _ = roc_curve(outcome, probability)
        rates = {"false_positive_rate": false_positive_rate, "true_positive_rate": true_positive_rate}
        curves["roc"] = _thinned(pd.DataFrame(rates))
    return curves


def calibration_curve(
    outcome: np.ndarray, probability: np.ndarray, *, bins: int, confidence: float, customer: Customers | None = None
) -> pd.DataFrame:
    """Compare predicted with observed churn rates, in bins of equal population: those of `expected_calibration_error`.

    The intervals are Wilson's (Journal of the American Statistical Association 22, 1927, doi:10.1080/01621459.1927.10502953).
    Where customers have several rows, they are made for as many customers as there are, at the churn rate of the rows.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    bins : int
    confidence : float
        Of each interval, in (0, 1).
    customer : array of int, shape (n,), optional
        Which rows are of the same customer; None if each is of another one.

    Returns
    -------
    pandas.DataFrame, shape (at most bins, 5)
        predicted (mean probability), observed (churn rate), its Wilson interval low and high, customers.
    """
    rows = []
    bin_of = equal_bins(probability, bins)
    for number in np.unique(bin_of):
        part = bin_of == number
        size, churned = int(part.sum()), int(outcome[part].sum())
        customers = size if customer is None else len(np.unique(customer[part]))
        wilson = binomtest(round(churned * customers / size), customers).proportion_ci(confidence, method="wilson")
        rows.append((float(probability[part].mean()), churned / size, wilson.low, wilson.high, customers))
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "customers"])


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    if len(curve) <= POINTS:
        return curve
    return curve.iloc[np.linspace(0, len(curve) - 1, POINTS).round().astype(int)].reset_index(drop=True)
