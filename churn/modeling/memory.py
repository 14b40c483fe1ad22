"""A memory of the last results of slow steps, by the content of what went in.

A search fits one part of the customers many times, with parameters of which each matters to some of the steps only: rules do not
depend on how strictly terms are selected, nor terms on how much their weights are shrunk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from threading import Lock
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
        # A Dask worker searches in several threads.
        self._lock = Lock()

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
        with self._lock:
            if key in self._known:
                return self._known[key]
        # Two threads may make the same at the same time, and neither waits for the other.
        made = make()
        with self._lock:
            self._known[key] = made
            while len(self._known) > self._size:
                del self._known[next(iter(self._known))]
        return made

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()
