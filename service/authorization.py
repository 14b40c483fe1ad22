"""Which key may call which route. The gateway looks the key up; this checks its scopes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from service.api_keys import ApiKey
from service.http.errors import NotAllowed, NotAuthenticated
from service.request_context import RequestContext, request_context_of

_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="ApiKey")
_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer")


def authorize(request_context: RequestContext | None, wanted: str | None) -> ApiKey | None:
    """Let a request pass only if its key has the wanted scope. Without configured keys every request passes.

    Parameters
    ----------
    request_context : RequestContext or None
        The gateway's; None if the request did not pass it: then it may nothing.
    wanted : {"predict", "outcomes", "admin"} or None
        The scope that the key must have; None: any known key will do.

    Returns
    -------
    ApiKey or None
        The caller's key; None without configured keys.

    Raises
    ------
    NotAuthenticated
        If the request has no known key.
    NotAllowed
        If its key lacks the scope.
    """
    if request_context is not None and not request_context.needs_key:
        return None
    key = request_context.key if request_context is not None else None
    if key is None:
        raise NotAuthenticated("Send a known key in the header X-API-Key, or as Authorization: Bearer.")
    if wanted is not None and wanted not in key.scopes:
        raise NotAllowed(f"This route needs a key with the scope {wanted!r}.")
    return key


def require(scope: str | None) -> Callable[..., Awaitable[None]]:
    """Return the FastAPI dependency that lets only keys with `scope` pass (None: any known key)."""

    async def check(
        request: Request,
        _header: Annotated[str | None, Security(_header)],  # these two are for the OpenAPI document
        _bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> None:
        authorize(request_context_of(request.scope), scope)

    return check
