"""Texts of callers in a CSV file, for whoever opens it with a spreadsheet program: a text is no formula there."""

from __future__ import annotations

import re

# https://owasp.org/www-community/attacks/CSV_Injection: what begins like this is run; the fullwidth signs too, in some locales.
_RUN = re.compile(r"[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
# A number is one however it begins: -5, and the telephone number +4930123456, stay what they are.
_NUMBER = re.compile(r"[+-]?[0-9][0-9 ]*(\.[0-9]*)?([eE][+-]?[0-9]+)?")


def as_text(said: str | None) -> str | None:
    """Put an apostrophe before what a spreadsheet would run as a formula; anything else stays as it is.

    Examples
    --------
    >>> as_text("=HYPERLINK(A1)"), as_text("c-1"), as_text("-5"), as_text("+49 30 123456"), as_text("-2+3")
    ("'=HYPERLINK(A1)", 'c-1', '-5', '+49 30 123456', "'-2+3")
    """
    if said and _RUN.match(said) and not _NUMBER.fullmatch(said):
        return f"'{said}"
    return said
