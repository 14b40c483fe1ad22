"""Whether a model that says more is better beyond chance than a simpler one, for the same customers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
# A probability of 0 or 1 that is wrong would cost infinitely much.
SUREST = 1e-12


class Gain(NamedTuple):
    """By how much log loss is lower, in nats per row, and the standard error of that."""

    mean: float
    error: float

    @property
    def pays(self) -> bool:
        """Return whether it is more than one standard error."""
        return self.mean > self.error


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
