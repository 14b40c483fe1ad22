"""Whom to call first, and how many: by expected gain, within a budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from churn.campaigns.expected import Expected, Floats

# A picture needs no more points.
MAX_POINTS = 2_000


@dataclass(frozen=True)
class Limit:
    """How far a campaign may go: calls at most, and what they may be expected to cost. None: as far as calls pay."""

    calls: int | None = None
    budget: float | None = None


def rank(gain: Floats) -> NDArray[np.int64]:
    """Return customers by expected gain, the highest first; of equals, whoever came first.

    Examples
    --------
    >>> rank(np.array([1.0, 3.0, 3.0, -2.0])).tolist()
    [1, 2, 0, 3]
    """
    return np.argsort(-gain, kind="stable").astype(np.int64)


def number_of_calls(expected: Expected, order: NDArray[np.int64], limit: Limit) -> int:
    """Return how many of the ranked customers are called: each must be worth it, and all be within the limit.

    Parameters
    ----------
    expected : Expected
    order : numpy.ndarray of int
        Places in `expected`, ranked.
    limit : Limit

    Returns
    -------
    int

    Examples
    --------
    >>> each = Expected(np.array([0.2, 0.1, 0.0]), np.array([5.0, 6.0, 7.0]), np.array([9.0, 2.0, -7.0]))
    >>> [number_of_calls(each, np.arange(3), limit) for limit in (Limit(), Limit(calls=1), Limit(budget=10.9))]
    [2, 1, 1]
    """
    calls = int(np.count_nonzero(expected.gain[order] > 0))
    if limit.calls is not None:
        calls = min(calls, limit.calls)
    if limit.budget is not None:
        # The slack is for sums of cents.
        calls = min(calls, int(np.searchsorted(np.cumsum(expected.cost[order]), limit.budget + 1e-9, side="right")))
    return calls


@dataclass(frozen=True)
class GainsCurve:
    """The cumulative expected gain by number of calls, best customers first, in at most `MAX_POINTS` points."""

    calls: NDArray[np.int64]
    gain: Floats


def gains_curve(ranked_gain: Floats, chosen: int) -> GainsCurve:
    """Return the gains curve, from no call to a call to everybody.

    Parameters
    ----------
    ranked_gain : numpy.ndarray of float, shape (n,)
        Falling.
    chosen : int
        A number of calls that is one of the points.

    Returns
    -------
    GainsCurve
    """
    cumulative = np.concatenate([[0.0], np.cumsum(ranked_gain)])
    spread = np.linspace(0, len(ranked_gain), min(MAX_POINTS - 1, len(ranked_gain) + 1)).astype(np.int64)
    points = np.unique(np.append(spread, chosen))
    return GainsCurve(points, cumulative[points])
