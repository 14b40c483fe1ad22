"""Whom a service without keys answers: programs of this machine, and pages that it made itself. Not the pages of elsewhere.

A browser lets any page send requests to 127.0.0.1, some of them (a POST without a body, or with one that it calls text) without
asking first: a page of elsewhere could roll a model back. By a name that it lets point to 127.0.0.1 (DNS rebinding) it could read
the answers too. With keys neither helps it, since a browser does not know them; then nothing is asked here. To look (GET) changes
nothing, so that a link from elsewhere works.
"""

from __future__ import annotations

import ipaddress

from service.http.errors import ForeignPage, WrongHost

OWN_SITE = (b"", b"same-origin", b"none")
POLLING = ("GET", "HEAD")


def check_origin(method: str, headers: dict[bytes, bytes]) -> None:
    """Turn away what a browser sends on behalf of another site, and what was sent to another name.

    Raises
    ------
    WrongHost, ForeignPage

    Examples
    --------
    >>> check_origin("POST", {b"host": b"localhost:8000", b"origin": b"http://localhost:8000"})
    >>> check_origin("GET", {b"host": b"rebound.example:8000"})
    Traceback (most recent call last): service.http.problem_details.WrongHost: Without API keys only names of this machine are
    answered: use 127.0.0.1 or localhost, or set keys.
    """
    host = headers.get(b"host", b"")
    if host and not _is_this_machine(host):
        raise WrongHost("Without API keys only names of this machine are answered: use 127.0.0.1 or localhost, or set keys.")
    if method in POLLING:
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
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name.lower() == "localhost"
