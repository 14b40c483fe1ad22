"""What is known of a request while it is answered: its id, its trace and its key. The gateway makes it; any code may read it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Protocol, Self

from starlette.types import Scope

from churn.ids import next_id
from service.api_keys import ApiKey

IN_SCOPE = "churn.request_context"
# On every response: browsers must not guess another media type, and nobody may cache what is known of a customer.
ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
# W3C Trace Context: version, trace, parent, flags. Versions after 00 may add fields; all-zero ids and version ff are invalid.
_TRACE = re.compile(rb"(?!ff|00-.{52}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class RequestTrace(Protocol):
    """The span of one request. `service.observability.tracing` makes it when tracing is on."""

    def child_span(self, name: str, /) -> AbstractContextManager[Any]:
        """Return a context manager that measures a part of the request."""

    def start_child(self, name: str, /) -> Callable[[], None]:
        """Begin to measure a part of the request that ends in another callback; return what ends it."""

    def end(self, request_context: RequestContext, /, *, method: str, route: str, status: int) -> None:
        """End the span and record the response.

        Parameters
        ----------
        request_context : RequestContext
        method, route : str
            The HTTP method and the route's template.
        status : int
            The HTTP status of the response.
        """


class Room(Protocol):
    """What a body takes beside all others; see `service.http.rate_limits.Limits`."""

    def hold(self, more: int, weight: int, /) -> None:
        """Let a body of `weight` bytes take more.

        Parameters
        ----------
        more, weight : int
        """

    def waiting(self) -> AbstractContextManager[None]:
        """Count the request as not in work while its body is on its way."""


class RequestContext:
    """One request.

    Parameters
    ----------
    request_id, traceparent, media_type : bytes
        The headers X-Request-ID, traceparent and Content-Type; empty where they are absent.

    Attributes
    ----------
    request_id : str
        The caller's own id if it is printable ASCII of at most 128 characters, else a new one.
    trace_id, span_id, flags : str
        The W3C trace that the caller is in, and this service's span in it; empty without a trace.
    key : ApiKey or None
        The caller's key; None if no known key was sent.
    needs_key : bool
        Whether API keys are configured. True until the gateway says otherwise, so that a mistake locks rather than opens.
    media_type : bytes
        The declared type of the body; empty if there is none.
    weight : int
        How many bytes of memory the body takes.
    limits : Room or None
        Where it takes them; None if the request was not let in.
    trace : RequestTrace or None
        The OpenTelemetry span; None while tracing is off.
    model_version : str
        The version of the model that answers; empty if no model was asked.
    """

    __slots__ = (
        "flags",
        "key",
        "limits",
        "media_type",
        "model_version",
        "needs_key",
        "request_id",
        "span_id",
        "trace",
        "trace_id",
        "weight",
    )

    def __init__(self, request_id: bytes = b"", traceparent: bytes = b"", media_type: bytes = b"") -> None:
        self.request_id = request_id.decode("ascii") if request_id and _REQUEST_ID.fullmatch(request_id) else next_id()
        self.media_type = media_type
        self.trace_id = self.span_id = self.flags = self.model_version = ""
        self.key: ApiKey | None = None
        self.needs_key = True
        self.weight = 0
        self.limits: Room | None = None
        self.trace: RequestTrace | None = None
        if traceparent and (match := _TRACE.fullmatch(traceparent)) is not None:
            self.trace_id, self.flags = match[1].decode(), match[3].decode()
            self.span_id = os.urandom(8).hex()

    @classmethod
    def of(cls, headers: dict[bytes, bytes]) -> Self:
        """Return the context of a request with these headers, names in lower case."""
        get = headers.get
        return cls(get(b"x-request-id", b""), get(b"traceparent", b""), get(b"content-type", b""))

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers of every response: the security headers, the request id, and the trace if there is one."""
        named = (b"x-request-id", self.request_id.encode())
        if not self.trace_id:
            return [*ALWAYS, named]
        return [*ALWAYS, named, (b"traceparent", f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode())]


CURRENT: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


def request_context_of(scope: Scope) -> RequestContext | None:
    """Return the context that the gateway put into the scope; None if the request did not pass the gateway."""
    request_context: RequestContext | None = scope.get(IN_SCOPE)
    return request_context
