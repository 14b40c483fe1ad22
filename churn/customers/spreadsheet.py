"""Write texts of callers into a CSV file so that no spreadsheet program runs one as a formula. Every writer of CSV asks here."""

from __future__ import annotations

import re

# https://owasp.org/www-community/attacks/CSV_Injection: what begins like this is run; the fullwidth signs too, in some locales.
_RUN = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# A number is one however it begins: -5, and the telephone number +49 30 123456, stay what they are.
_NUMBER = re.compile(r"[+-]?[0-9][0-9 ]*(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def safe_text(text: str | None) -> str | None:
    """Return the text with an apostrophe before it if a spreadsheet would run it as a formula; anything else as it is.

    Examples
    --------
    >>> safe_text("=HYPERLINK(A1)"), safe_text("c-1"), safe_text("-5"), safe_text("+49 30 123456"), safe_text("-2+3")
    ("'=HYPERLINK(A1)", 'c-1', '-5', '+49 30 123456', "'-2+3")
    """
    if text and _RUN.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text
