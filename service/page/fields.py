"""The form of a contract as HTML: one field per feature, in groups. All text of the contract is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from typing import Any

from churn.contract import Column

# More columns than these without a family are grouped by kind.
MAX_UNGROUPED = 8
KINDS = {"number": "Numbers", "integer": "Numbers", "flag": "Yes or no", "category": "Choices"}


@dataclass(frozen=True)
class Group:
    """Columns that belong together. Labels leave the group's words out: in the group "Total day" one says "Minutes"."""

    title: str
    columns: Sequence[Column]
    words: str = ""


def group_columns(columns: Sequence[Column]) -> list[Group]:
    """Group adjacent columns whose names begin with the same two words, and put all others before them."""
    others: list[Column] = []
    families: list[Group] = []
    for family, members in groupby(columns, key=_family):
        found = list(members)
        if family and len(found) > 1:
            families.append(Group(_words(family).capitalize(), found, family))
        else:
            others += found
    if len(others) <= MAX_UNGROUPED:
        groups = [Group("Customer", others)] if others else []
    else:
        titles = dict.fromkeys(KINDS[column.kind] for column in others)
        groups = [Group(title, [column for column in others if KINDS[column.kind] == title]) for title in titles]
    return [*groups, *families]


def _family(column: Column) -> str:
    words = column.name.split("_")
    return "_".join(words[:2]) if len(words) > 2 else ""


def render_groups(groups: Sequence[Group], typical: Mapping[str, Any]) -> str:
    """Render all fields.

    Parameters
    ----------
    groups : sequence of Group
    typical : mapping of str to value
        The placeholder of each number.

    Returns
    -------
    str
        HTML.
    """
    return "\n".join(
        f"<fieldset class=group><legend>{escape(group.title)}</legend><div class=fields>"
        f"{''.join(_field(column, group.words, typical.get(column.name)) for column in group.columns)}</div></fieldset>"
        for group in groups
    )


def _field(column: Column, words: str, typical: Any) -> str:
    label = escape(_words(column.name.removeprefix(words).lstrip("_") or column.name).capitalize())
    name = escape(column.name)
    hint = f'<p class=hint id="hint-{name}">{escape(column.description)}</p>' if column.description else ""
    described_by = f'"{f"hint-{name} " if hint else ""}error-{name}"'
    error = f'<p class=error id="error-{name}" hidden></p>'
    attributes = f' data-kind={column.kind} data-name="{name}"'
    if column.kind == "flag":
        # `tabindex` lets the page focus it if nothing is chosen.
        return (
            f"<fieldset class=field{attributes} tabindex=-1 aria-describedby={described_by}><legend class=label>{label}</legend>"
            f"<div class=choice>{_radios(column)}</div>{hint}{error}</fieldset>"
        )
    if column.kind == "category":
        control, unit = _select(column, described_by), ""
    else:
        control, unit = _number_input(column, described_by, typical), _unit(column, label)
        attributes += f' data-decimal="{_decimal(column)}"'
    return (
        f'<div class=field{attributes}><label class=label for="field-{name}">{label} {unit}</label>{control}{hint}{error}</div>'
    )


def _radios(column: Column) -> str:
    name = escape(column.name)
    unknown = [("", "Not known")] if column.nullable else []
    return "".join(
        f'<label><input type=radio name="{name}" value="{value}" id="field-{name}{f"-{value}" if value else ""}"'
        f"{'' if value else ' checked'}><span>{escape(text)}</span></label>"
        for value, text in [("true", column.true_level), ("false", column.false_level), *unknown]
    )


def _select(column: Column, described_by: str) -> str:
    options = "".join(f'<option value="{escape(level)}">{escape(level)}</option>' for level in column.levels)
    first = "Not known" if column.nullable else "Choose"
    return (
        f'<select id="field-{escape(column.name)}" aria-describedby={described_by}>'
        f'<option value="">{first}</option>{options}</select>'
    )


def _number_input(column: Column, described_by: str, typical: Any) -> str:
    # A field of numbers (type=number) would drop the comma of 12,5 without a word: what is typed goes to the service as it is.
    keyboard = "numeric" if column.kind == "integer" else "decimal"
    usual = f"{typical:.6g}".replace(".", _decimal(column)) if isinstance(typical, float | int) else ""
    return (
        f'<input id="field-{escape(column.name)}" type=text inputmode={keyboard} placeholder="{usual}" autocomplete=off '
        f"spellcheck=false aria-describedby={described_by}>"
    )


def _decimal(column: Column) -> str:
    return "." if column.number_format is None else column.number_format.decimal


def _unit(column: Column, label: str) -> str:
    # Not "Minutes" in minutes.
    if column.unit is None or label.lower().endswith(escape(column.unit)):
        return ""
    return f"<span class=unit>{escape(column.unit)}</span>"


def _words(name: str) -> str:
    return name.replace("_", " ")
