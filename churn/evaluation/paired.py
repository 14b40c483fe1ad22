"""Differences between two models' metrics on the same customers, with paired bootstrap intervals."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from churn.config.params import EvaluationParams, ProfitParams
from churn.evaluation.intervals import draw_counts, resampled_metrics
from churn.evaluation.statistics import Customers


class Answers(NamedTuple):
    """One model's probabilities of churn, shape (n,), and its threshold."""

    probability: np.ndarray
    threshold: float


def paired_differences(
    outcome: np.ndarray,
    first: Answers,
    second: Answers,
    params: EvaluationParams,
    seed: int,
    *,
    profit: ProfitParams | None = None,
    customer: Customers | None = None,
) -> dict[str, tuple[float, float, float, float, float]]:
    """Return each metric of both models, their difference and its interval; both answer the same resampled customers.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    first, second : Answers
    params : EvaluationParams
        Confidence and number of resamples.
    seed : int
    profit : ProfitParams, optional
        If given, also `profit` and `empc`.
    customer : array of int, shape (n,), optional
        Which rows are of the same customer; None if each is of another one.

    Returns
    -------
    dict of str to (first, second, difference, low, high)
        By the names of `Scorecard`; the difference is second minus first. Without metrics that are undefined.

    Examples
    --------
    >>> y = np.array([0, 1] * 20)
    >>> same = Answers(np.linspace(0.1, 0.9, 40), 0.5)
    >>> paired_differences(y, same, same, EvaluationParams(), 0)["brier"][2:]
    (0.0, 0.0, 0.0)
    """
    y = np.asarray(outcome, dtype=np.int64)
    of_row = None if customer is None else np.unique(customer, return_inverse=True)[1]
    once = np.ones((1, len(y)), dtype=np.int64)
    sampled = [_score(y, (first, second), counts, profit) for counts in draw_counts(len(y), params.resamples, seed, of_row)]
    values = _score(y, (first, second), once, profit)
    tail = (1 - params.confidence) / 2
    found = {}
    for name in values[0]:
        differences = np.concatenate([new[name] - old[name] for old, new in sampled])
        known = differences[np.isfinite(differences)]
        old, new = (float(of[name].item()) for of in values)
        if len(known) and np.isfinite([old, new]).all():
            low, high = np.quantile(known, [tail, 1 - tail])
            found[name] = (old, new, new - old, float(low), float(high))
    return found


def _score(
    y: np.ndarray, models: tuple[Answers, ...], counts: np.ndarray, profit: ProfitParams | None
) -> list[dict[str, np.ndarray]]:
    found = []
    for probability, threshold in models:
        order = np.argsort(probability, kind="stable")
        found.append(resampled_metrics(y[order], probability[order], threshold, counts[:, order], profit))
    return found
