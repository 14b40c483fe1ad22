"""An error in one line, for messages, logs and answers."""

from __future__ import annotations

MAX_LENGTH = 500


def one_line(error: BaseException, max_length: int = MAX_LENGTH) -> str:
    """Return the message of an error without line breaks, or its class if it has no message.

    Parameters
    ----------
    error : BaseException
        Of any library.
    max_length : int, default 500
        In characters; the rest is cut off.

    Returns
    -------
    str

    Examples
    --------
    >>> one_line(ValueError("no such column:" + chr(10) + "   'Churn'")), one_line(KeyError())
    ("no such column: 'Churn'", 'KeyError')
    """
    return " ".join(str(error).split())[:max_length] or type(error).__name__
