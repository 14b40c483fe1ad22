"""Draft a contract from a labelled file: guesses that a person must check, each with its reason beside it in the YAML."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from churn.contract import RESERVED, Contract, parse_contract
from churn.contract_draft.column_profile import NOT_AVAILABLE, NOTHING, ColumnProfile, profile_columns
from churn.contract_draft.naming import free_name, snake_case
from churn.data.dataset import read_dataset
from churn.data.files import read_tabular_file
from churn.errors import ContractError, InputError, Problem

OUTCOME_WORDS = frozenset({"churn", "churned", "churner", "attrition", "attrited", "exited", "left", "cancelled", "canceled"})
# By these, a level of the outcome that is neither yes nor no means that the customer left: "Attrited Customer".
LEAVING = ("churn", "attrit", "exit", "left", "leav", "cancel", "lost", "gone")
ID_WORDS = frozenset({"id", "ids", "identifier", "uuid", "guid", "msisdn", "imsi", "iccid"})
PEOPLE = frozenset({"customer", "client", "subscriber", "user", "account", "member", "cust", "phone"})
NUMBERED = frozenset({"id", "number", "no", "nr", "num", "key", "code"})
CODES = frozenset({"code", "zip", "zipcode", "postcode", "postal", "plz"})
# Special categories of the GDPR (article 9), and what laws on equal treatment protect.
SENSITIVE_WORDS = frozenset(
    {
        *("gender", "sex", "female", "male", "woman", "man", "senior", "elderly", "birth", "birthday", "birthdate", "dob"),
        *("race", "ethnicity", "ethnic"),
        *("religion", "nationality", "citizenship", "marital", "married", "partner", "spouse", "dependents", "dependants"),
        *("children", "family", "disability", "disabled", "orientation", "pregnant"),
    }
)
# Texts that count as missing and are listed.
LISTED_TEXTS = 10
# An age of these is no person's.
AGING = frozenset({"account", "device", "handset", "contract", "network", "line", "equipment", "phone", "plan", "subscription"})


@dataclass(frozen=True)
class DraftedColumn:
    """One column of the draft: its YAML, the reason for it, and which of its cells count as missing though they hold a text."""

    column: dict[str, Any]
    why: str
    counted: str = ""


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


def draft_contract(path: Path, target: str | None = None) -> Draft:
    """DraftedColumn the contract of a labelled CSV or Parquet file.

    Parameters
    ----------
    path : Path
        As `read_dataset` reads it.
    target : str, optional
        The outcome's column, as the file names it; guessed from its name otherwise.

    Returns
    -------
    Draft

    Raises
    ------
    InputError
        If the outcome is not clear (the message names the candidates and `--target`), nothing is left to learn from, or the file
        breaks a rule that no contract can lift: an outcome without a value, a customer who is there twice.
    """
    table = read_tabular_file(path)
    if table.rows == 0:
        raise ContractError(str(path), [Problem("has no rows, only a header")])
    profiles = profile_columns(table)
    outcome = _find_target(profiles, target, path)
    levels = _outcome_levels(profiles[outcome])
    if levels is None:
        shown = _listed(profiles[outcome].levels) or "its numbers"
        raise InputError(f"{path}: {outcome!r}: which of {shown} means that the customer left? Spell it Yes and No")
    identity = _find_id(profile for source, profile in profiles.items() if source != outcome)

    names = _Names(profiles)
    column = names.give("churn", outcome)
    guesses = tuple(_guess(profile, names, is_id=source == identity) for source, profile in profiles.items() if source != outcome)
    if not any("role" not in guess.column for guess in guesses):
        raise InputError(f"{path}: no column is left to learn from; write the contract by hand")
    target_column = {"column": column, "source": outcome, "true_level": levels[0], "false_level": levels[1]}
    text = _to_yaml(path, target_column, guesses)
    contract = parse_contract(text, f"draft of {path.name}")
    read_dataset(path, contract)  # what no contract can lift is said now
    return Draft(text, contract, guesses)


def _find_target(profiles: dict[str, ColumnProfile], named: str | None, path: Path) -> str:
    if named is not None:
        if named not in profiles:
            raise InputError(f"{path}: --target: there is no column {named!r}; there are {_listed(profiles)}")
        if not profiles[named].has_two_levels:
            raise InputError(f"{path}: --target: {named!r} has {profiles[named].different} levels; an outcome has two")
        return named
    two_levels = [source for source, profile in profiles.items() if profile.has_two_levels]
    candidates = [source for source in two_levels if _names_outcome(profiles[source])]
    # A reason for leaving may have two levels as well, but none that means yes.
    candidates = [source for source in candidates if _outcome_levels(profiles[source])] or candidates
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise InputError(f"{path}: {_listed(candidates)} may all be the outcome; name it with --target")
    one = next((source for source, profile in profiles.items() if _names_outcome(profile) and profile.different == 1), None)
    if one is not None:
        raise InputError(f"{path}: {one!r} has one level only; both are needed to learn")
    raise InputError(
        f"{path}: no column of two levels is named like an outcome (churn, exited, …); name it with --target. "
        f"Two levels have: {_listed(two_levels) or 'none'}"
    )


def _names_outcome(profile: ColumnProfile) -> bool:
    return not OUTCOME_WORDS.isdisjoint(profile.words)


def _listed(names: Iterable[str], most: int = 10) -> str:
    names = list(names)
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")


def _outcome_levels(profile: ColumnProfile) -> tuple[str, str] | None:
    """Return the level of who left and that of who stayed, if their words tell."""
    if profile.kind == "flag":
        return profile.levels[0], profile.levels[1]
    leaving = [level for level in profile.levels if any(word in level.lower() for word in LEAVING)]
    if len(leaving) != 1 or len(profile.levels) != 2:
        return None
    left = leaving[0]
    return left, next(level for level in profile.levels if level != left)


def _find_id(profiles: Iterable[ColumnProfile]) -> str | None:
    """Choose the column that names the customer: by its name, else the first text of which every row has its own."""
    candidates = [profile for profile in profiles if profile.different and not profile.is_date and not profile.numbers_rows]
    named = sorted((p for p in candidates if _names_customer(p)), key=lambda p: not p.unique)
    others = [p for p in candidates if p.unique and not _is_sensitive(p) and (p.kind is None or not ID_WORDS.isdisjoint(p.words))]
    return next((profile.source for profile in (*named, *others)), None)


def _names_customer(profile: ColumnProfile) -> bool:
    """Whether the name says so: id, customerID, phone number. Such a column is the id even if customers are there twice."""
    if profile.kind in ("flag", "number"):
        return False
    words = profile.words
    return words in (("id",), ("msisdn",)) or (
        len(words) <= 2 and words[0].rstrip("s") in PEOPLE and (words[-1] in NUMBERED or not ID_WORDS.isdisjoint(words))
    )


class _Names:
    """Names that neither are taken nor are how the file spells another column."""

    def __init__(self, sources: Iterable[str]) -> None:
        self._sources = set(sources)
        self._given: set[str] = set()

    def give(self, wanted: str, source: str) -> str:
        name = free_name(wanted, RESERVED | self._given | (self._sources - {source}))
        self._given.add(name)
        return name


def _guess(profile: ColumnProfile, names: _Names, *, is_id: bool) -> DraftedColumn:
    # `customer_id` is the log's own name for it.
    name = names.give("customer" if is_id else snake_case(profile.source), profile.source)
    column: dict[str, Any] = {"name": name, "source": profile.source, "kind": profile.kind or "category"}
    if is_id:
        return DraftedColumn(column | {"kind": "category", "role": "id"}, "names the customer")
    if why := _why_ignored(profile):
        return DraftedColumn(column | {"kind": "category", "role": "ignored"}, f"ignored: {why}")
    if _is_sensitive(profile):
        return DraftedColumn(column | {"role": "sensitive"} | _flag_levels(profile), "sensitive, by its name")
    details, why = _details(profile)
    details |= {"missing": sorted(profile.odd_texts)} if profile.odd_texts else {}
    counted = _counted_as_missing(profile)
    why = "; ".join(filter(None, (why, counted)))
    return DraftedColumn(column | details | ({"nullable": True} if profile.missing else {}), why, counted)


def _counted_as_missing(profile: ColumnProfile) -> str:
    texts = {**profile.missing_texts, **profile.odd_texts}
    if not texts:
        return ""
    cells = sum(texts.values())
    listed = ", ".join(f"{text!r} ({count})" for text, count in sorted(texts.items())[:LISTED_TEXTS])
    more = f" and {len(texts) - LISTED_TEXTS} other texts" if len(texts) > LISTED_TEXTS else ""
    no_number = " and no number" if profile.odd_texts else ""
    hold, count = ("s hold", "count") if cells > 1 else (" holds", "counts")
    return f"{cells} cell{hold} a text{no_number}, and {count} as missing: {listed}{more}"


def _why_ignored(profile: ColumnProfile) -> str:
    reasons = {
        "it is empty": profile.different == 0 and profile.kind is None,
        "it is the same for everybody": profile.is_constant,
        "it looks like the outcome, or like what is known only afterwards": _names_outcome(profile),
        "a date": profile.is_date,
        "it numbers the rows": profile.numbers_rows,
        "another id": profile.unique and profile.kind == "integer" and not ID_WORDS.isdisjoint(profile.words),
        f"a code of {profile.different} levels, more than a category can have": _is_code(profile) and not profile.levels,
        f"free text, or a category of too many levels ({profile.different})": profile.kind is None and not _is_sensitive(profile),
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def _is_sensitive(profile: ColumnProfile) -> bool:
    words = set(profile.words)
    return bool(words & SENSITIVE_WORDS) or ("age" in words and not words & AGING)


def _is_code(profile: ColumnProfile) -> bool:
    return profile.kind == "integer" and not CODES.isdisjoint(profile.words)


def _details(profile: ColumnProfile) -> tuple[dict[str, Any], str]:
    if profile.kind == "flag":
        return _flag_levels(profile), ""
    if _is_code(profile):
        return {"kind": "category", "levels": list(profile.levels)}, "a code, not a quantity"
    if profile.kind == "category":
        nothing = next((level for level in profile.levels if level in (*NOTHING, NOT_AVAILABLE)), None)
        why = f"if {nothing!r} means a missing value here, delete the level and say nullable: true" if nothing else ""
        return {"levels": list(profile.levels)}, why
    # No maximum: a larger value than was seen must not be refused.
    return {"minimum": 0} if profile.minimum >= 0 else {}, ""


def _flag_levels(profile: ColumnProfile) -> dict[str, str]:
    # Yes and No are what a contract says by default.
    if profile.kind != "flag" or profile.levels == ("Yes", "No"):
        return {}
    return {"true_level": profile.levels[0], "false_level": profile.levels[1]}


HEADER = """\
# Drafted from {file!r} by `churn data describe --draft`. Every line is a guess that a person must check:
# - target: is this the outcome, and is true_level the one of customers who left?
# - Is any column known only after a customer has left? Give it `role: ignored`.
# - `role: sensitive`: no model, request or log ever holds the column; groups of customers are compared by it. To use it as a
#   feature where that is lawful, delete the role (and give a category its levels). Is any other column sensitive?
# - levels are those seen: a customer of another one will be refused, so add what may come.
# - minimum is 0 where nothing below was seen; add a maximum where more is impossible. Add units (`unit: USD`) and descriptions.
# - nullable stands where blanks were seen. Any number may be missing, and any flag or category that is nullable.
# - missing lists texts that stand for a missing value in a column of numbers: is one of them a number in other words?
"""


def _to_yaml(path: Path, target: dict[str, str], guesses: tuple[DraftedColumn, ...]) -> str:
    lines = [
        f"name: {_flow(free_name(snake_case(path.name.split('.')[0]), ()))}",
        "description: One customer.",
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
