"""The standing control group: customers whom no campaign contacts, so that what campaigns bring can be known.

A keyed hash of the customer's id decides, so that a customer is in it, or not, over all campaigns, on all replicas and in files,
without any list. Another key draws another group: those who were left alone so far may then be contacted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

_PURPOSE = b"control group"
_BITS = 64
Action = Literal["contact", "hold_out", "none"]
# By the number of these that hold: the probability is at or above the threshold; the customer belongs to the control group.
ACTIONS: tuple[Action, ...] = ("none", "contact", "hold_out")


@dataclass(frozen=True)
class ControlGroup:
    """A share of all customers, chosen by their ids.

    Attributes
    ----------
    share : float
        In [0, 1); of 0 nobody is in it. A larger share keeps everybody of a smaller one.
    key : str
        Which customers these are.

    Examples
    --------
    >>> group = ControlGroup(0.5)
    >>> [group.has(name) for name in ("anna", "ben", "carla", "dora", None)]
    [False, True, True, False, False]
    """

    share: float = 0.0
    key: str = ""

    def has(self, customer_id: str | None) -> bool:
        """Return whether a customer belongs to it. Of a customer without an id nobody could tell the next time: False."""
        if customer_id is None or not self.share:
            return False
        named = hashlib.blake2b(
            customer_id.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=_BITS // 8, person=_PURPOSE
        )
        return bool(int.from_bytes(named.digest(), "big") < self.share * float(2**_BITS))

    def among(self, customer_ids: Sequence[str | None], asked: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return who of many customers belongs to it.

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
        if self.share:
            for at in np.flatnonzero(asked).tolist():
                found[at] = self.has(customer_ids[at])
        return found

    @property
    def _secret(self) -> bytes:
        # blake2b takes at most 64 bytes.
        key = self.key.encode()
        return key if len(key) <= 64 else hashlib.sha512(key).digest()


# The group that has no members.
NOBODY = ControlGroup()
