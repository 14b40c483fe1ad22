"""What a person has to hear about a column of a draft: which cells count as what, and what is not clear."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from churn.contract_draft.cell_texts import is_number
from churn.contract_draft.column_profile import NOT_AVAILABLE, NOTHING, PAIRS, ColumnProfile
from churn.contract_draft.number_texts import MIN_NUMBER_SHARE, PLACEHOLDERS
from churn.contract_draft.roles import MANY_ROWS, says_id
from churn.contract_draft.target import listed

# A number that stands for a missing value is there in so many cells, and so large a share of them, beside so many other numbers.
MIN_ALIKE, MIN_ALIKE_SHARE, MIN_OTHERS = 5, 0.01, 5
_NINES = re.compile(r"-?9{2,}(?:\.0*)?")
# Texts that are listed.
LISTED_TEXTS = 10
_YES_OR_NO = frozenset(word for pair in PAIRS for word in pair)


def notes(profile: ColumnProfile, role: str) -> tuple[str, ...]:
    """Return what is to be said about a column, a sentence each.

    Parameters
    ----------
    profile : ColumnProfile
    role : str
        What the draft makes of it.

    Returns
    -------
    tuple of str
    """
    if role == "feature":
        return tuple(
            filter(None, (_counted(profile), _meant(profile), _stands_for_none(profile), *_levels(profile), _unique(profile)))
        )
    return tuple(filter(None, (_nearly_numbers(profile),))) if role == "ignored" else ()


def _counted(profile: ColumnProfile) -> str:
    texts = {**profile.missing_texts, **profile.odd_texts}
    if not texts:
        return ""
    cells = sum(texts.values())
    no_number = " and no number" if profile.odd_texts and profile.kind != "flag" else ""
    hold, count = ("s hold", "count") if cells > 1 else (" holds", "counts")
    return f"{cells} cell{hold} a text{no_number}, and {count} as missing: {_first(texts)}"


def _meant(profile: ColumnProfile) -> str:
    found = profile.numbers
    if found is None or found.form is None:  # then no text is meant as a number
        return ""
    cells = {text: profile.counts[text] for text in found.meant}
    shown = [f"{text!r} ({count}) is {found.meant[text]:.15g}" for text, count in Counter(cells).most_common(LISTED_TEXTS)]
    more = f" and {len(cells) - LISTED_TEXTS} other texts" if len(cells) > LISTED_TEXTS else ""
    number = sum(cells.values())
    write = "s write a number" if number > 1 else " writes a number"
    units, mixed = found.form.units, any(map(is_number, profile.counts))
    unit = f". Are those without {units[0]!r} in the same unit?" if units and mixed else ""
    doubt = f". {found.doubt[0].upper()}{found.doubt[1:]}" if found.doubt else ""
    return f"{number} cell{write} in another way, as number_format says: {', '.join(shown)}{more}{unit}{doubt}"


def _stands_for_none(profile: ColumnProfile) -> str:
    """Say that a number may stand for a missing value: -1, or nines, as all there is below 0; nines far beyond all others."""
    if profile.kind not in ("number", "integer") or (profile.numbers is not None and profile.numbers.form is not None):
        return ""
    cells = {text: count for text, count in profile.counts.items() if is_number(text)}
    ordered = sorted(cells, key=float)
    if len(ordered) < MIN_OTHERS:
        return ""
    for text, beside, others in ((ordered[0], ordered[1], ordered[1:]), (ordered[-1], ordered[-2], ordered[:-1])):
        far = abs(float(text) - float(beside)) > float(others[-1]) - float(others[0])
        nines, alone = _NINES.fullmatch(text) is not None, float(text) < 0 <= float(beside)
        absent = (float(text) == -1 and alone) or (nines and (far or alone))
        if absent and cells[text] >= max(MIN_ALIKE, MIN_ALIKE_SHARE * profile.rows):
            return f"{cells[text]} cells are {text}: if that means a missing value, say nullable: true and missing: ['{text}']"
    return ""


def _levels(profile: ColumnProfile) -> Iterator[str]:
    if profile.kind != "category":
        return
    nothing = [level for level in profile.levels if level in (*NOTHING, *NOT_AVAILABLE) or level.lower() in PLACEHOLDERS]
    if nothing:
        yield (
            f"{listed(nothing)} stays a level; if it means a missing value here, delete the level, and say nullable: true "
            f"and missing: [{nothing[0]!r}]"
        )
    lower = [level.lower() for level in profile.levels]
    if _YES_OR_NO.issuperset(lower) and len(set(lower)) > 2:
        yield f"{listed(profile.levels)} are several words for yes and no: make them two in the file"
    elif alike := [level for level in profile.levels if lower.count(level.lower()) > 1]:
        yield f"{listed(alike)} differ only in capitals: are they the same?"


def _unique(profile: ColumnProfile) -> str:
    if not (profile.unique and profile.kind == "integer" and profile.rows < MANY_ROWS) or says_id(profile):
        return ""
    return "every row has a whole number of its own: is it an id? Then give it role: ignored"


def _nearly_numbers(profile: ColumnProfile) -> str:
    if profile.kind is not None or not 0.5 <= profile.number_share < 1:
        return ""
    others = {text: count for text, count in profile.counts.items() if not is_number(text)}
    return (
        f"{profile.number_share:.1%} of its cells are numbers; a column of numbers takes {MIN_NUMBER_SHARE:.0%}, and few "
        f"different other texts: {_first(others)}"
    )


def _first(texts: Mapping[str, int]) -> str:
    shown = ", ".join(f"{text!r} ({count})" for text, count in sorted(texts.items())[:LISTED_TEXTS])
    return shown + (f" and {len(texts) - LISTED_TEXTS} other texts" if len(texts) > LISTED_TEXTS else "")
