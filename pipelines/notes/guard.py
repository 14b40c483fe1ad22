"""What a language model may say of a customer: only numbers and columns that the facts name, and nothing about the person.

The guard does not understand a sentence. It cannot tell whether "many calls" is a reason to stay or
to leave (docs/call-notes.md).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from churn.contract import Contract
from pipelines.notes.template import LINES

MAX_LINE = 400
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_MARK = re.compile(r"^\s*(?:[-*\u2022]|\d{1,2}[.)])\s+")
# Written-out numbers; "one" is a pronoun as well.
_TO_TWELVE = ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_TEENS = ["thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_WORDS = {word: float(value) for value, word in enumerate([*_TO_TWELVE, *_TEENS], start=2)} | {
    **{word: 10.0 * value for value, word in enumerate(_TENS, start=2)},
    **{"zero": 0.0, "hundred": 100.0, "thousand": 1_000.0, "million": 1_000_000.0, "dozen": 12.0, "twice": 2.0, "double": 2.0},
    **{"triple": 3.0, "half": 0.5, "quarter": 0.25, "third": 1 / 3},
}
# Who somebody is: no feature of a contract says it in these words, and a language model likes to invent it.
PERSONAL = frozenset(
    (
        *("he", "she", "his", "her", "hers", "him", "himself", "herself", "mr", "mrs", "ms", "man", "woman", "male", "female"),
        *(
            "gender",
            "sex",
            "age",
            "aged",
            "old",
            "elderly",
            "senior",
            "young",
            "married",
            "single",
            "divorced",
            "widowed",
            "pregnant",
        ),
        *("race", "ethnic", "ethnicity", "religion", "religious", "disabled", "disability", "nationality", "immigrant"),
    )
)
# Levels that are everyday words: no sign that a column is spoken of.
_EVERYDAY = frozenset(("yes", "no", "true", "false", "none", "other", "unknown", "0", "1"))
_LINK = re.compile(r"://|\bwww\.|@")


def split_lines(text: str) -> list[str]:
    r"""Return the lines of an answer that are not empty, without bullets and numbering.

    Examples
    --------
    >>> split_lines("1. Call today. \n\n- Ask why.")
    ['Call today.', 'Ask why.']
    """
    return [line for one in text.splitlines() if (line := _MARK.sub("", one).strip())]


def find_fault(lines: Sequence[str], facts: Sequence[str], contract: Contract) -> str | None:
    """Say what in a note is not allowed.

    Parameters
    ----------
    lines : sequence of str
        The note.
    facts : sequence of str
        The template's lines: what may be said.
    contract : Contract
        Knows which other columns, levels and sensitive words there are.

    Returns
    -------
    str or None
        The first fault, as the end of a sentence that begins with "the note"; None: there is none.
    """
    if len(lines) != LINES:
        return f"has {len(lines)} lines, not {LINES}"
    if any(len(line) > MAX_LINE for line in lines):
        return f"has a line of more than {MAX_LINE} characters"
    note, known = "\n".join(lines), "\n".join(facts)
    if not all(line.isprintable() for line in lines):
        return "holds characters that cannot be printed"
    if _LINK.search(note):
        return "holds a link or an address"
    for fault in (_foreign_number(note, known), _personal(note, known, contract), _foreign_column(note, known, contract)):
        if fault:
            return fault
    return None


def _foreign_number(note: str, known: str) -> str | None:
    allowed = {value for text in _NUMBER.findall(known) for value in _readings(text)}
    for text in _NUMBER.findall(note):
        if not _readings(text) & allowed:
            return f"says {text}, which is none of the reasons' numbers"
    for word in _words(note):
        if word in _WORDS and _WORDS[word] not in allowed:
            return f"says {word!r}, which is none of the reasons' numbers"
    for sign in note:
        if not sign.isascii() and unicodedata.category(sign) in ("Nd", "Nl", "No"):
            return f"says {sign!r}, which is none of the reasons' numbers"
    return None


def _readings(text: str) -> set[float]:
    """Return what a number may mean: a comma groups thousands, or is the decimal one."""
    plain = {text.replace(",", ""), text.replace(".", "").replace(",", ".")}
    return {float(one) for one in plain if one.count(".") <= 1 and one.isascii()}


def _personal(note: str, known: str, contract: Contract) -> str | None:
    for column in contract.sensitive:
        levels = [level for level in _levels(column.levels, column.true_level, column.false_level) if _named(note, level)]
        if levels or any(_named(note, name) for name in _names(column.name, column.source)):
            return f"names {column.name}, which is sensitive"
    said = {*_words(known)}
    for word in _words(note):
        # What a contract's own feature is called, its owner has decided to ask for.
        if word in PERSONAL and word not in said:
            return f"says {word!r}: nothing is said of the person"
    return None


def _foreign_column(note: str, known: str, contract: Contract) -> str | None:
    phrases = {name for one in contract.sums for name in _names(one, one)}
    for column in contract.columns:
        phrases |= {*_names(column.name, column.source), *_levels(column.levels, column.true_level, column.false_level)}
    # The longest first: of "international plan" and "plan" the first is what is said.
    for phrase in sorted(phrases, key=lambda one: (-len(one), one)):
        if (said := _pattern(phrase).search(note)) and not _named(known, phrase):
            return f"names {said[0]!r}, which is none of the reasons"
    return None


def _names(name: str, source: str) -> set[str]:
    return {name, name.replace("_", " "), source}


def _levels(levels: Sequence[str], *flag: str) -> Iterator[str]:
    for level in (*levels, *flag):
        if level.casefold() not in _EVERYDAY and not level.replace(".", "").isdecimal():
            yield level


def _named(text: str, phrase: str) -> bool:
    return _pattern(phrase).search(text) is not None


def _pattern(phrase: str) -> re.Pattern[str]:
    # Short levels are codes in capitals: OR, IN, ME are states, and words.
    flags = re.NOFLAG if len(phrase) <= 3 and phrase.isupper() else re.IGNORECASE
    return re.compile(rf"(?<!\w){re.escape(phrase)}(?:s|es)?(?!\w)", flags)


def _words(text: str) -> list[str]:
    return [word.casefold() for word in re.findall(r"[^\W\d_]+", text)]
