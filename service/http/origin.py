"""Origin check of a service without keys: it answers programs of this machine and its own pages, but no pages of other sites.

A browser lets any page send requests to 127.0.0.1, some of them (a POST without a body, or with a body of text) without a
preflight request: a page of another site could roll a model back. Through a name that resolves to 127.0.0.1 (DNS rebinding) it
could also read the responses. With keys neither works, since the browser does not know them, so that nothing is checked. GET
changes nothing, so that links from other sites work.
"""

from __future__ import annotations

from service.http.errors import ForeignPage, WrongHost
from service.http.loopback import is_loopback

OWN_SITE = (b"", b"same-origin", b"none")
SAFE_METHODS = ("GET", "HEAD")


def check_origin(method: str, headers: dict[bytes, bytes]) -> None:
    """Refuse what a browser sends on behalf of another site, and what was sent to a name that is not this machine's.

    Parameters
    ----------
    method : str
        The HTTP method.
    headers : dict of bytes to bytes
        Names in lower case.

    Raises
    ------
    WrongHost
        If the request was sent to another host name.
    ForeignPage
        If it comes from a page of another site, and may change something.

    Examples
    --------
    >>> check_origin("POST", {b"host": b"localhost:8000", b"origin": b"http://localhost:8000"})
    >>> check_origin("GET", {b"host": b"rebound.example:8000"})  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    service.http.errors.WrongHost: Without API keys only names of this machine are answered: ...
    """
    host = headers.get(b"host", b"")
    if host and not _is_this_machine(host):
        raise WrongHost("Without API keys only names of this machine are answered: use 127.0.0.1 or localhost, or set keys.")
    if method in SAFE_METHODS:
        return
    origin = headers.get(b"origin", b"")
    # Browsers of the last years say it themselves; older ones name the page.
    if headers.get(b"sec-fetch-site", b"") not in OWN_SITE or (origin and origin.partition(b"://")[2] != host):
        raise ForeignPage("Without API keys, pages of other sites are not answered.")


def _is_this_machine(host: bytes) -> bool:
    if host.startswith(b"127.0.0.1") and host[9:10] in (b"", b":"):  # what nearly everybody asks
        return True
    name = host.decode("latin-1")
    name = name[1 : name.find("]")] if name.startswith("[") else name.partition(":")[0]
    return is_loopback(name)
