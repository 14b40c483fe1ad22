"""What a campaign brought: how many customers stayed who would have left, from a control group, with an interval.

Those who were to be contacted are compared with those who would have been, and were held out. Who is held out is drawn by chance,
so the two differ in nothing but the campaign. They are compared as they were meant to be treated, not as they were: who could not
be reached is one of the contacted (intention to treat). Customers of about the same score are compared with each other, which
removes what the scores explain, and the control's mix of scores is brought to that of the contacted. Whoever was saved was
contacted, so what contacts do to whom they reach, the acceptance, is told of the contacted alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]
# Scores as fine as this are told apart: a million customers are then a thousand groups, which a database counts.
SCORE_STEPS = 1_000
# A stratum of scores has at least so many of the control group; with fewer there is one stratum only.
MIN_HELD_OUT = 20
MAX_STRATA = 5
# Of the intervals that are reported.
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """An estimate and its two-sided confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Effect:
    """What a campaign brought.

    Attributes
    ----------
    contacted, held_out : int
        Customers of each side whose outcome is known.
    contacted_left, held_out_left : int
        How many of them left.
    saved : Interval
        Customers of the contacted who stayed and would have left. Below 0: the campaign drove some away.
    acceptance : Interval or None
        Of those who were contacted and would have left, the share that stayed. None if nobody of the control group left.
    strata : int
        Groups of about the same score that were compared.
    confidence : float
    effective_held_out : float
        Customers of the control group, less what is lost since their scores are mixed otherwise than those of the contacted
        (Kish's effective sample size): so many, mixed alike, would tell as much.
    """

    contacted: int
    held_out: int
    contacted_left: int
    held_out_left: int
    saved: Interval
    acceptance: Interval | None
    strata: int
    confidence: float
    effective_held_out: float


def estimate_effect(
    customers: Counts, left: Counts, contacted_left: Counts | None = None, *, confidence: float = CONFIDENCE
) -> Effect | None:
    """Estimate what a campaign brought.

    Parameters
    ----------
    customers : numpy.ndarray of int, shape (2, n)
        How many have each score, the scores ascending: those who were to be contacted, and those held out.
    left : numpy.ndarray of int, shape (2, n)
        How many of them left.
    contacted_left : numpy.ndarray of int, shape (n,), optional
        Of those who were to be contacted and left, how many were; all, if not given.
    confidence : float, default 0.95
        Of the intervals, in (0, 1).

    Returns
    -------
    Effect or None
        None if one of the two sides has nobody: then nothing is known.

    Notes
    -----
    Post-stratified difference of proportions. Each side's interval is the stratified Wilson interval; the two are put together
    by the method of variance estimates recovery (Yan and Su, Stratified Wilson and Newcombe confidence intervals for multiple
    binomial proportions, 2010; for the ratio Donner and Zou, 2012), which also holds where nobody of a side left.

    Acceptance is the complier average causal effect (Angrist, Imbens and Rubin, JASA 91(434), 1996) as a share: of those who
    were contacted and would have left, who number all that would have left less those who were not contacted and left.

    Examples
    --------
    >>> found = estimate_effect(np.array([[300], [100]]), np.array([[30], [20]]))
    >>> round(found.saved.value), found.acceptance.value
    (30, 0.5)
    """
    if not customers.size or not customers.sum(axis=1).all():
        return None
    group = _strata(customers)
    strata = int(group.max()) + 1
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    counts, gone = (np.array([np.bincount(group, side, minlength=strata) for side in of]) for of in (customers, left))
    weights = counts[0] / counts[0].sum()
    with_it, without = (_stratified_wilson(*side, weights, z) for side in zip(gone, counts, strict=True))
    rows = int(counts[0].sum())
    reached, would_have_left = with_it, without
    if contacted_left is not None and (contacted_left < left[0]).any():
        told = np.bincount(group, contacted_left, minlength=strata).astype(np.float64)
        reached = _stratified_wilson(told, counts[0], weights, z)
        would_have_left = _difference(without, _stratified_wilson(gone[0] - told, counts[0], weights, z))
    return Effect(
        contacted=rows,
        held_out=int(counts[1].sum()),
        contacted_left=int(gone[0].sum()),
        held_out_left=int(gone[1].sum()),
        saved=_scaled(_difference(without, with_it), rows),
        acceptance=_acceptance(reached, would_have_left),
        strata=strata,
        confidence=confidence,
        effective_held_out=float(1 / (weights**2 / counts[1]).sum()),
    )


def _strata(customers: Counts) -> NDArray[np.int64]:
    """Number groups of scores with about as many of the control group each; each has somebody of both sides."""
    below = np.cumsum(customers[1])
    number = max(1, min(MAX_STRATA, int(below[-1]) // MIN_HELD_OUT))
    while number > 1:
        # A score belongs to the group that its first customer of the control group would belong to.
        group = np.minimum((below - customers[1]) * number // below[-1], number - 1)
        group = np.unique(group, return_inverse=True)[1]
        if min(np.bincount(group, side).min() for side in customers) > 0:
            return group.astype(np.int64)
        number -= 1
    return np.zeros(customers.shape[1], dtype=np.int64)


def _stratified_wilson(left: Floats, counts: Floats, weights: Floats, z: float) -> Interval:
    """Return a weighted proportion with its interval; each stratum gets a share of the total uncertainty."""
    share = left / counts
    # As of one more customer who left and one more who stayed: where nobody left, something is uncertain all the same.
    smooth = (left + 1) / (counts + 2)
    spread = weights * np.sqrt(smooth * (1 - smooth) / counts)
    own = z * sqrt(float((spread**2).sum())) / float(spread.sum())
    middle = (share + own**2 / (2 * counts)) / (1 + own**2 / counts)
    half = own * np.sqrt(share * (1 - share) / counts + own**2 / (4 * counts**2)) / (1 + own**2 / counts)
    value = float(weights @ share)
    return Interval(value, float(weights @ (middle - half)), float(weights @ (middle + half)))


def _difference(without: Interval, with_it: Interval) -> Interval:
    value = without.value - with_it.value
    low = value - sqrt((without.value - without.low) ** 2 + (with_it.high - with_it.value) ** 2)
    high = value + sqrt((without.high - without.value) ** 2 + (with_it.value - with_it.low) ** 2)
    return Interval(value, max(low, -1.0), min(high, 1.0))


def _scaled(one: Interval, by: float) -> Interval:
    return Interval(one.value * by, one.low * by, one.high * by)


def _acceptance(with_it: Interval, without: Interval) -> Interval | None:
    """Return one minus the ratio of the two proportions."""
    p, q = with_it.value, without.value
    if q <= 0:
        return None
    product = p * q
    least = with_it.low * (2 * p - with_it.low) * without.high * (2 * q - without.high)
    most = with_it.high * (2 * p - with_it.high) * without.low * (2 * q - without.low)
    below, above = without.high * (2 * q - without.high), without.low * (2 * q - without.low)
    low = (product - sqrt(max(product**2 - least, 0.0))) / below if below > 0 else 0.0
    high = (product + sqrt(max(product**2 - most, 0.0))) / above if above > 0 else inf
    return Interval(1 - p / q, 1 - high, 1 - max(low, 0.0))
