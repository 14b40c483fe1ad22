"""Maturity of labels: the age from which on a prediction's outcome counts. The one definition, for all who learn or judge by it.

Where a company hears of those who leave sooner than of those who stay, most outcomes of young predictions say "left", whatever
the true churn rate. So a prediction is *mature* once it is so old that whether its outcome is known no longer depends on what it
is; outcomes of younger ones are not used. A mature prediction without an outcome is unknown: it does not count as one who stayed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from churn.clock import CLOCK_SKEW
from churn.store.outcomes.delays import Delays
from churn.store.records import EPOCH, NO_LIMIT

# The two shares that are known by some age may differ by this: the churn rate is then off by as much of itself at most.
MAX_GAP = 0.02
# With this many of each, a difference is tested against chance (Kolmogorov and Smirnov, 5 %); with fewer, it counts as it is.
MIN_TESTED, CRITICAL = 10, 1.358
# The longest delays are the last to be seen, and a feed is late one night: so much more with a history of up to two such ages,
# and less the longer it is.
MARGIN = 0.05
UNITS = ((86_400.0, "days"), (3_600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))


class DelayStore(Protocol):
    """What this needs of `churn.store.store.Store`."""

    def outcome_delays(self, now: datetime, /) -> Delays:
        """Return how long outcomes took to become known."""


@dataclass(frozen=True, slots=True)
class Maturity:
    """From which age on a prediction's outcome counts.

    Attributes
    ----------
    seconds : float or None
        The age. None: it cannot be known yet, and no outcome counts.
    reason : str
        Why, in a sentence with numbers.
    too_short : bool
        Whether the setting asks for less than the delays do.
    age : float
        The age that the delays ask for, in seconds, without what was added for those that nobody has seen yet.
    """

    seconds: float | None
    reason: str
    too_short: bool = False
    age: float = 0.0

    def until(self, now: datetime) -> datetime:
        """Return when the youngest mature prediction was requested, at the latest: outcomes of later ones do not count."""
        if self.seconds is None:
            return EPOCH
        return max(EPOCH, now - timedelta(seconds=self.seconds)) if self.seconds else NO_LIMIT


def label_maturity(store: DelayStore, setting: float | None, now: datetime) -> Maturity:
    """Return from which age on outcomes count: as the setting says or, without one, as the delays of known outcomes do.

    A setting above 0 is the least: where the delays show that not all can be known by then, or one class has not been heard of,
    outcomes wait as they do without it. Else each cohort would be judged by those who left alone. 0 means at once, in any case.

    Parameters
    ----------
    store : DelayStore
    setting : float or None
        `Settings.label_maturity_seconds`.
    now : datetime
        With time zone.

    Returns
    -------
    Maturity

    Raises
    ------
    StoreError
        If the store is away.
    """
    delays = store.outcome_delays(now)
    found = estimate_maturity(delays)
    if setting is None:
        return found
    said = f"CHURN_LABEL_MATURITY_SECONDS is {setting:g} ({in_words(setting)})"
    if found.seconds is None:
        return Maturity(None, f"{said}, but {found.reason}") if setting else Maturity(setting, said)
    if found.age > setting:
        return Maturity(found.seconds if setting else setting, f"{said}, which is too short: {found.reason}", too_short=True)
    return Maturity(setting, said)


def estimate_maturity(delays: Delays) -> Maturity:
    """Estimate from which age on it does not depend on the outcome any more whether it is known.

    The age is the smallest one from which on the share known of those who left, and of those who stayed, differ by at most 2 %;
    and a twentieth more, less with a long history. No age is needed where they never differ beyond chance, or by no more than
    five minutes.

    Assumed: that an outcome is reported at all does not depend on what it is; delays are those of the past; and the store's
    history is longer than the longest of them. Delays are seen only of outcomes that are known already, so at the very beginning
    long ones are missing (the right truncation of claims reserving and nowcasting; Lagakos, Barraj and De Gruttola, Biometrika
    75(3), 1988). While one class has not been heard of at all, the age is unknown, and no outcome counts.

    Parameters
    ----------
    delays : Delays

    Returns
    -------
    Maturity

    Examples
    --------
    >>> early, late = np.full(50, 86_400.0), np.full(300, 30 * 86_400.0)
    >>> estimate_maturity(Delays(early, late)).seconds / 86_400
    31.5
    >>> estimate_maturity(Delays(late, late)).seconds
    0.0
    """
    left, stayed = delays.left, delays.stayed
    if not len(left) or not len(stayed):
        only = "left" if len(left) else "stayed" if len(stayed) else ""
        known = f"all {len(left) + len(stayed)} known outcomes are of customers who {only}" if only else "no outcome is known"
        return Maturity(None, f"{known}: the age at which both are known cannot be estimated")
    told = (
        f"of those who left half is known after {in_words(float(np.median(left)))}, 98 % after {in_words(_late(left))}; "
        f"of those who stayed after {in_words(float(np.median(stayed)))} and {in_words(_late(stayed))}"
    )
    ages = np.unique(np.concatenate([left, stayed]))
    gap = np.maximum(_ahead(left, stayed, ages), _ahead(stayed, left, ages))
    if not _beyond_chance(float(gap.max()), len(left), len(stayed)):
        return Maturity(0.0, f"outcomes count at once: {told}")
    age = float(ages[np.flatnonzero(gap > MAX_GAP)[-1] + 1])
    seconds = age * (1 + MARGIN * (min(1.0, 2 * age / delays.history) if delays.history > 0 else 1.0))
    return Maturity(seconds, f"an outcome counts once its prediction is {in_words(seconds)} old: {told}", age=age)


def in_words(seconds: float) -> str:
    """Return a duration in its largest unit, such as "1.5 days"."""
    size, unit = next((known for known in UNITS if seconds >= known[0]), UNITS[-1])
    return f"{seconds / size:.3g} {unit}"


def _ahead(first: NDArray[np.float64], second: NDArray[np.float64], ages: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return by how much more of the first is known at each age, if the second had five minutes more."""
    grace = CLOCK_SKEW.total_seconds()
    known = np.searchsorted(first, ages, side="right") / len(first)
    return np.asarray(known - np.searchsorted(second, ages + grace, side="right") / len(second), dtype=np.float64)


def _beyond_chance(gap: float, left: int, stayed: int) -> bool:
    if min(left, stayed) < MIN_TESTED:
        return gap > MAX_GAP
    return gap > max(MAX_GAP, CRITICAL * float(np.sqrt((left + stayed) / (left * stayed))))


def _late(delays: NDArray[np.float64]) -> float:
    return float(np.quantile(delays, 1 - MAX_GAP))
