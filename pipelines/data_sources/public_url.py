"""The customers from their public address."""

from __future__ import annotations

import httpx2

from churn.config.settings import Settings
from churn.config.urls import shown
from pipelines.console import errors
from pipelines.data_sources.source import SourceUnavailable, check_telecom

# The pinned file has 0.3 MB.
MAX_BYTES = 16 * 2**20


def fetch_url(settings: Settings) -> bytes:
    """Fetch the file that `CHURN_DATA_URL` names.

    Raises
    ------
    SourceUnavailable
        If it is empty, or does not answer.
    InputError
        If the file is another than the pinned one: a wrong hash is no reason to go on.
    """
    if not settings.data_url:
        raise SourceUnavailable("CHURN_DATA_URL is empty")
    address = shown(settings.data_url)
    try:
        with errors.status(f"asking {address}"):
            content = _fetch(settings.data_url)
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SourceUnavailable(f"{address} does not answer ({type(error).__name__})") from error
    check_telecom(address, content, "set CHURN_DATA_URL to another copy, or to nothing")
    return content


def _fetch(address: str) -> bytes:
    """Download a file, unpacked to at most `MAX_BYTES`: a redirect may lead anywhere."""
    content = bytearray()
    with httpx2.stream("GET", address, timeout=20, follow_redirects=True) as answer:
        answer.raise_for_status()
        for piece in answer.iter_bytes():
            content += piece
            if len(content) > MAX_BYTES:
                break
    return bytes(content)
