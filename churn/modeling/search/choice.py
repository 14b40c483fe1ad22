"""Whether a model that says more fits, or ranks, better beyond chance than a simpler one, for the same customers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from churn.evaluation.intervals import draw_counts

Floats = NDArray[np.float64]
# A probability of 0 or 1 that is wrong would cost infinitely much.
SUREST = 1e-12
# Of the customers, for the standard error of a difference that is no mean.
RESAMPLES = 100


class Gain(NamedTuple):
    """By how much a model is better, in a score's own units (log loss: nats per row), and the standard error of that."""

    mean: float
    error: float

    @property
    def pays(self) -> bool:
        """Return whether it is more than one standard error."""
        return self.mean > self.error

    @property
    def costs(self) -> bool:
        """Return whether the model is worse by more than one standard error."""
        return self.mean < -self.error


def measure_gain(outcome: NDArray[np.int64], simple: Floats, other: Floats, customer: NDArray[np.int64] | None) -> Gain:
    """Measure by how much other probabilities are better than simpler ones.

    The one-standard-error rule (Breiman et al., Classification and Regression Trees, 1984, section 3.4.3), with the error of the
    difference itself, paired by customer: rows of one are not independent.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    simple, other : array of float in [0, 1], shape (n,)
        Probabilities, each out of fold.
    customer : array of int64, shape (n,), optional
        Which rows are about the same customer.

    Returns
    -------
    Gain

    Examples
    --------
    >>> outcome = np.array([1, 0, 1, 0])
    >>> gain = measure_gain(outcome, np.full(4, 0.5), np.array([0.8, 0.2, 0.7, 0.6]), None)
    >>> round(gain.mean, 3), round(gain.error, 3), gain.pays
    (0.263, 0.165, True)
    """
    losses = [-np.log(np.clip(np.where(outcome == 1, said, 1 - said), SUREST, 1)) for said in (simple, other)]
    gains = losses[0] - losses[1]
    if customer is not None:
        gains = np.bincount(np.unique(customer, return_inverse=True)[1], weights=gains)
    rows, people = len(outcome), len(gains)
    error = float(np.sqrt(people) * gains.std(ddof=1) / rows) if people > 1 else np.inf
    return Gain(float(gains.sum() / rows), error)


def measure_ranking(outcome: NDArray[np.int64], simple: Floats, other: Floats, customer: NDArray[np.int64] | None) -> Gain:
    """Measure by how much other probabilities rank better than simpler ones: by average precision.

    Its standard error is that of the bootstrap, paired by customer (Efron, Annals of Statistics 7(1), 1979,
    doi:10.1214/aos/1176344552).

    Parameters
    ----------
    outcome, simple, other, customer
        As in `measure_gain`. Both outcomes must occur.

    Returns
    -------
    Gain

    Examples
    --------
    >>> outcome = np.array([1, 0] * 50)
    >>> gain = measure_ranking(outcome, np.full(100, 0.5), np.where(outcome == 1, 0.6, 0.4), None)
    >>> round(gain.mean, 3), gain.pays, gain.costs
    (0.5, True, False)
    """
    who = None if customer is None else np.unique(customer, return_inverse=True)[1]

    better, worse = (_Ranking(outcome, said) for said in (other, simple))
    draws = [
        better.precision(counts) - worse.precision(counts)
        for some in draw_counts(len(outcome), RESAMPLES, 0, who)
        for counts in some
        if 0 < counts @ outcome < counts.sum()
    ]
    everybody = np.ones(len(outcome), np.int64)
    mean = better.precision(everybody) - worse.precision(everybody)
    return Gain(mean, float(np.std(draws, ddof=1)) if len(draws) > 1 else np.inf)


class _Ranking:
    """Customers in the order of their probabilities, sorted once for all resamples.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    said : array of float, shape (n,)
    """

    def __init__(self, outcome: NDArray[np.int64], said: Floats) -> None:
        self._order = np.argsort(said, kind="stable")[::-1]
        self._outcome = np.asarray(outcome)[self._order]
        ordered = np.asarray(said)[self._order]
        # Those of one probability are ranked together: only behind the last of them is a cut.
        self._cuts = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)

    def precision(self, counts: NDArray[np.int64]) -> float:
        """Return the average precision, as scikit-learn's, of customers who are there so often."""
        counted = counts[self._order]
        found = np.cumsum(counted * self._outcome)[self._cuts]
        contacted = np.cumsum(counted)[self._cuts]
        gained = np.diff(found, prepend=0)
        some = gained > 0
        return float(np.sum(gained[some] * found[some] / contacted[some]) / found[-1])
