"""Where the simulation's random numbers come from: a stream of its own for every column and every knob."""

from __future__ import annotations

import zlib
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Draws(Protocol):
    """The random numbers of one column. `numpy.random.Generator` is one."""

    def normal(self, loc: float, scale: float, size: int) -> Floats:
        """Draw normal numbers.

        Parameters
        ----------
        loc, scale : float
            Mean and standard deviation; scale >= 0.
        size : int

        Returns
        -------
        numpy.ndarray of float64, shape (size,)
        """
        ...

    def random(self, size: int) -> Floats:
        """Draw numbers in [0, 1), shape (size,)."""
        ...


class Source(Protocol):
    """Gives every purpose its stream, so that two simulations of one seed differ exactly in what their knobs change."""

    def of(self, purpose: str) -> Draws:
        """Return the stream from which customers' own values are drawn; each call starts it anew."""
        ...

    def accident(self, purpose: str) -> np.random.Generator:
        """Return the stream of what happens to a record: values lost, columns shuffled."""
        ...


def generator(*key: int, purpose: str) -> np.random.Generator:
    """Return the random generator of a purpose.

    Parameters
    ----------
    *key : int
        Such as seed, or seed and month; not negative.
    purpose : str

    Returns
    -------
    numpy.random.Generator
    """
    return np.random.default_rng([*key, zlib.crc32(purpose.encode())])


class Seeded:
    """Independent customers: the same seed, the same numbers.

    Parameters
    ----------
    seed : int
        Not negative.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def of(self, purpose: str) -> np.random.Generator:
        """Return the stream of customers' values for a purpose."""
        return generator(self.seed, purpose=purpose)

    def accident(self, purpose: str) -> np.random.Generator:
        """Return the stream of a purpose: here the same as `of`, since all is drawn once."""
        return generator(self.seed, purpose=purpose)
