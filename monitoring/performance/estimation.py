"""Estimate how good the model is on customers without outcomes, if its answers still mean what they meant.

Confidence-based estimation: each answer, recalibrated on the reference, is the chance that its customer leaves. What is uncertain
is that recalibration, and chance itself; both are drawn. The estimate follows shifts of customers, and is blind to concept drift:
where outcomes come and disagree with it, the concept has changed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from churn.config.params import ProfitParams
from churn.evaluation.profit import profits
from churn.evaluation.statistics import Customers
from monitoring.performance.recalibration import Floats, Recalibration, logit
from monitoring.performance.score_selection import shares_of

if TYPE_CHECKING:
    import pandas as pd

DRAWS, SEED = 200, 20_260_101
# More rows do not make the interval narrower than the recalibration is.
MAX_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Estimate:
    """What outcomes would probably show.

    Attributes
    ----------
    roc_auc, brier, churn_rate, profit : float or None
        Medians of what was drawn; the area None where all answers are equal, the profit (per customer, in the campaign's
        currency) without the terms of one.
    intervals : dict of (float, float)
        95 % of what was drawn, by measure.
    """

    rows: int
    roc_auc: float | None
    brier: float | None
    churn_rate: float | None
    profit: float | None
    intervals: dict[str, tuple[float, float]]


def estimate_performance(
    reference: pd.DataFrame,
    probability: Floats,
    *,
    customer: Customers | None = None,
    threshold: float | None = None,
    campaign: ProfitParams | None = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> Estimate | None:
    """Estimate performance without outcomes.

    Parameters
    ----------
    reference : pandas.DataFrame
        Columns churn_probability (out-of-fold) and churned.
    probability : ndarray, shape (n,)
        The model's answers, each in [0, 1].
    customer : ndarray of int, shape (n,), optional
        Which answers are about the same customer, who then leaves in all of them or in none as far as their probabilities agree;
        None if each is about another one.
    threshold : float, optional
        Who is at or above it is contacted; together with `campaign`, for the profit.
    campaign : ProfitParams, optional
        What contacting a customer costs and brings.
    draws : int
        How many times outcomes are drawn.
    seed : int
        Of the draws.

    Returns
    -------
    Estimate or None
        None without rows on either side.

    Examples
    --------
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> p = rng.beta(1, 5, 3000)
    >>> reference = pd.DataFrame({"churn_probability": p, "churned": (rng.random(3000) < p) * 1.0})
    >>> estimate = estimate_performance(reference, rng.beta(1, 5, 1000))
    >>> low, high = estimate.intervals["brier"]
    >>> low < 0.119 < high
    True
    """
    if reference.empty or probability.size == 0:
        return None
    rng = np.random.default_rng(seed)
    chosen = (
        np.arange(probability.size) if probability.size <= MAX_ROWS else rng.choice(probability.size, MAX_ROWS, replace=False)
    )
    chosen = chosen[np.argsort(probability[chosen], kind="stable")]
    p, who = probability[chosen], None if customer is None else np.unique(customer[chosen], return_inverse=True)[1]
    known = [reference[name].to_numpy(dtype=np.float64) for name in ("churn_probability", "churned")]
    fitted, z = Recalibration.of(known[0], known[1], shares_of(reference)), logit(p)
    first = np.concatenate([[0], np.flatnonzero(np.diff(p)) + 1])
    drawn: dict[str, list[float]] = {"roc_auc": [], "brier": [], "churn_rate": [], "profit": []}
    for truth in fitted.draw(draws, rng):
        fate = rng.random(p.size) if who is None else rng.random(int(who.max()) + 1)[who]
        left = fate < truth.apply(z)
        drawn["brier"].append(float(((left - p) ** 2).mean()))
        drawn["churn_rate"].append(float(left.mean()))
        if threshold is not None and campaign is not None:
            drawn["profit"].append(float(profits(left, p, threshold, campaign).mean()))
        area = _area(left, first)
        if area is not None:
            drawn["roc_auc"].append(area)
    found = {name: np.quantile(values, [0.025, 0.5, 0.975]) for name, values in drawn.items() if len(values) > draws / 2}
    if first.size == 1:
        found.pop("roc_auc", None)
    middle = {name: float(found[name][1]) if name in found else None for name in drawn}
    intervals = {name: (float(values[0]), float(values[2])) for name, values in found.items()}
    return Estimate(rows=int(probability.size), **middle, intervals=intervals)


def _area(left: np.ndarray, first: np.ndarray) -> float | None:
    """Return the area under the ROC curve of rows sorted by answer; `first` row of each distinct answer. Ties count half."""
    churners = np.add.reduceat(left.astype(np.float64), first)
    stayers = np.add.reduceat((~left).astype(np.float64), first)
    pairs = churners.sum() * stayers.sum()
    below = np.cumsum(stayers) - stayers
    return float((churners * (below + stayers / 2)).sum() / pairs) if pairs else None
