"""API keys: who may call which route. Only hashes are configured; a key itself is never stored, logged or shown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.types import Scope

from service.api_keys import ApiKey
from service.http.errors import NotAllowed, NotAuthenticated
from service.request_context import request_context_of
from service.state import ServiceState, service_state

_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="ApiKey")
_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer")


def authorize(state: ServiceState, scope: Scope, wanted: str | None) -> ApiKey | None:
    """Let in only requests whose key, which the door looked up, has the scope `wanted` (None: any key will do); give the key.

    Without configured keys all is open.

    Raises
    ------
    NotAuthenticated, NotAllowed
    """
    if not state.keys:
        return None
    request_context = request_context_of(scope)
    key = request_context.key if request_context is not None else None
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
