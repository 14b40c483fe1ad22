"""Draft a contract from a labelled file: guesses that a person must check, each with its reason beside it in the YAML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from churn.contract import RESERVED, Contract, parse_contract
from churn.contract_draft.column_profile import ColumnProfile, profile_columns
from churn.contract_draft.naming import free_name, snake_case
from churn.contract_draft.notes import notes
from churn.contract_draft.roles import find_id, is_code, is_sensitive, read_instead, suspect, why_ignored
from churn.contract_draft.row_times import RowTimes, find_row_times, names_row_time
from churn.contract_draft.target import find_target, listed, outcome_levels
from churn.data.dataset import read_dataset
from churn.data.files import read_tabular_file
from churn.errors import ContractError, InputError, Problem


@dataclass(frozen=True)
class DraftedColumn:
    """One column of the draft: its YAML, the reason for it, and what a person has to hear of it."""

    column: dict[str, Any]
    why: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Draft:
    """A drafted contract.

    Attributes
    ----------
    text : str
        YAML with comments: what is to be written.
    contract : Contract
        The same, read; the file it was drafted from keeps it.
    """

    text: str
    contract: Contract
    columns: tuple[DraftedColumn, ...]


def draft_contract(path: Path, target: str | None = None, true_level: str | None = None) -> Draft:
    """Draft the contract of a labelled CSV or Parquet file.

    Parameters
    ----------
    path : Path
        As `read_dataset` reads it.
    target : str, optional
        The outcome's column, as the file names it; guessed from its name otherwise.
    true_level : str, optional
        The level of who left, as the file spells it; guessed from the words of the column and its levels otherwise.

    Returns
    -------
    Draft

    Raises
    ------
    InputError
        If the outcome is not clear (the message names the candidates, and `--target` or `--true-level`), nothing is left to learn
        from, or the file breaks a rule that no contract can lift: an outcome without a value, a customer who is there twice.
    """
    table = read_tabular_file(path)
    if table.rows == 0:
        raise ContractError(str(path), [Problem("has no rows, only a header")])
    profiles = profile_columns(table)
    outcome = find_target(profiles, target, path)
    levels = outcome_levels(profiles[outcome], true_level)
    if levels is None:
        shown = listed(profiles[outcome].levels or sorted(profiles[outcome].counts))
        raise InputError(f"{path}: {outcome!r}: which of {shown} means that the customer left? Name it with --true-level")
    identity = find_id(profile for source, profile in profiles.items() if source != outcome)
    times = find_row_times(profile for source, profile in profiles.items() if source not in (outcome, identity))

    names = _Names(profiles)
    column = names.give("churn", outcome)
    guesses = tuple(
        _guess(profile, names, profiles[outcome], levels[0], times, is_id=source == identity)
        for source, profile in profiles.items()
        if source != outcome
    )
    if not any("role" not in guess.column for guess in guesses):
        raise InputError(f"{path}: no column is left to learn from; write the contract by hand")
    target_column = {"column": column, "source": outcome, "true_level": levels[0], "false_level": levels[1]}
    text = _to_yaml(path, target_column, guesses)
    contract = parse_contract(text, f"draft of {path.name}")
    read_dataset(path, contract)  # what no contract can lift is said now
    return Draft(text, contract, guesses)


class _Names:
    """Names that neither are taken nor are how the file spells another column."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = set(sources)
        self._given: set[str] = set()

    def give(self, wanted: str, source: str) -> str:
        name = free_name(wanted, RESERVED | self._given | (self._sources - {source}))
        self._given.add(name)
        return name


def _guess(
    profile: ColumnProfile, names: _Names, outcome: ColumnProfile, true_level: str, times: RowTimes | None, *, is_id: bool
) -> DraftedColumn:
    # `customer_id` is the log's own name for it.
    name = names.give("customer" if is_id else snake_case(profile.source), profile.source)
    column: dict[str, Any] = {"name": name, "source": profile.source, "kind": profile.kind or "category"}
    if is_id:
        return DraftedColumn(column | {"kind": "category", "role": "id"}, "names the customer")
    if times is not None and profile.source == times.source:
        missing = {"missing": list(times.missing)} if times.missing else {}
        return DraftedColumn(column | {"kind": "category", "role": "time"} | missing, times.why, (times.why,))
    if why := why_ignored(profile, outcome):
        said = notes(profile, "ignored")
        if times is None and profile.is_date and names_row_time(profile):
            said = (*said, UNREAD_TIME)
        elif why.startswith(("every row", "it tells", "it looks like")):
            said = (f"ignored: {why}", *said)
        elif instead := read_instead(profile, why):
            said = (f"ignored: {why}; {instead}", *said)
        return DraftedColumn(column | {"kind": "category", "role": "ignored"}, f"ignored: {why}", said)
    written = _written(profile)
    if is_sensitive(profile):
        return DraftedColumn(column | {"role": "sensitive"} | _flag_levels(profile) | written, "sensitive, by its name")
    details, why = _details(profile)
    said = (*suspect(profile, outcome, true_level), *notes(profile, "feature"))
    nullable = {"nullable": True} if profile.missing else {}
    return DraftedColumn(column | details | written | nullable, "; ".join(filter(None, (why, *said))), said)


def _written(profile: ColumnProfile) -> dict[str, Any]:
    """Return how the column's texts are to be read, where they are not plain."""
    # (A code is a category: its levels are what they are.)
    if profile.kind == "category" or is_code(profile):
        return {}
    written: dict[str, Any] = {"missing": sorted(profile.odd_texts)} if profile.odd_texts else {}
    form = None if profile.numbers is None else profile.numbers.form
    if form is not None:
        written["number_format"] = form.model_dump(mode="json", exclude_defaults=True) | {"decimal": form.decimal}
    return written


def _details(profile: ColumnProfile) -> tuple[dict[str, Any], str]:
    if profile.kind == "flag":
        return _flag_levels(profile), ""
    if is_code(profile):
        return {"kind": "category", "levels": list(profile.levels)}, "a code, not a quantity"
    if profile.kind == "category":
        return {"levels": list(profile.levels)}, ""
    # No maximum: a larger value than was seen must not be refused.
    return {"minimum": 0} if profile.minimum >= 0 else {}, ""


def _flag_levels(profile: ColumnProfile) -> dict[str, str]:
    # Yes and No are what a contract says by default.
    if profile.kind != "flag" or profile.levels == ("Yes", "No"):
        return {}
    return {"true_level": profile.levels[0], "false_level": profile.levels[1]}


UNREAD_TIME = (
    "by its name the time a row speaks of. With three months or more, each written as 2026-03 or 2026-03-31, give it role: time, "
    "and the monitor learns what months usually do"
)
HEADER = """\
# Drafted from {file!r} by `churn data describe --draft`. Every line is a guess that a person must check:
# - target: is this the outcome, and is true_level the one of customers who left? In cards and pages, a `customer` (say who: bank
#   customer, member) `leaves` (`event:` under target, say what: cancels the contract).
# - Is any column known only after a customer has left? Give it `role: ignored`.
# - `role: sensitive`: no model, request or log ever holds the column; groups of customers are compared by it. To use it as a
#   feature where that is lawful, delete the role (and give a category its levels). Is any other column sensitive?
# - levels are those seen: a customer of another one will be refused, so add what may come.
# - minimum is 0 where nothing below was seen; add a maximum where more is impossible. Add units (`unit: USD`) and descriptions.
# - nullable stands where blanks were seen. Any number may be missing, and any flag or category that is nullable.
# - missing lists texts that stand for a missing value in a column of numbers: is one of them a number in other words?
# - number_format says how texts write numbers: the decimal mark, what stands between thousands, units that change nothing.
#   A column is one of numbers if nine in ten of its cells are, and its other texts are at most twenty.
"""


def _to_yaml(path: Path, target: dict[str, str], guesses: tuple[DraftedColumn, ...]) -> str:
    lines = [
        f"name: {_flow(free_name(snake_case(path.name.split('.')[0]), ()))}",
        "description: One customer.",
        "customer: customer",
        f"target: {_flow(target)}",
        "columns:",
    ]
    for guess in guesses:
        lines += [f"  # {guess.why}"] if guess.why else []
        lines.append(f"  - {_flow(guess.column)}")
    return HEADER.format(file=path.name) + "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    """Format a value as one line of YAML."""

    def target_column(*, as_it_is: bool) -> str:
        text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=as_it_is, width=float("inf"))
        return text.removesuffix("\n").removesuffix("...").strip()

    # PyYAML does not escape every kind of line break unless it escapes all that is not ASCII.
    text = target_column(as_it_is=True)
    return text if "\n" not in text and yaml.safe_load(text) == value else target_column(as_it_is=False)
