"""How far scores of the same customers moved, beyond chance and beyond what comes of who is seen again."""

from __future__ import annotations

import numpy as np

from monitoring.drift.rank_scores import Floats

# So far a mean may move, in standard deviations of its score, however many customers there are.
TOLERATED = 0.05
# The smallest probability of staying that counts: where all answers are 1, that is what moved.
NOBODY_IS_SURE = 0.001


def beyond_chance(moved: Floats, comeback: Floats | float = 0.0, variance: Floats | float = 0.0) -> Floats:
    """Return how far scores moved beyond what is tolerated and `comeback`, up or down, in standard errors.

    Parameters
    ----------
    moved : ndarray, shape (n, n_scores)
        Now less before, of each customer.
    comeback : ndarray, shape (n_scores,)
        How far the mean may move since the others left.
    variance : ndarray, shape (n_scores,)
        Of the sums, where it is known; the sums of squares count where they are larger.

    Returns
    -------
    ndarray, shape (n_scores,)
        0 where nothing moved so far.
    """
    total, norm = moved.sum(axis=0), np.sqrt(np.maximum((moved**2).sum(axis=0), variance))
    high = (np.maximum(comeback, 0.0) + TOLERATED) * len(moved)
    low = (np.minimum(comeback, 0.0) - TOLERATED) * len(moved)
    z: Floats = np.divide(total - np.clip(total, low, high), norm, out=np.zeros_like(norm), where=norm > 0)
    return z


def answers_beyond_chance(before: Floats, now: Floats, moved: Floats, comeback: Floats | None) -> Floats:
    """Return the same for the predicted probability, whichever share of those who were to leave is gone.

    Without drift as many customers go from one probability to another as come back the same way. If nobody is gone, their moves
    add up to nothing. If all are gone who were to leave, of the former are seen who stayed with the first probability, of the
    latter who stayed with the second: moves that count by 1 - p, the probability of staying with that of now, add up to nothing.
    So what moved has moved the same way by both.

    If all are gone, hardly anybody comes back from a probability near 1, and counts as much as the many who go there together.
    Where by chance nobody did, the squares of what is seen know nothing of it. So the variance is at least that of each pair of
    probabilities, b and n: a customer who moves by d between them goes up or down with odds 1 - b to 1 - n, and the weighted
    moves have the variance d^2 (1 - b) (1 - n). No mean comes back by more than `comeback`: what goes beyond that by itself needs
    no such care.

    Parameters
    ----------
    before, now : ndarray, shape (n,)
        In [0, 1].
    moved : ndarray, shape (n, n_scores)
        Of the scores of both.
    comeback : ndarray, shape (n_scores,), or None
        How far all differ from those who stayed; None if it is not known.

    Returns
    -------
    ndarray, shape (n_scores,)
    """
    was, stays = (np.maximum(1 - side, NOBODY_IS_SURE)[:, None] for side in (before, now))
    weighted = stays * moved
    whole, seen = (moved**2).sum(axis=0), (weighted**2).sum(axis=0)
    everybody = beyond_chance(moved)
    stayed = _beyond_chance_of(weighted, whole, seen)
    surely = _beyond_chance_of(weighted, whole, np.maximum(seen, (was * stays * moved**2).sum(axis=0)))
    if comeback is not None:
        surely = _larger(surely, beyond_chance(moved, comeback))
    return _smaller(_smaller(everybody, stayed), surely)


def _beyond_chance_of(weighted: Floats, whole: Floats, variance: Floats) -> Floats:
    """Return how far weighted moves go, on the scale of those that are not: their sum of squares is `whole`."""
    scale = np.sqrt(np.divide(whole, variance, out=np.ones_like(whole), where=variance > 0))
    return beyond_chance(weighted * scale, variance=whole)


def _smaller(one: Floats, other: Floats) -> Floats:
    """Return the one nearer to 0; 0 where they have different signs."""
    return np.where(one * other > 0, np.where(np.abs(one) < np.abs(other), one, other), 0.0)


def _larger(one: Floats, other: Floats) -> Floats:
    return np.where(np.abs(one) > np.abs(other), one, other)
