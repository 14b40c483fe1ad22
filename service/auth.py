"""API keys: who may call which route. Only hashes are configured; a key itself is never stored, logged or shown."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from churn.errors import InputError
from service.problems import NotAllowed, NotAuthenticated
from service.state import ServiceState, service_state

SCOPES = frozenset({"predict", "outcomes", "admin"})
_ENTRY = re.compile(r"(?P<name>[^:\s]+):(?P<scopes>[a-z+]+):(?P<digest>[0-9a-fA-F]{64})")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="ApiKey")
_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer")


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


def authenticate(keys: tuple[ApiKey, ...], presented: str | None, scope: str | None) -> ApiKey | None:
    """Find whose key was presented, and that it has the scope (None: any key will do). Without configured keys all is open.

    Raises
    ------
    NotAuthenticated, NotAllowed
    """
    if not keys:
        return None
    if not presented:
        raise NotAuthenticated("Send a key in the header X-API-Key, or as Authorization: Bearer.")
    digest = hashlib.sha256(presented.encode()).digest()
    # All are compared, in constant time each: how long it takes tells nothing of which key is near.
    found = [key for key in keys if hmac.compare_digest(key.digest, digest)]
    if not found:
        raise NotAuthenticated("The key is not known.")
    if scope is not None and scope not in found[0].scopes:
        raise NotAllowed(f"This route needs a key with the scope {scope!r}.")
    return found[0]


def authorize(state: ServiceState, scope: Scope, wanted: str | None) -> ApiKey | None:
    """Do for a raw ASGI scope what `require` does for a route: find the key in its headers, and whether it may.

    Raises
    ------
    NotAuthenticated, NotAllowed
    """
    if not state.keys:
        return None
    presented = bearer = None
    for name, value in scope["headers"]:
        if name == b"x-api-key":
            presented = value.decode("latin-1")
        elif name == b"authorization" and value[:7].lower() == b"bearer ":
            bearer = value[7:].strip().decode("latin-1")
    return authenticate(state.keys, presented if presented is not None else bearer, wanted)


def require(scope: str | None) -> Callable[..., Awaitable[None]]:
    """Make the dependency that lets in only keys with `scope` (None: any valid key)."""

    async def check(
        request: Request,
        header: Annotated[str | None, Security(_header)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> None:
        presented = header if header is not None else bearer.credentials if bearer is not None else None
        authenticate((await service_state(request)).keys, presented, scope)

    return check
