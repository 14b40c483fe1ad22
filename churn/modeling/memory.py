"""A memory of the last results of slow steps, by the content of what went in.

A search fits one part of the customers many times, with parameters of which each matters to some of the steps only: rules do not
depend on how strictly terms are selected, nor terms on how much their weights are shrunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T")


class Memory(Generic[T]):
    """Remembers results.

    Parameters
    ----------
    size : int
        Of more results than so many the oldest is forgotten.

    Examples
    --------
    >>> memory: Memory[float] = Memory(2)
    >>> [memory.recall((np.ones(3), 2.0), lambda: made) for made in (1.5, 2.5)]
    [1.5, 1.5]
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._known: dict[bytes, T] = {}

    def recall(self, given: tuple[NDArray[np.generic] | object, ...], make: Callable[[], T]) -> T:
        """Return what was made of the same before, else make it.

        Parameters
        ----------
        given : tuple
            All that the result depends on: arrays, and whatever `repr` tells apart.
        make : callable

        Returns
        -------
        object
            What `make` returns, or returned the first time.
        """
        digest = hashlib.blake2b(digest_size=16)
        for part in given:
            if isinstance(part, np.ndarray):
                digest.update(f"{part.dtype} {part.shape} ".encode())
                digest.update(np.ascontiguousarray(part).data)
            else:
                digest.update(f"{part!r} ".encode())
        key = digest.digest()
        if key in self._known:
            return self._known[key]
        made = self._known[key] = make()
        while len(self._known) > self._size:
            self._known.pop(next(iter(self._known)), None)
        return made

    def forget(self) -> None:
        """Forget everything."""
        self._known.clear()
