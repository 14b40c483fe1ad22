"""How the texts of one column write numbers: which mark is the decimal one, what stands between thousands, what stands beside."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

NUMBER_PATTERN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_LETTERS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{RIGHT SINGLE QUOTATION MARK}": "'"})


class NumberFormat(BaseModel):
    """The way in which a column's texts write numbers, where they do not only write 1234.5 as JSON and Python do.

    A number that is no text (in JSON, Parquet, Arrow, a tensor) is always itself. So is a text that writes it plainly, but where
    the decimal mark is a comma: then 1.234 is what the format says that it is.

    Attributes
    ----------
    decimal : {".", ","}
    thousands : {"", ",", ".", " ", "'"}
        What may stand between groups of three digits (or of two, as in 12,34,567); a blank is any kind of blank.
    units : tuple of str
        Texts that may stand before or after the number and change nothing: `$`, `EUR`, `%`, `GB`. In any case of letters.
    parentheses : bool
        Whether (12.50) is -12.50, as accountants write it.

    Examples
    --------
    >>> euros = NumberFormat(decimal=",", thousands=".", units=("€",))
    >>> [euros.read(text) for text in ("1.234,50 €", "12", "-3,5", "1.5", "many")]
    [1234.5, 12.0, -3.5, None, None]
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    decimal: Literal[".", ","] = "."
    thousands: Literal["", ",", ".", " ", "'"] = ""
    units: tuple[str, ...] = ()
    parentheses: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.decimal == self.thousands:
            raise ValueError(f"{self.decimal!r} cannot be the decimal mark and stand between thousands")
        if bad := next((unit for unit in self.units if not unit.strip() or set(unit) & set("0123456789.,'()+-")), None):
            raise ValueError(f"{bad!r} cannot be a unit: it must not be blank, and hold no digit and no mark of a number")
        return self

    @property
    def example(self) -> str:
        """A number that is written so."""
        return f"1{self.thousands}234{self.decimal}5"

    def read(self, text: str) -> float | None:
        """Return the number that a text means; None if it means none. It may be infinite."""
        found = _pattern(self).fullmatch(plain_marks(text).lower())
        if found is None:
            return None
        signs = [sign for sign in found.group("before", "within", "after") if sign]
        enclosed = found["open"] is not None
        if len(signs) + enclosed > 1 or enclosed != (found["close"] is not None):
            return None
        digits = found["number"]
        if self.thousands:
            digits = digits.replace(self.thousands, "")
        number = float(digits.replace(self.decimal, "."))
        return -number if enclosed or "-" in signs else number


def plain_marks(text: str) -> str:
    """Return a text with single blanks of the usual kind, and with the minus and the apostrophe of ASCII."""
    return " ".join(text.translate(_LETTERS).split())


@lru_cache(maxsize=256)
def _pattern(form: NumberFormat) -> re.Pattern[str]:
    # Blanks are single by now, so that no text takes long to be refused.
    decimal, between = re.escape(form.decimal), re.escape(form.thousands)
    grouped = f"[0-9]{{1,3}}(?:{between}[0-9]{{2,3}})*{between}[0-9]{{3}}|" if form.thousands else ""
    number = f"(?P<number>(?:(?:{grouped}[0-9]+)(?:{decimal}[0-9]*)?|{decimal}[0-9]+)(?:e[+-]?[0-9]+)?)"
    units = "|".join(re.escape(" ".join(unit.lower().split())) for unit in sorted(form.units, key=len, reverse=True))
    unit = f"(?:{units})?" if units else ""
    opening, closing = (r"(?P<open>\()?", r"(?P<close>\))?") if form.parentheses else ("(?P<open>$^)?", "(?P<close>$^)?")
    return re.compile(
        f"{opening} ?(?P<before>[+-])? ?{unit} ?(?P<within>[+-])? ?{number} ?{unit}(?P<after>-)? ?{closing} ?{unit}"
    )
