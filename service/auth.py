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
from service.visit import visit_of

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


def known_key(keys: tuple[ApiKey, ...], presented: bytes) -> ApiKey | None:
    """Find whose key this is; None if it is nobody's."""
    digest = hashlib.sha256(presented).digest()
    found = None
    # All are compared, in constant time each: how long it takes tells nothing of which key is near.
    for key in keys:
        if hmac.compare_digest(key.digest, digest):
            found = key
    return found


def authorize(state: ServiceState, scope: Scope, wanted: str | None) -> ApiKey | None:
    """Let in only requests whose key, which the door looked up, has the scope `wanted` (None: any key will do); give the key.

    Without configured keys all is open.

    Raises
    ------
    NotAuthenticated, NotAllowed
    """
    if not state.keys:
        return None
    visit = visit_of(scope)
    key = visit.key if visit is not None else None
    if key is None:
        raise NotAuthenticated("Send a known key in the header X-API-Key, or as Authorization: Bearer.")
    if wanted is not None and wanted not in key.scopes:
        raise NotAllowed(f"This route needs a key with the scope {wanted!r}.")
    return key


def require(scope: str | None) -> Callable[..., Awaitable[None]]:
    """Make the dependency that lets in only keys with `scope` (None: any valid key)."""

    async def check(
        request: Request,
        _header: Annotated[str | None, Security(_header)],  # these two are for the OpenAPI document
        _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> None:
        authorize(await service_state(request), request.scope, scope)

    return check
