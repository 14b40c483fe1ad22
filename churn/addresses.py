"""Addresses of stores and registries, as they may be shown: they can hold passwords."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

HIDDEN = "***"
# Of libpq's and MLflow's parameters those that are secrets.
_SECRET = re.compile(r"(?i)\b(\w*(?:password|passwd|secret|token|key|credential)\w*=)[^&\s]*")
_USERINFO = re.compile(r"(?<=//)([^/\s:@]*):[^/\s]*@")


def shown(address: str) -> str:
    """Give an address without the password in it, wherever it stands: before the host, or among the parameters.

    Examples
    --------
    >>> shown("postgresql://churn:s3:cr@t@db:5432/churn?sslmode=require&password=s3cret")
    'postgresql://churn:***@db:5432/churn?sslmode=require&password=***'
    >>> shown("sqlite:////var/lib/churn/store.db")
    'sqlite:////var/lib/churn/store.db'
    """
    return _SECRET.sub(rf"\1{HIDDEN}", _USERINFO.sub(rf"\1:{HIDDEN}@", address))


def scheme(address: str) -> str:
    """Give an address' scheme without the driver that SQLAlchemy lets one add: `postgresql` of `postgresql+psycopg://…`.

    Examples
    --------
    >>> scheme("postgresql+psycopg://db/churn"), scheme("sqlite:///store.db"), scheme("store.db")
    ('postgresql', 'sqlite', '')
    """
    return urlsplit(address).scheme.partition("+")[0]
