"""Admission: whose request it is, and whether there is room for it. The gateway and the fast path ask the same questions."""

from __future__ import annotations

from churn.config.settings import Settings
from service.api_keys import ApiKey, known_key
from service.http.errors import Ambiguous
from service.http.origin import check_origin
from service.http.rate_limits import Limits
from service.request_context import RequestContext

# These headers may occur once: a proxy in front could read the first, and this service the last.
SINGLE_HEADERS = (b"host", b"authorization", b"x-api-key", b"content-type", b"content-length", b"content-encoding", b"origin")
MAX_NUMBER_LENGTH = 16
# Bodies up to this size need no room among the large ones.
MAX_SMALL_BYTES = 64 * 1024
Headers = list[tuple[bytes, bytes]]


class Admission:
    """Looks up keys, checks the origin of requests without keys, and applies the limits.

    Parameters
    ----------
    settings : Settings
    keys : tuple of ApiKey
        Without keys only programs of this machine are answered, and the service binds loopback.
    """

    def __init__(self, settings: Settings, keys: tuple[ApiKey, ...]) -> None:
        self.limits = Limits(settings.max_concurrent, settings.max_inflight_bytes, settings.rate_limit, settings.rate_burst)
        self._keys = keys

    def identify(self, request_context: RequestContext, method: str, headers: Headers, named: dict[bytes, bytes]) -> None:
        """Look the key up or, without configured keys, check that the request comes from this machine. It leaves no trace.

        Parameters
        ----------
        request_context : RequestContext
            Gets the key.
        method : str
        headers : list of (bytes, bytes)
            As they were sent, names in lower case.
        named : dict of bytes to bytes
            The same by name.

        Raises
        ------
        Ambiguous, WrongHost, ForeignPage
        """
        if len(named) < len(headers):
            _refuse_repeated(headers)
        if self._keys:
            request_context.key = known_key(self._keys, _presented_key(named))
        else:
            request_context.needs_key = False
            check_origin(method, named)

    def enter(self, request_context: RequestContext, named: dict[bytes, bytes], address: str | None) -> None:
        """Count the request against its caller's rate and let it in: it must `leave` afterwards.

        Parameters
        ----------
        request_context : RequestContext
            Gets the weight.
        named : dict of bytes to bytes
            The headers by name.
        address : str or None
            Of the client.

        Raises
        ------
        ComeLater
            Then it is not let in.
        """
        request_context.weight = self._weight(named)
        request_context.limits = self.limits
        if self.limits.has_rate:
            self.limits.count(_caller(request_context, address))
        self.limits.enter(request_context.weight)

    def leave(self, request_context: RequestContext) -> None:
        """Free what the request took."""
        self.limits.leave(request_context.weight)

    def _weight(self, named: dict[bytes, bytes]) -> int:
        """Return how many bytes a small body takes. A large one counts as it arrives: to announce one costs nothing."""
        length = named.get(b"content-length", b"")
        weight = int(length) if length.isdigit() and len(length) < MAX_NUMBER_LENGTH else 0
        return weight if weight <= MAX_SMALL_BYTES else 0


def _refuse_repeated(headers: Headers) -> None:
    names = [name for name, _ in headers]
    for name in SINGLE_HEADERS:
        if names.count(name) > 1:
            raise Ambiguous(f"The header {name.decode()} may be there once.")


def _presented_key(named: dict[bytes, bytes]) -> bytes:
    """Return the key that was sent, by either header; empty if there is none."""
    bearer = named.get(b"authorization", b"")
    return named.get(b"x-api-key") or (bearer[7:].strip() if bearer[:7].lower() == b"bearer " else b"")


def _caller(request_context: RequestContext, address: str | None) -> str:
    if request_context.key is not None:
        return f"key {request_context.key.name}"
    return f"address {address}" if address else "address"
