"""The threshold that turns probabilities into answers. It is a business choice: by profit, by budget, by F1, or as said."""

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
        Of customers that the model was not fitted on, or the threshold fits their noise.
    params : ThresholdParams
    profit : ProfitParams
        For method `profit`.

    Returns
    -------
    float
        In [0, 1]. At or above it the answer is churn.
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
    """Give the threshold of the highest expected profit: midway between the last contacted score and the next one.

    Of cuts that earn the same, the one that contacts fewest. If no contact pays, it lies above every score (midway to 1).

    Examples
    --------
    >>> most_profitable_threshold(np.array([0, 0, 1, 1]), np.array([0.1, 0.3, 0.5, 0.9]), ProfitParams())
    0.4
    """
    ranking = rank(outcome, probability)
    return ranking.cut(_first_highest(profits_by_cut(ranking, params)))


def highest_f1_threshold(outcome: np.ndarray, probability: np.ndarray) -> float:
    """Give the threshold of the highest F1, midway between two scores; of equals, the one that answers churn least often."""
    ranking = rank(outcome, probability)
    f1 = 2 * ranking.reached / np.maximum(ranking.contacted + ranking.churners.sum(), 1)
    return ranking.cut(_first_highest(f1))


def threshold_for_top(probability: np.ndarray, k: float) -> float:
    """Give the threshold that contacts the top k customers: a budget, so never more than k.

    Customers with equal scores stand or fall together: a group that the budget does not hold is left out as a whole.

    Parameters
    ----------
    probability : array of float in [0, 1], shape (n,)
    k : float or int
        A share of the customers in (0, 1), rounded down to whole customers; or a count, 1 or more. From n on it is everybody.

    Examples
    --------
    >>> threshold_for_top(np.array([0.1, 0.2, 0.6, 0.8]), 0.5), threshold_for_top(np.array([0.1, 0.2, 0.6, 0.8]), 1)
    (0.4, 0.7)
    """
    ranking = rank(np.zeros(len(probability)), probability)
    # The slack is for the binary spelling of shares such as 0.29 of 100.
    budget = int(k * len(probability) + 1e-9) if k < 1 else int(k)
    return ranking.cut(int(np.searchsorted(ranking.contacted, budget, side="right")) - 1)


def _first_highest(values: np.ndarray) -> int:
    """Find the first of the highest values; what differs by rounding only is equal."""
    best = values.max()
    return int(np.argmax(values >= best - 1e-9 * max(1.0, float(np.abs(values).max()))))
