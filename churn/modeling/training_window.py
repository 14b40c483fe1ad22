"""From when on customers are trained on: all of them, unless the newest ones contradict what was learned from all.

After a change, old customers teach what is no longer true, and outweigh the few that came since. So the model of all customers
is held against the newest part of the labelled traffic, out of fold. If these contradict it, models of the newer traffic alone
are tried: of what came since the change, and of windows that halve. Of those that are not worse on the newest rows than the best,
that of all customers is taken, else that since the change, else the largest.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from churn.data.labelled import Labelled
from churn.evaluation.statistics import cluster_sums, log_losses
from churn.modeling.tuning import Tuned

# The newest part of the traffic, by which windows are compared.
NEWEST_SHARE = 0.25
# With fewer rows there, or fewer customers of a class, there is no telling.
MIN_ROWS, MIN_CLASS = 500, 50
# Standard errors beyond which they contradict: .0005 in each direction by chance.
CONTRADICTS = 3.3


def train_on_what_holds(
    known: Labelled, dated: int, fit: Callable[[Labelled], Tuned], ask: Callable[[Tuned, Labelled], NDArray[np.float64]]
) -> tuple[Labelled, Tuned]:
    """Fit on all customers or, where the newest contradict that, on those since when they do not.

    Parameters
    ----------
    known : Labelled
        The labelled data, then traffic in the order in which it was asked about.
    dated : int
        How many of its last rows are traffic.
    fit : callable
        Fits, with out-of-fold probabilities.
    ask : callable
        Gives what a fitted model says of customers.

    Returns
    -------
    kept : Labelled
        The customers trained on.
    tuned : Tuned
    """
    tuned = fit(known)
    newest = int(dated * NEWEST_SHARE)
    if newest < MIN_ROWS:
        return known, tuned
    last = last_rows(known, newest)
    outcome, customer = last.outcome.to_numpy(), last.customer
    who = np.arange(newest) if customer is None else customer
    few = min(len(np.unique(who[outcome == level])) for level in (0, 1)) < MIN_CLASS
    if few or not contradicts(outcome, tuned.out_of_fold[-newest:], customer):
        return known, tuned
    sizes = [dated]
    while sizes[-1] // 2 >= newest:
        sizes.append(sizes[-1] // 2)

    def learn_from(rows: int) -> tuple[Labelled, Tuned]:
        window = last_rows(known, rows)
        return window, fit(window)

    windows = {rows: learn_from(rows) for rows in sizes}
    tried = [(known, tuned)]
    traffic = windows[dated][0]
    since = rows_since_change(traffic, newest, tuned.out_of_fold[-dated:], ask(windows[sizes[-1]][1], traffic))
    if since is not None:
        tried.append(windows.pop(since) if since in windows else learn_from(since))
    tried += windows.values()
    losses = [log_losses(outcome, found.out_of_fold[-newest:]) for _, found in tried]
    best = losses[int(np.argmin([loss.mean() for loss in losses]))]
    return next(one for one, loss in zip(tried, losses, strict=True) if not _above(loss - best, 1.0, customer))


def rows_since_change(traffic: Labelled, newest: int, by_all: NDArray[np.float64], by_newest: NDArray[np.float64]) -> int | None:
    """Estimate since when the newest customers' model holds: from where on the likelihood prefers it.

    That is the maximum likelihood estimate of a change point (Hinkley, Biometrika 57(1), 1970, doi:10.1093/biomet/57.1.1).

    Parameters
    ----------
    traffic : Labelled
        In the order in which it was asked about. Rows of one time are on one side.
    newest : int
        How many of its last rows the newest customers' model was trained on.
    by_all, by_newest : array of float in [0, 1], shape (n,)
        What the model of all customers says of each row, out of fold, and that of the newest.

    Returns
    -------
    int or None
        How many rows came since, more than `newest`; None if it holds of none before these.

    Examples
    --------
    >>> import pandas as pd
    >>> leaves = Labelled(pd.DataFrame(index=range(6)), pd.Series([0, 0, 1, 1, 1, 1]))
    >>> rows_since_change(leaves, 2, np.full(6, 0.5), np.full(6, 0.9))
    4
    """
    older = len(traffic) - newest
    outcome = traffic.outcome.to_numpy()
    gain = (log_losses(outcome, by_all) - log_losses(outcome, by_newest))[:older]
    begins = np.ones(older, dtype=np.bool_)
    if traffic.asked_at is not None:
        times = traffic.asked_at.to_numpy()[:older]
        begins[1:] = times[1:] != times[:-1]
    preferred = np.where(begins, np.cumsum(gain[::-1])[::-1], 0.0)
    first = int(np.argmax(preferred)) if older else 0
    return len(traffic) - first if older and preferred[first] > 0 else None


def contradicts(outcome: np.ndarray, probability: np.ndarray, customer: np.ndarray | None = None) -> bool:
    """Return whether outcomes are others than probabilities say: more or fewer, or more surprising than they should be.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    probability : array of float in (0, 1), shape (n,)
        Of models that these customers were not trained on.
    customer : array of int, shape (n,), optional
        Which rows are about the same customer; None if each is about another one.

    Returns
    -------
    bool

    Examples
    --------
    >>> said = np.full(1000, 0.2)
    >>> contradicts(np.arange(1000) % 5 == 0, said), contradicts(np.arange(1000) % 4 == 0, said)
    (False, True)
    """
    p = np.clip(probability, 1e-6, 1 - 1e-6)
    residual = outcome - p
    return (
        _above(residual, CONTRADICTS, customer)
        or _above(-residual, CONTRADICTS, customer)
        or (_above(-logit(p) * residual, CONTRADICTS, customer))
    )


def last_rows(known: Labelled, rows: int) -> Labelled:
    """Return the last rows of customers.

    Parameters
    ----------
    known : Labelled
    rows : int
        How many, at least 1.

    Returns
    -------
    Labelled
    """
    return known.take(np.arange(len(known) - rows, len(known)))


def _above(values: np.ndarray, errors: float, customer: np.ndarray | None) -> bool:
    """Return whether a mean is more than so many of its standard errors above zero."""
    sums = values if customer is None else cluster_sums(values, customer)
    return bool(sums.sum() > errors * np.sqrt((sums**2).sum()))
