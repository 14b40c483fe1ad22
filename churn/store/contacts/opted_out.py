"""Customers who want no contacts, as a set that fits into the memory of a process: eight bytes each."""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Of 64: among a million of them, one in twenty thousand billion others would be taken for one of them.
PREFIX_DIGITS = 16
Prefixes = NDArray[np.uint64]


def opt_out_digest(customer_id: str) -> str:
    """Return the digest that stands for a customer among the opt-outs, 64 hexadecimal digits.

    Examples
    --------
    >>> opt_out_digest("c-1")[:8]
    'd1b434f3'
    """
    return hashlib.sha256(f"opt-out:{customer_id}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True)
class OptedOut:
    """Customers who want no contacts.

    Attributes
    ----------
    packed : bytes
        The first eight bytes of each one's digest as a number, in ascending order.
    pseudonym : callable or None
        Turns an id into what the store has instead, and digests. Not part of what is sent elsewhere.

    Examples
    --------
    >>> nobody, some = OptedOut(), OptedOut().changed(prefixes(map(opt_out_digest, ["anna", "ben"])), prefixes([]))
    >>> [one.has(name) for one in (nobody, some) for name in ("anna", "carla", None)]
    [False, False, False, True, False, False]
    >>> len(some.changed(prefixes([]), prefixes([opt_out_digest("anna")])))
    1
    """

    packed: bytes = field(default=b"", repr=False)
    pseudonym: Callable[[str], str] | None = field(default=None, compare=False, repr=False)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` returned."""
        return cls(b64decode(text))

    def to_text(self) -> str:
        """Return it as text for JSON, without the key of pseudonyms."""
        return b64encode(self.packed).decode()

    def __len__(self) -> int:
        return len(self.packed) // 8

    @cached_property
    def _prefixes(self) -> Prefixes:
        return np.frombuffer(self.packed, dtype="<u8")

    def has(self, customer_id: str | None) -> bool:
        """Return whether a customer wants no contacts. Of one without an id nobody knows: False."""
        known = self._prefixes
        if customer_id is None or not len(known):
            return False
        stored = customer_id if self.pseudonym is None else self.pseudonym(customer_id)
        prefix = int(opt_out_digest(stored)[:PREFIX_DIGITS], 16)
        at = int(known.searchsorted(np.uint64(prefix)))
        return at < len(known) and int(known[at]) == prefix

    def among(self, customer_ids: Sequence[str | None], asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return who of many customers wants no contacts.

        Parameters
        ----------
        customer_ids : sequence of str or None, length n
        asked : numpy.ndarray of bool, shape (n,)
            Only of these it is found out; of all others it is False.

        Returns
        -------
        numpy.ndarray of bool, shape (n,)
        """
        found = np.zeros(len(asked), dtype=np.bool_)
        if self.packed:
            for at in np.flatnonzero(asked).tolist():
                found[at] = self.has(customer_ids[at])
        return found

    def changed(self, wanting_none: Prefixes, willing: Prefixes) -> OptedOut:
        """Return the set after some said that they want no contacts, and some that they may be contacted again.

        Parameters
        ----------
        wanting_none, willing : numpy.ndarray of uint64
            See `prefixes`. Who is among both is willing.

        Returns
        -------
        OptedOut
        """
        left = np.setdiff1d(np.union1d(self._prefixes, wanting_none), willing, assume_unique=False)
        return OptedOut(left.astype("<u8").tobytes(), self.pseudonym)


def prefixes(digests: Iterable[str]) -> Prefixes:
    """Return the numbers that stand for digests in `OptedOut`, in their order."""
    return np.fromiter((int(one[:PREFIX_DIGITS], 16) for one in digests), dtype=np.uint64)


# The set that has no members.
NOBODY_OPTED_OUT = OptedOut()
