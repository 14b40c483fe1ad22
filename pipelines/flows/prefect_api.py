"""What a call to Prefect's API raises: Prefect's client lets errors of httpx through. (Our own clients use httpx2.)"""

from __future__ import annotations

from httpx import HTTPError, TransportError
from prefect.exceptions import PrefectException

# What can go wrong while Prefect's server is away or still coming up.
PREFECT_API_ERRORS = (HTTPError, PrefectException, OSError, RuntimeError)


def is_unreachable(error: BaseException) -> bool:
    """Return whether all that went wrong is that Prefect's server did not answer."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_unreachable(part) for part in error.exceptions)
    # These are the words of Prefect's runner, and of its client when the server has just gone.
    return isinstance(error, TransportError | OSError) or (
        isinstance(error, RuntimeError)
        and any(words in str(error) for words in ("exceeded error threshold", "Failed to reach API"))
    )
