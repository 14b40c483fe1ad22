"""URLs of stores and registries: their scheme, their password, and how to show them without it."""

from __future__ import annotations

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

HIDDEN = "***"
# Of libpq's and MLflow's parameters those that are secrets.
_SECRET = re.compile(r"(?i)\b(\w*(?:password|passwd|secret|token|key|credential)\w*=)[^&\s]*")
# A name that some DNS or hosts file may know. Not numbers alone: they are a broken address.
_HOST = re.compile(r"(?=.{1,253}$)(?![0-9.]+$)[A-Za-z0-9_]([A-Za-z0-9_-]{0,62})(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,62}))*\.?")
_USERINFO = re.compile(r"(?<=//)([^/\s:@]*):[^/\s]*@")


def shown(address: str) -> str:
    """Return a URL in one line with its passwords hidden, before the host and among the parameters.

    Examples
    --------
    >>> shown("postgresql://churn:s3:cr@t@db:5432/churn?sslmode=require&password=s3cret")
    'postgresql://churn:***@db:5432/churn?sslmode=require&password=***'
    >>> shown("sqlite:////var/lib/churn/store.db")
    'sqlite:////var/lib/churn/store.db'
    """
    return " ".join(_SECRET.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1:{HIDDEN}@", address)).split())


def scheme(address: str) -> str:
    """Return a URL's scheme without SQLAlchemy's driver: `postgresql` of `postgresql+psycopg://…`.

    Examples
    --------
    >>> scheme("postgresql+psycopg://db/churn"), scheme("sqlite:///store.db"), scheme("store.db")
    ('postgresql', 'sqlite', '')
    """
    return urlsplit(address).scheme.partition("+")[0]


def put_password(url: str, password: str) -> str:
    """Return a database URL with a password put into it.

    Parameters
    ----------
    url : str
        Names a host, and no other password.
    password : str

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If the URL is none, names no host, or has another password.
    """
    # Only here is it needed, and it takes a tenth of a second to import.
    from sqlalchemy import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("is no database URL, such as postgresql://churn@postgres:5432/churn") from None
    if parsed.password == password:
        return url  # from settings that were handed on
    if parsed.password is not None or parsed.host is None:
        raise ValueError("must name a host and no password: CHURN_STORE_PASSWORD is set as well")
    return parsed.set(password=password).render_as_string(hide_password=False)


def require_scheme(schemes: tuple[str, ...], address: str) -> str:
    """Return a URL if it has one of the schemes.

    Parameters
    ----------
    schemes : tuple of str
        At least two.
    address : str

    Returns
    -------
    str
        `address`.

    Raises
    ------
    ValueError
        If it has another scheme.
    """
    if scheme(address) not in schemes:
        raise ValueError(f"must begin with {', '.join(f'{name}:' for name in schemes[:-1])} or {schemes[-1]}:")
    return address


def require_address(schemes: tuple[str, ...], address: str) -> str:
    """Return a URL if it has one of the schemes and names a host, and a port that there can be.

    Parameters
    ----------
    schemes : tuple of str
        At least two.
    address : str

    Returns
    -------
    str
        `address`.

    Raises
    ------
    ValueError
        If it has another scheme, no host, or an impossible port.
    """
    require_scheme(schemes, address)
    parsed = urlsplit(address)
    try:
        port = parsed.port
    except ValueError:
        port = 0
    if not parsed.hostname or port == 0:
        raise ValueError(f"must name a host, and a port from 1 to 65535 if any, such as {schemes[0]}://127.0.0.1:8000")
    require_host(parsed.hostname)
    return address


def require_host(host: str) -> str:
    """Return the name or the address of a host; ValueError if it can be neither.

    Examples
    --------
    >>> require_host("0.0.0.0"), require_host("::1"), require_host("mlflow.churn.svc")
    ('0.0.0.0', '::1', 'mlflow.churn.svc')
    """
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        if not _HOST.fullmatch(host):
            raise ValueError("must be the name or the address of a host, without scheme and port") from None
    return host


def parse_links(text: str) -> dict[str, str]:
    """Read `CHURN_PAGE_LINKS`; ValueError if it is something else, or leads anywhere but to http or https.

    Examples
    --------
    >>> parse_links("Grafana=https://grafana.example/d/1?x=y, Prefect=http://127.0.0.1:4200/")
    {'Grafana': 'https://grafana.example/d/1?x=y', 'Prefect': 'http://127.0.0.1:4200/'}
    """
    links = {}
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), start=1):
        name, _, address = (part.strip() for part in entry.partition("="))
        if not name or not address.startswith(("http://", "https://")):
            raise ValueError(f"entry {number} must be NAME=URL, and the URL begin with http:// or https://")
        links[name] = address
    return links
