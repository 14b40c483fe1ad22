"""Pseudonyms: with a key, customers' identifiers are stored as something that only the key's holder can link to them.

A keyed hash rather than a plain one: identifiers are few and guessable, so whoever has the table could hash them all and compare.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field

PREFIX = "p:"
# 128 bits: two of a billion customers share a pseudonym with probability 1e-21.
DIGITS = 32
_MADE = re.compile(rf"{PREFIX}[0-9a-f]{{{DIGITS}}}")


@dataclass(frozen=True)
class Pseudonymiser:
    """Turns identifiers into pseudonyms: HMAC-SHA256 (RFC 2104) in hexadecimal digits, cut to 32 of them, after "p:".

    The same key and identifier give the same pseudonym everywhere; another key gives an unlinked one, which is how a population
    is forgotten, and why a key must be kept. An empty key leaves identifiers as they are.

    Attributes
    ----------
    key : str
        Never shown.

    Examples
    --------
    >>> Pseudonymiser("correct horse battery staple")("customer-1")
    'p:4d0de57e0f222cac0711b9c1f48b5ee9'
    >>> Pseudonymiser("")("customer-1")
    'customer-1'
    """

    key: str = field(repr=False)

    def __call__(self, customer_id: str) -> str:
        """Give the pseudonym of an identifier. One that looks like a pseudonym already gets one all the same."""
        if not self.key:
            return customer_id
        digest = hmac.digest(self.key.encode(), customer_id.encode("utf-8", "surrogatepass"), hashlib.sha256)
        return PREFIX + digest.hex()[:DIGITS]

    @staticmethod
    def made(customer_id: str) -> bool:
        """Tell whether this has the form of a pseudonym."""
        return _MADE.fullmatch(customer_id) is not None
