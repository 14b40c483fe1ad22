"""Concept drift: is the model worse on what came true than it was on its reference?

Two questions are put to the labelled rows. Both are sums of weighted residuals, Σ w (y - p), whose null distribution is known
from the model's own probabilities:

- *calibration in the large*, w = 1: do as many customers leave as the model expects, no more and no fewer (two-sided);
- *excess log loss*, w = -logit p: the mean log loss minus the entropy of p, which is the log loss that the model itself
  expects of these customers (one-sided: larger is worse). Since loss - entropy = -(y - p) logit p, this is Cox's test of the
  calibration slope (Cox 1958, Biometrika 45:562; for the Brier score Spiegelhalter 1986, Statistics in Medicine 5:421).

The plain mean log loss is not compared with that of the reference: customers who are harder to tell apart raise it although
nothing is wrong with the model. Entropy moves along with them, so the excess stays where it was. Both sums are blind to
covariate shift as far as the model is calibrated among the customers that arrive; where it is not, it is in fact wrong there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from churn.config.params import ProfitParams
from churn.data.labelled import customer_numbers
from churn.evaluation.intervals import metric_intervals, resampled_metrics
from churn.evaluation.profit import profits
from churn.evaluation.statistics import Customers
from churn.evaluation.weights import WEIGHT, copies

if TYPE_CHECKING:
    import pandas as pd

# A probability of exactly 0 or 1 has no finite log loss; a logistic regression gives neither.
SMALLEST = 1e-6
RESAMPLES, SEED = 200, 20_260_101
Z_95 = 1.959964
MEASURED = {
    "roc_auc": "roc_auc",
    "pr_auc": "pr_auc",
    "brier": "brier",
    "log_loss": "log_loss",
    "calibration_in_the_large": "calibration_gap",
}
# Of more rows a sample is resampled, and its intervals are narrowed by the square root of the ratio (m out of n bootstrap).
MAX_RESAMPLED = 5_000


@dataclass(frozen=True, slots=True)
class Performance:
    """How good the probabilities were on labelled rows. What is not known is None: all without rows, the areas with one class.

    Attributes
    ----------
    churn_rate, mean_probability : float or None
        Share that left, and share that the model expected.
    calibration_in_the_large : float or None
        churn_rate - mean_probability; above 0 more customers left than expected.
    roc_auc, pr_auc, brier, log_loss : float or None
        Log loss in nats; PR AUC as average precision.
    profit : float or None
        Of a campaign that contacts who is at or above the threshold, expected and per customer, in its currency; None where
        there are no terms of one.
    intervals : dict of (float, float)
        95 % intervals by measure (bootstrap of the customers); none where one class is missing.
    """

    rows: int
    churn_rate: float | None = None
    mean_probability: float | None = None
    calibration_in_the_large: float | None = None
    roc_auc: float | None = None
    pr_auc: float | None = None
    brier: float | None = None
    log_loss: float | None = None
    profit: float | None = None
    intervals: dict[str, tuple[float, float]] = field(default_factory=dict)


def measure_performance(
    labelled: pd.DataFrame, *, intervals: bool = True, threshold: float | None = None, campaign: ProfitParams | None = None
) -> Performance:
    """Measure the probabilities of labelled rows against what came true.

    Parameters
    ----------
    labelled : pandas.DataFrame
        Columns churn_probability (0 to 1) and churned (0 or 1), none missing; customer_id if it is known who is who; and weight,
        at least 1, if rows stand for others.
    intervals : bool
        Whether to compute the intervals; it takes resampling.
    threshold : float, optional
        Who is at or above it is contacted; together with `campaign`, for the profit.
    campaign : ProfitParams, optional
        What contacting a customer costs and brings.

    Returns
    -------
    Performance
        What cannot be known is None.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"churn_probability": [0.1, 0.4, 0.8], "churned": [0.0, 0.0, 1.0]})
    >>> performance = measure_performance(rows)
    >>> performance.roc_auc, round(performance.brier, 3)
    (1.0, 0.07)
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    stated = len(labelled)
    labelled = as_many_as_they_stand_for(labelled)
    y, p = outcomes_and_answers(labelled)
    if y.size == 0:
        return Performance(rows=0)
    both = 0 < y.sum() < y.size
    customer = customers_of(labelled)
    known = _intervals(y, p, customer) if both and intervals else {}
    profit = None
    if threshold is not None and campaign is not None:
        won = profits(y, p, threshold, campaign)
        profit, error = float(won.mean()), _standard_error(won, customer)
        known |= {"profit": (profit - Z_95 * error, profit + Z_95 * error)} if intervals else {}
    return Performance(
        rows=stated,
        churn_rate=float(y.mean()),
        mean_probability=float(p.mean()),
        calibration_in_the_large=float(y.mean() - p.mean()),
        roc_auc=float(roc_auc_score(y, p)) if both else None,
        pr_auc=float(average_precision_score(y, p)) if both else None,
        brier=float(((y - p) ** 2).mean()),
        log_loss=float(-np.where(y == 1, np.log(p), np.log1p(-p)).mean()),
        profit=profit,
        intervals=known,
    )


def as_many_as_they_stand_for(labelled: pd.DataFrame) -> pd.DataFrame:
    """Repeat rows as often as their weights say, as rows of the same customer; without weights, return them as they are."""
    import pandas as pd

    if WEIGHT not in labelled:
        return labelled
    often = copies(labelled[WEIGHT].to_numpy(dtype=np.float64))
    # A row without an id stands for itself, and its repetitions must not stand for themselves, too.
    own = pd.Series([f"row {place}" for place in range(len(labelled))], index=labelled.index, dtype=object)
    named = labelled["customer_id"].where(labelled["customer_id"].notna(), own) if "customer_id" in labelled else own
    repeated = labelled.assign(customer_id=named).iloc[np.repeat(np.arange(len(labelled)), often)]
    return repeated.drop(columns=WEIGHT).reset_index(drop=True)


def _standard_error(values: np.ndarray, customer: Customers | None) -> float:
    """Return that of a mean of rows; of customers with several rows by sums of each customer's (see `statistics.mean_bounds`)."""
    if customer is None:
        return float(values.std() / math.sqrt(values.size))
    sums = np.bincount(customer, weights=values - values.mean())
    return float(math.sqrt(float((sums**2).sum())) / values.size)


def _intervals(y: np.ndarray, p: np.ndarray, customer: Customers | None = None) -> dict[str, tuple[float, float]]:
    sample = np.arange(y.size)
    if y.size > MAX_RESAMPLED:
        sample = _sample(y.size, customer)
    found = metric_intervals(
        *(y[sample], p[sample], 0.5),
        confidence=0.95,
        resamples=RESAMPLES,
        seed=SEED,
        customer=None if customer is None else customer[sample],
    )
    known = {name: found[source] for name, source in MEASURED.items() if source in found}
    if sample.size == y.size:
        return known
    once = np.ones((1, sample.size), dtype=np.int64)
    order = sample[np.argsort(p[sample], kind="stable")]
    drawn, every = (resampled_metrics(y[rows], p[rows], 0.5, counts, None) for rows, counts in ((order, once), _all_once(p)))
    narrower = math.sqrt(sample.size / y.size)  # customers have about as many rows in the sample as elsewhere
    moved = {}
    for name, (low, high) in known.items():
        here, there = drawn[MEASURED[name]].item(), every[MEASURED[name]].item()
        moved[name] = (there - (here - low) * narrower, there + (high - here) * narrower)
    return moved


def _sample(rows: int, customer: Customers | None) -> np.ndarray:
    """Return rows drawn without replacement; where customers have several, customers with all of theirs."""
    rng = np.random.default_rng(SEED)
    if customer is None:
        return rng.choice(rows, MAX_RESAMPLED, replace=False)
    # At least one customer, however many rows: customers who take more than a sample's place are rare.
    drawn = rng.permutation(int(customer.max()) + 1)
    sizes = np.bincount(customer)[drawn]
    kept = drawn[: max(1, int(np.searchsorted(np.cumsum(sizes), MAX_RESAMPLED, side="right")))]
    return np.flatnonzero(np.isin(customer, kept))


def _all_once(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.argsort(p, kind="stable"), np.ones((1, p.size), dtype=np.int64)


def customers_of(rows: pd.DataFrame) -> Customers | None:
    """Number the customers of rows by the column customer_id; None if each row is another's. A row without an id stands alone."""
    return customer_numbers(rows["customer_id"]) if "customer_id" in rows else None


def outcomes_and_answers(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return the outcomes (0 or 1) and the probabilities, clipped so that their log loss is finite, each of shape (n,)."""
    y = rows["churned"].to_numpy(dtype=np.float64)
    p = rows["churn_probability"].to_numpy(dtype=np.float64)
    return y, np.clip(p, SMALLEST, 1 - SMALLEST)
