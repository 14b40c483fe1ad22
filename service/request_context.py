"""What is known of a request while it is answered: its name, its trace, whose it is. The door makes it; anybody may ask it."""

from __future__ import annotations

import os
import re
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from starlette.types import Scope

from churn.ids import new_id

if TYPE_CHECKING:
    from service.api_keys import ApiKey
    from service.observability.tracing import Tracing

IN_SCOPE = "churn.visit"
# Of every answer: it is what its type says it is, and nobody keeps a copy of what is known of a customer.
ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,128}")
# W3C Trace Context: version, trace, parent, flags. Later versions may say more; zeros alone are invalid, and so is version ff.
_TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?")


class RequestContext:
    """One request.

    Attributes
    ----------
    request_id : str
        The caller's own, if it sent a sane one.
    trace_id, span_id : str
        Of the W3C trace that the caller is in, and of our part in it; empty if it is in none.
    key : ApiKey or None
        Whose request it is; None if no known key came with it.
    media_type : bytes
        Of its body, as the header says it; empty if it does not.
    weight : int
        Bytes that it may hold in memory.
    span, trace : Span, Tracing or None
        Of OpenTelemetry, if it is on.
    model_version : str
        Of the model that answers it; empty if none was asked.
    """

    __slots__ = ("flags", "key", "media_type", "model_version", "request_id", "span", "span_id", "trace", "trace_id", "weight")

    def __init__(self, request_id: bytes = b"", traceparent: bytes = b"", media_type: bytes = b"") -> None:
        self.request_id = request_id.decode("ascii") if request_id and _REQUEST_ID.fullmatch(request_id) else new_id()
        self.media_type = media_type
        self.trace_id = self.span_id = self.flags = self.model_version = ""
        self.key: ApiKey | None = None
        self.weight = 0
        self.span: Any = None
        self.trace: Tracing | None = None
        if traceparent and (match := _TRACE.fullmatch(traceparent)) is not None:
            self.trace_id, self.flags = match[1].decode(), match[3].decode()
            self.span_id = os.urandom(8).hex()

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Give the headers of every answer, and those by which the caller finds this request again."""
        named = (b"x-request-id", self.request_id.encode())
        if not self.trace_id:
            return [*ALWAYS, named]
        return [*ALWAYS, named, (b"traceparent", f"00-{self.trace_id}-{self.span_id}-{self.flags}".encode())]


CURRENT: ContextVar[RequestContext | None] = ContextVar("visit", default=None)


def request_context_of(scope: Scope) -> RequestContext | None:
    """Give the visit that the door made; None if the request did not come through it."""
    request_context: RequestContext | None = scope.get(IN_SCOPE)
    return request_context
