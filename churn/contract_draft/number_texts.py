"""Find out how a column's texts write numbers: the marks, the units, and which cells are no numbers at all."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from churn.contract_draft.cell_texts import is_number
from churn.customers.cell_rule import MAX_NUMBER
from churn.number_format import NumberFormat, plain_marks

# A column is one of numbers if at least so many of its cells are, and at most so many different texts are none.
MIN_NUMBER_SHARE, MAX_ODD_TEXTS = 0.9, 20
# Of fewer different numbers, as levels may be, others must be fewer too, unless they are such that name no level.
MIN_DIFFERENT, MAX_ODD_SHARE_OF_FEW = 20, 0.02
PLACEHOLDERS = frozenset(
    {
        *(
            "?",
            "??",
            "-",
            "--",
            "---",
            ".",
            "..",
            "*",
            "x",
            "n/a",
            "n.a.",
            "#n/a",
            "<na>",
            "k.a.",
            "\\n",
            "nil",
            "(null)",
            "<null>",
        ),
        *(
            "unknown",
            "missing",
            "not available",
            "#div/0!",
            "#value!",
            "#ref!",
            "#name?",
            "#num!",
            "#null!",
            "-nan",
            "inf",
            "-inf",
        ),
    }
)
# They multiply: 3k is not 3.
_MULTIPLIERS = frozenset(
    {"k", "m", "mn", "mm", "mio", "mrd", "b", "bn", "t", "tsd", "thousand", "million", "billion", "lakh", "crore"}
)
_CURRENCIES = frozenset(
    {
        "usd",
        "eur",
        "gbp",
        "chf",
        "jpy",
        "cad",
        "aud",
        "inr",
        "rs",
        "rs.",
        "brl",
        "r$",
        "us$",
        "a$",
        "c$",
        "kr",
        "sek",
        "nok",
        "dkk",
        "pln",
        "zar",
    }
)
_PARTS = re.compile(r"(?P<before>[^0-9.,']*)(?P<body>[0-9.,'][0-9.,' ]*(?:[eE][+-]?[0-9]+)?)(?P<after>[^0-9]*)")
_SIGNS = re.compile(r"[-+() ]+")


@dataclass(frozen=True)
class NumberTexts:
    """How a column writes numbers.

    Attributes
    ----------
    form : NumberFormat or None
        None where all of its numbers are written plainly.
    meant : dict of str
        Texts that mean a number and do not write it plainly, each with its number.
    odd : dict of str
        Texts that mean no number, each with its number of cells.
    doubt : str
        What a person has to say: a comma may be a decimal mark or stand between thousands.
    """

    form: NumberFormat | None
    meant: Mapping[str, float] = field(default_factory=dict)
    odd: Mapping[str, int] = field(default_factory=dict)
    doubt: str = ""


def read_number_texts(counts: Mapping[str, int]) -> NumberTexts | None:
    """Find out how texts write numbers; None if too many of them write none.

    Parameters
    ----------
    counts : mapping of str to int
        The texts of a column, without those that usually mean a missing value, each with its number of cells.

    Returns
    -------
    NumberTexts or None

    Examples
    --------
    >>> found = read_number_texts({f"{n}.5": 1 for n in range(200)} | {"1,234.50": 1, "?": 2})
    >>> found.form, found.meant, found.odd
    (NumberFormat(decimal='.', thousands=',', units=(), parentheses=False), {'1,234.50': 1234.5}, {'?': 2})
    """
    plain = {text: count for text, count in counts.items() if is_number(text)}
    others = {text: count for text, count in counts.items() if text not in plain}
    if not others:
        return NumberTexts(None)
    bodies, units, enclosed = _taken_apart(others)
    decimal, thousands, doubt = _marks(plain | bodies)
    form = NumberFormat(decimal=decimal, thousands=thousands, units=units, parentheses=enclosed)
    values = {text: _bounded(form.read(text)) for text in counts}
    meant = {text: value for text in others if (value := values[text]) is not None}
    odd = {text: count for text, count in counts.items() if values[text] is None}
    if not _is_column_of_numbers(counts, values, odd, plain, units):
        return None
    return NumberTexts(form if meant else None, meant, odd, doubt if meant else "")


def _bounded(number: float | None) -> float | None:
    return number if number is not None and abs(number) <= MAX_NUMBER else None


def _is_column_of_numbers(
    counts: Mapping[str, int],
    values: Mapping[str, float | None],
    odd: Mapping[str, int],
    plain: Mapping[str, int],
    units: tuple[str, ...],
) -> bool:
    cells, none = sum(counts.values()), sum(odd.values())
    if len(odd) > MAX_ODD_TEXTS or cells - none < MIN_NUMBER_SHARE * cells:
        return False
    if len({value for value in values.values() if value is not None}) >= MIN_DIFFERENT:
        return True
    # 3G, 4G and 5G are levels, and so are 12 months and 24 months.
    if (
        any(unit.isalpha() and unit.lower() not in _CURRENCIES for unit in units)
        and sum(plain.values()) < MIN_NUMBER_SHARE * cells
    ):
        return False
    named = sum(count for text, count in odd.items() if text.lower() not in PLACEHOLDERS)
    return named <= MAX_ODD_SHARE_OF_FEW * cells


def _taken_apart(texts: Mapping[str, int]) -> tuple[dict[str, int], tuple[str, ...], bool]:
    """Return the digits and marks of each text, the one unit that they have, and whether some are in parentheses."""
    bodies: Counter[str] = Counter()
    units: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    enclosed = False
    for text, count in texts.items():
        parts = _PARTS.fullmatch(plain_marks(text))
        if parts is None:
            continue
        unit = _unit(parts["before"], parts["after"])
        if unit is None:
            continue
        bodies[" ".join(parts["body"].split())] += count
        enclosed |= "(" in parts["before"] and ")" in parts["after"]
        if unit:
            units[unit.lower()] += count
            spelled.setdefault(unit.lower(), unit)
    # Two units would need a factor: the rarer one counts as missing.
    return dict(bodies), tuple(spelled[unit] for unit, _ in units.most_common(1)), enclosed


def _unit(before: str, after: str) -> str | None:
    """Return the unit beside a number; empty if there is none, None if what is there is none."""
    first, last = (" ".join(_SIGNS.sub(" ", part).split()) for part in (before, after))
    if first and last:
        return None
    unit = first or last
    symbol = unit == "%" or (len(unit) == 1 and unicodedata.category(unit) == "Sc")
    if not unit or symbol or unit.lower() in _CURRENCIES:
        return unit
    # Letters before digits make a code, as A12 is one.
    return unit if last and unit.isalpha() and len(unit) <= 12 and unit.lower() not in _MULTIPLIERS else None


def _marks(bodies: Mapping[str, int]) -> tuple[str, str, str]:
    """Return the decimal mark and what stands between thousands, by a vote of the cells that tell, and the doubt that is left."""
    decimal: Counter[str] = Counter()
    groups: Counter[str] = Counter()
    unclear = 0
    for text, count in bodies.items():
        body = text.lstrip("+-").lower().partition("e")[0]
        groups += Counter({mark: count for mark in " '" if mark in body})
        points, commas = body.count("."), body.count(",")
        if points and commas:
            last = "." if body.rfind(".") > body.rfind(",") else ","
            decimal[last] += count
            groups["." if last == "," else ","] += count
        elif points > 1 or commas > 1:
            groups["." if points else ","] += count
            decimal["," if points else "."] += count
        elif points or commas:
            mark = "." if points else ","
            if not re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", body):
                decimal[mark] += count
            elif commas:
                unclear += count
    mark = "," if decimal[","] > decimal["."] else "."
    groups += Counter({",": unclear} if mark == "." else {})
    if mark == "," and any(re.fullmatch(r"[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+", text) for text in bodies):
        groups["."] += 1
    del groups[mark]
    between = groups.most_common(1)[0][0] if groups else ""
    doubt = "is ',' here between thousands, as taken, or the decimal mark?" if unclear and not decimal else ""
    return mark, between, doubt
