"""API keys: their scopes and hashes, read from one setting. A key itself is never stored, logged or shown."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

from churn.errors import InputError

SCOPES = frozenset({"predict", "outcomes", "admin"})
_ENTRY = re.compile(r"(?P<name>[^:\s]+):(?P<scopes>[a-z+]+):(?P<digest>[0-9a-fA-F]{64})")


@dataclass(frozen=True)
class ApiKey:
    """A configured key: its name, what it may do, and its SHA-256."""

    name: str
    scopes: frozenset[str]
    digest: bytes


def parse_keys(text: str) -> tuple[ApiKey, ...]:
    """Read `CHURN_API_KEYS`: comma-separated NAME:SCOPE+SCOPE:SHA256, with the key's SHA-256 as 64 hexadecimal digits.

    Raises
    ------
    InputError
        If an entry is malformed. The message names the entry by its position only: it may hold a secret.

    Examples
    --------
    >>> digest = hashlib.sha256(b"a long random key").hexdigest()
    >>> [(key.name, sorted(key.scopes)) for key in parse_keys(f"shop:predict+outcomes:{digest}")]
    [('shop', ['outcomes', 'predict'])]
    """
    keys: list[ApiKey] = []
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        where = f"CHURN_API_KEYS: entry {number}"
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise InputError(f"{where} must be NAME:SCOPE+SCOPE:SHA256 (64 hexadecimal digits)")
        scopes = frozenset(match["scopes"].split("+"))
        if not scopes <= SCOPES:
            raise InputError(f"{where} has an unknown scope; there are {', '.join(sorted(SCOPES))}")
        if any(key.name == match["name"] for key in keys):
            raise InputError(f"{where} has the name of an earlier one")
        keys.append(ApiKey(match["name"], scopes, bytes.fromhex(match["digest"])))
    return tuple(keys)


def known_key(keys: tuple[ApiKey, ...], presented: bytes) -> ApiKey | None:
    """Find a key.

    Parameters
    ----------
    keys : tuple of ApiKey
    presented : bytes
        The key as the caller sent it.

    Returns
    -------
    ApiKey or None
        None if it is not among them.
    """
    digest = hashlib.sha256(presented).digest()
    found = None
    # All are compared, in constant time each, so that the duration reveals nothing.
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found
