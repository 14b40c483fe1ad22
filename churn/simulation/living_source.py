"""Random numbers of customers who go on living: each month's are close to those of the month before."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from churn.simulation.draws import Floats, generator


class _MovingDraws:
    """A column's hidden numbers in one month; each call takes the next of its hidden columns."""

    def __init__(self, source: LivingSource, purpose: str) -> None:
        self._source, self._purpose, self._calls = source, purpose, 0

    def normal(self, loc: float, scale: float, size: int) -> Floats:
        return loc + scale * self._next(size)

    def random(self, size: int) -> Floats:
        # Below 1 as a generator's: ndtr rounds to 1 from about 8.3 on.
        return np.minimum(ndtr(self._next(size)), np.nextafter(1.0, 0.0))

    def _next(self, size: int) -> Floats:
        self._calls += 1
        return self._source.hidden(self._purpose, self._calls, size)


class LivingSource:
    """Hidden normal numbers that move from month to month: one column for each purpose and call.

    Every step keeps their distribution, standard normal, exactly.

    Parameters
    ----------
    seed : int
        Not negative.
    persistence : float
        Correlation of a number with itself a month later, in [0, 1).
    switching : float
        Share of customers whose hidden number is drawn anew in a month, in [0, 1], for the purposes that `switches` names: values
        of a flag or a category must stay for long, and then change at once.
    switches : frozenset of str
    """

    def __init__(self, seed: int, *, persistence: float, switching: float, switches: frozenset[str]) -> None:
        self.seed = seed
        self._persistence, self._switching, self._switches = persistence, switching, switches
        self._hidden: dict[tuple[str, int], Floats] = {}
        self._reached: dict[tuple[str, int], int] = {}
        self.month = 0

    def of(self, purpose: str) -> _MovingDraws:
        """Return the month's values of a purpose, from the first of its hidden columns on."""
        return _MovingDraws(self, purpose)

    def accident(self, purpose: str) -> np.random.Generator:
        """Return a stream that is new in each month."""
        return generator(self.seed, self.month, purpose=purpose)

    def hidden(self, purpose: str, call: int, size: int) -> Floats:
        """Return a hidden column as it is in the current month.

        Parameters
        ----------
        purpose : str
        call : int
            Which of the purpose's columns, from 1 up.
        size : int
            Number of customers: always the same.

        Returns
        -------
        numpy.ndarray of float64, shape (size,)
        """
        key = (purpose, call)
        if key not in self._hidden:
            self._hidden[key] = generator(self.seed, 0, call, purpose=purpose).standard_normal(size)
            self._reached[key] = 0
        # A knob may ask for a column first in a later month: its steps are made up for, so that months do not depend on it.
        while self._reached[key] < self.month:
            self._reached[key] += 1
            self._hidden[key] = self._step(key, self._hidden[key])
        return self._hidden[key]

    def _step(self, key: tuple[str, int], values: Floats) -> Floats:
        purpose, call = key
        rng = generator(self.seed, self._reached[key], call, purpose=purpose)
        if purpose in self._switches:
            anew = rng.random(len(values)) < self._switching
            return np.where(anew, rng.standard_normal(len(values)), values)
        rho = self._persistence
        return np.asarray(rho * values + np.sqrt(1 - rho**2) * rng.standard_normal(len(values)), dtype=np.float64)
