"""Texts with one spelling: `é` may be one character, or an e and an accent, and looks the same.

Windows, databases and keyboards write the first (NFC); names that came from files of a Mac are in the second (NFD).
"""

from __future__ import annotations

import unicodedata

# Putting accents in their order takes a time that grows with the square of how many there are. No level is that long.
_MAX_LENGTH = 256


def composed(text: str) -> str:
    r"""Return a text with its accents in the letters they belong to (Unicode's NFC, https://unicode.org/reports/tr15/).

    Parameters
    ----------
    text : str
        Returned as it is if it is longer than any level.

    Returns
    -------
    str

    Examples
    --------
    >>> composed("Zu\u0308rich") == "Z\u00fcrich"
    True
    """
    return text if text.isascii() or len(text) > _MAX_LENGTH else unicodedata.normalize("NFC", text)


def decomposed(text: str) -> str:
    r"""Return a text with its accents behind their letters (NFD).

    Examples
    --------
    >>> decomposed("Z\u00fcrich") == "Zu\u0308rich"
    True
    """
    return unicodedata.normalize("NFD", text)
