"""Our own calls of Prefect's API: a client that does not wait for ever, and what it raises: Prefect lets errors of httpx through.

(Our other clients use httpx2.)
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from httpx import HTTPError, TransportError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.exceptions import PrefectException
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

# What can go wrong while Prefect's server is away or still coming up.
PREFECT_API_ERRORS = (HTTPError, PrefectException, OSError, RuntimeError)
# What is asked here is asked again later: a server that stands still is left after half a minute, not after Prefect's seven.
REQUEST_SECONDS, MAX_RETRIES = 10.0, 1
EPHEMERAL = "ephemeral Prefect API server"


@contextmanager
def prefect_client() -> Iterator[SyncPrefectClient]:
    """Open a client of Prefect's API for a `with` block."""
    limits = {"timeout": REQUEST_SECONDS}
    with temporary_settings({PREFECT_CLIENT_MAX_RETRIES: MAX_RETRIES}), get_client(limits, sync_client=True) as client:
        yield client


def is_unreachable(error: BaseException) -> bool:
    """Return whether all that went wrong is that Prefect's server did not answer."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_unreachable(part) for part in error.exceptions)
    # These are the words of Prefect's runner, of its client when the server has just gone, and when one of its own did not start.
    return isinstance(error, TransportError | OSError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("exceeded error threshold", "Failed to reach API", EPHEMERAL))
    )
