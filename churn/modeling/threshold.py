"""Choose the decision threshold: by expected profit, by budget, by F1, or a fixed value."""

from __future__ import annotations

import numpy as np

from churn.config.params import ProfitParams, ThresholdParams
from churn.evaluation.profit import profits_by_cut
from churn.evaluation.ranking import rank


def choose_threshold(outcome: np.ndarray, probability: np.ndarray, params: ThresholdParams, profit: ProfitParams) -> float:
    """Choose the threshold on out-of-fold probabilities, as `params.method` says.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
        Of customers that the model was not fitted on; else the threshold fits their noise.
    params : ThresholdParams
    profit : ProfitParams
        For method `profit`.

    Returns
    -------
    float
        In [0, 1]. At or above it the prediction is churn.
    """
    match params.method:
        case "profit":
            return most_profitable_threshold(outcome, probability, profit)
        case "top_k":
            return threshold_for_top(probability, params.budget)
        case "f1":
            return highest_f1_threshold(outcome, probability)
        case "fixed":
            return params.value


def most_profitable_threshold(outcome: np.ndarray, probability: np.ndarray, params: ProfitParams) -> float:
    """Return the threshold of the highest expected profit: midway between the last contacted score and the next one.

    Of thresholds with equal profit, the one that contacts the fewest. If no contact pays, it is above every score (midway to 1).

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)
    params : ProfitParams

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> most_profitable_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.5, 0.9]), ProfitParams())
    0.4
    """
    ranking = rank(outcome, probability)
    return ranking.cut(_first_highest(profits_by_cut(ranking, params)))


def highest_f1_threshold(outcome: np.ndarray, probability: np.ndarray) -> float:
    """Return the threshold of the highest F1, midway between two scores; of equals, the one that predicts churn least often.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in [0, 1], shape (n,)

    Returns
    -------
    float
        In [0, 1].
    """
    ranking = rank(outcome, probability)
    f1 = 2 * ranking.reached / np.maximum(ranking.contacted + ranking.churners.sum(), 1)
    return ranking.cut(_first_highest(f1))


def threshold_for_top(probability: np.ndarray, k: float) -> float:
    """Return the threshold that contacts the top k customers: a budget, so never more than k.

    Customers of equal score cannot be separated: a group that exceeds the budget is left out as a whole.

    Parameters
    ----------
    probability : array of float in [0, 1], shape (n,)
    k : float or int
        A share of the customers in (0, 1), rounded down to whole customers; or a count, 1 or more. From n on it is everybody.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> threshold_for_top(np.array([0.1, 0.2, 0.6, 0.8]), 0.5), threshold_for_top(np.array([0.1, 0.2, 0.6, 0.8]), 1)
    (0.4, 0.7)
    """
    ranking = rank(np.zeros(len(probability)), probability)
    # The slack is for shares such as 0.29 of 100, whose product is just below a whole number.
    budget = int(k * len(probability) + 1e-9) if k < 1 else int(k)
    return ranking.cut(int(np.searchsorted(ranking.contacted, budget, side="right")) - 1)


def _first_highest(values: np.ndarray) -> int:
    """Return the index of the first of the highest values; values that differ by rounding are equal."""
    best = values.max()
    return int(np.argmax(values >= best - 1e-9 * max(1.0, float(np.abs(values).max()))))
