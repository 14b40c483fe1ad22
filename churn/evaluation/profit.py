"""What a retention campaign is worth: money decides whom to contact, not a measure of error.

Who is contacted costs `cost_of_contact`. A customer about to churn accepts the offer with probability `acceptance`, then stays,
is worth `customer_value`, and costs `cost_of_offer`. One who would have stayed anyway takes the offer as a gift. Per customer:

    contacted, would churn:   acceptance * (customer_value - cost_of_offer) - cost_of_contact
    contacted, would stay:    -cost_of_offer - cost_of_contact
    not contacted:            0

This is the profit of Neslin, Gupta, Kamakura, Lu and Mason, "Defection Detection", Journal of Marketing Research 43(2), 2006, in
the form of Verbraken, Verbeke and Baesens, "A Novel Profit Maximizing Metric for Measuring Classification Performance of Customer
Churn Prediction Models", IEEE TKDE 25(5), 2013, doi:10.1109/TKDE.2012.50, from whom EMPC is. Every result is in
`ProfitParams.currency` per customer of the whole base, contacted or not, unless it says otherwise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from churn.config.params import ProfitParams
from churn.evaluation.ranking import Ranking, rank

if TYPE_CHECKING:
    import pandas as pd


def profit_of_churner(params: ProfitParams) -> float:
    """Return the expected profit of contacting one customer who would churn; below zero if the offer is rarely accepted."""
    return params.acceptance * (params.customer_value - params.cost_of_offer) - params.cost_of_contact


def profit_of_stayer(params: ProfitParams) -> float:
    """Return the profit of contacting one customer who would stay: never above zero."""
    return -params.cost_of_offer - params.cost_of_contact


def break_even(params: ProfitParams) -> float:
    """Return the churn probability above which a contact pays, for a calibrated model.

    Elkan, The Foundations of Cost-Sensitive Learning, IJCAI 2001, eq. 2.

    Returns
    -------
    float
        In [0, 1]; 1 if no contact ever pays.

    Examples
    --------
    >>> round(break_even(ProfitParams()), 4)
    0.1642
    """
    won, lost = profit_of_churner(params), -profit_of_stayer(params)
    if won <= 0:
        return 1.0
    return lost / (won + lost)


def profits(outcome: np.ndarray, probability: np.ndarray, threshold: float, params: ProfitParams) -> np.ndarray:
    """Return each customer's expected profit if all at or above the threshold are contacted.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    threshold : float in [0, 1]
    params : ProfitParams

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In `params.currency`.

    Examples
    --------
    >>> profits(np.array([1, 0, 1]), np.array([0.9, 0.8, 0.1]), 0.5, ProfitParams()).tolist()
    [56.0, -11.0, 0.0]
    """
    contacted = np.asarray(probability) >= threshold
    return np.where(contacted, np.where(np.asarray(outcome) == 1, profit_of_churner(params), profit_of_stayer(params)), 0.0)


def profits_by_cut(ranking: Ranking, params: ProfitParams) -> np.ndarray:
    """Return the profit of the whole campaign when the first 0, 1, … all groups are contacted.

    Parameters
    ----------
    ranking : Ranking
    params : ProfitParams

    Returns
    -------
    numpy.ndarray of float64, shape (n_groups + 1,)
        In `params.currency`.
    """
    churners = ranking.reached
    return np.asarray(churners * profit_of_churner(params) + (ranking.contacted - churners) * profit_of_stayer(params))


def profit_curve(outcome: np.ndarray, probability: np.ndarray, params: ProfitParams) -> pd.DataFrame:
    """Return the profit at every distinct threshold, from contacting nobody to contacting all.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    params : ProfitParams

    Returns
    -------
    pandas.DataFrame, shape (n_distinct_scores + 1, 3)
        threshold (falling), contacted_share (of all customers), profit_per_customer (in `params.currency`).
    """
    # Here, as in the functions below: the service needs only what a contact brings, and none of these packages.
    import pandas as pd

    ranking = rank(outcome, probability)
    return pd.DataFrame(
        {
            "threshold": ranking.cuts,
            "contacted_share": ranking.contacted / ranking.total,
            "profit_per_customer": profits_by_cut(ranking, params) / ranking.total,
        }
    )


def empc(outcome: np.ndarray, probability: np.ndarray, params: ProfitParams) -> tuple[float, float]:
    """Return EMPC, the expected maximum profit measure for customer churn (Verbraken et al. 2013, see above).

    It is the profit at the best threshold for each acceptance rate, averaged over a Beta distribution of that rate.

    Exact: for any acceptance the best threshold is a corner of the ROC curve's convex hull. The hull comes from isotonic
    regression of outcomes on ranks, which is equivalent (Fawcett and Niculescu-Mizil, Machine Learning 68, 2007). Each corner is
    best in one interval of acceptances; profit is linear there, and its integral is a difference of incomplete Beta functions.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
        Only its order matters.
    params : ProfitParams
        `acceptance` is not used: it is Beta(acceptance_alpha, acceptance_beta).

    Returns
    -------
    empc : float
        In `params.currency` per customer, >= 0.
    fraction : float
        Share of customers to contact, averaged over the same distribution, in [0, 1].
    """
    ranking = rank(outcome, probability)
    return empc_of(ranking.customers, ranking.churners, params)


def empc_of(customers: np.ndarray, churners: np.ndarray, params: ProfitParams) -> tuple[float, float]:
    """Return `empc` of groups of equal score.

    Parameters
    ----------
    customers, churners : arrays of int, shape (n_groups,)
        Counts of each group, highest score first; every group has customers.
    params : ProfitParams

    Returns
    -------
    empc, fraction : float
        As in `empc`.
    """
    from scipy.optimize import isotonic_regression
    from scipy.stats import beta

    total = customers.sum()
    hull = isotonic_regression(churners / customers, weights=customers, increasing=False).blocks
    contacted = np.concatenate([[0], np.add.reduceat(customers, hull[:-1]).cumsum()]) / total
    reached = np.concatenate([[0], np.add.reduceat(churners, hull[:-1]).cumsum()]) / total

    kept = params.customer_value - params.cost_of_offer
    cost = params.cost_of_contact * contacted + params.cost_of_offer * (contacted - reached)
    # The acceptance above which the next corner pays more; infinite where it reaches no more churners.
    won = np.diff(reached) * kept
    switch = np.divide(np.diff(cost), won, out=np.full(len(won), np.inf), where=won > 0)
    bounds = np.concatenate([[0.0], switch, [np.inf]])
    a, b = params.acceptance_alpha, params.acceptance_beta
    weight = np.diff(beta.cdf(bounds, a, b))
    mean = a / (a + b) * np.diff(beta.cdf(bounds, a + 1, b))
    return float(kept * reached @ mean - cost @ weight), float(contacted @ weight)
