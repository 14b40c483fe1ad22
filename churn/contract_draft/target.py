"""Find the outcome's column among those of a file, and which of its levels means that the customer left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from churn.contract_draft.cell_texts import is_number
from churn.contract_draft.column_profile import ColumnProfile
from churn.errors import InputError

# (In German, French, Spanish, Italian and Portuguese without accents, as `words` of a profile are.)
OUTCOME_WORDS = frozenset(
    {
        *("churn", "churned", "churner", "attrition", "attrited", "exited", "left", "cancelled", "canceled", "cancellation"),
        *("lapse", "lapsed", "surrendered", "deactivated", "unsubscribed", "defected"),
        *("gekundigt", "kundigung", "abgewandert", "abwanderung", "storniert", "resilie", "resiliation", "desabonne"),
        *("baja", "abandono", "cancelado", "cancelada", "cancelamento", "disdetta", "abbandono", "disdettato"),
    }
)
# By these, a level of the outcome that is neither yes nor no means that the customer left: "Attrited Customer".
LEAVING = (
    *("churn", "attrit", "exit", "left", "leav", "cancel", "lost", "gone", "inactive", "terminat", "closed"),
    *("lapse", "surrender", "disconnect", "deactivat", "unsubscrib", "defect", "kündig", "résili"),
)
# By these words in its name, yes in a column means that the customer stayed, and in a level that this one did.
STAYING = frozenset(
    {
        "retained",
        "retention",
        "stayed",
        "stays",
        "active",
        "renewed",
        "renews",
        "kept",
        "loyal",
        "existing",
        "current",
        "survived",
    }
)
# What may stand beside one of them in the name of an outcome; "active campaigns" is something else.
BESIDE_STAYING = frozenset(
    {
        *("is", "was", "has", "still", "flag", "ind", "indicator", "status", "yn", "label", "target", "outcome"),
        *("customer", "customers", "client", "subscriber", "user", "account", "member", "cust", "policy", "subscription"),
    }
)
NEGATIONS = frozenset({"not", "no", "non", "un"})
# "no churn", "not yet cancelled", "nicht gekündigt".
_DENIED = re.compile(rf"\b(?:no|not|non|never|kein|keine|nicht|pas|sin|senza|sem) (?:\w+ )?\w*(?:{'|'.join(LEAVING)})")
# A column of more levels is no outcome that somebody spelled in too many words.
MAX_OUTCOME_LEVELS = 10
# Columns of two levels that are listed where none is named like an outcome: it may be the last of them.
MAX_CANDIDATES = 60


def find_target(profiles: Mapping[str, ColumnProfile], named: str | None, path: Path) -> str:
    """Return the name of the outcome's column.

    Parameters
    ----------
    profiles : mapping of str to ColumnProfile
    named : str, optional
        The column that a person named.
    path : Path
        The file, for errors.

    Returns
    -------
    str

    Raises
    ------
    InputError
        If it is not clear; the message names the candidates and `--target`.
    """
    if named is not None:
        if named not in profiles:
            raise InputError(f"{path}: --target: there is no column {named!r}; there are {listed(profiles)}")
        if not profiles[named].has_two_levels:
            other = _one_level if profiles[named].different < 2 else _too_many
            raise InputError(f"{path}: --target: {other(profiles[named])}")
        return named
    two_levels = [source for source, profile in profiles.items() if profile.has_two_levels]
    candidates = [source for source in two_levels if names_outcome(profiles[source])]
    # (Status: active or cancelled.)
    candidates = candidates or [source for source in two_levels if _may_be_outcome(profiles[source])]
    # A reason for leaving may have two levels as well, but none that means yes.
    candidates = [source for source in candidates if outcome_levels(profiles[source])] or candidates
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        raise InputError(f"{path}: {listed(candidates)} may all be the outcome; name it with --target")
    # (is_active, retained: the outcome turned round, but only if nothing else may be it.)
    stayed = [source for source in two_levels if profiles[source].kind == "flag" and _names_staying(profiles[source])]
    if len(stayed) == 1:
        return stayed[0]
    many = [profile for profile in profiles.values() if 2 < profile.different <= MAX_OUTCOME_LEVELS and _may_be_outcome(profile)]
    if many:
        raise InputError(f"{path}: {_too_many(many[0])}; or name another column with --target")
    if one := next((profile for profile in profiles.values() if names_outcome(profile) and profile.different == 1), None):
        raise InputError(f"{path}: {_one_level(one)}")
    raise InputError(
        f"{path}: no column of two levels is named like an outcome (churn, exited, …); name it with --target. "
        f"Two levels have: {listed(two_levels, MAX_CANDIDATES) or 'none'}"
    )


def names_outcome(profile: ColumnProfile) -> bool:
    """Return whether a column is named like an outcome."""
    return not OUTCOME_WORDS.isdisjoint(profile.words)


def _names_staying(profile: ColumnProfile) -> bool:
    """Whether the name says that the customer is still there, and nothing else: active, is_active_customer, RetainedFlag."""
    words = set(profile.words)
    return _means_staying(profile.words) and words <= STAYING - {"retention"} | BESIDE_STAYING


def outcome_levels(profile: ColumnProfile, named: str | None = None) -> tuple[str, str] | None:
    """Return the level of who left and that of who stayed, if their words tell.

    Parameters
    ----------
    profile : ColumnProfile
        Of a column with two levels.
    named : str, optional
        The level of who left, as a person named it.

    Returns
    -------
    tuple of str, or None
        None if it is not clear.

    Raises
    ------
    InputError
        If there is no such level; the message names both.
    """
    levels = profile.levels or tuple(sorted(profile.counts))
    if named is not None:
        if named not in levels:
            raise InputError(f"--true-level: {profile.source!r} has no level {named!r}; it has {listed(levels)}")
        return named, next(level for level in levels if level != named)
    if len(levels) != 2:
        return None
    if profile.kind == "flag":
        return _turned(profile, levels[0], levels[1])
    if all(map(is_number, levels)):
        # 1 and -1, as machine learning's files have it, are yes and no; of other numbers none says which is which.
        yes, no = sorted(levels, key=float, reverse=True)
        return _turned(profile, yes, no) if (float(yes), float(no)) == (1, -1) else None
    leaving = [level for level in levels if _means_leaving(level)]
    leaving = leaving or [level for level in levels if not _means_staying(tuple(re.findall(r"[a-z]+", level.lower())))]
    return (leaving[0], next(level for level in levels if level != leaving[0])) if len(leaving) == 1 else None


def _turned(profile: ColumnProfile, yes: str, no: str) -> tuple[str, str]:
    return (no, yes) if _means_staying(profile.words) else (yes, no)


def _may_be_outcome(profile: ColumnProfile) -> bool:
    return names_outcome(profile) or (profile.kind == "category" and any(map(_means_leaving, profile.levels)))


def _means_leaving(level: str) -> bool:
    """Return whether a level names leaving, and nothing before it says the opposite: "No Churn", "not exited", "non-churner"."""
    said = re.sub(r"(?<=[a-z])(?=[A-Z])|[\W_]+", " ", level).lower()
    return any(word in said for word in LEAVING) and not _DENIED.search(said)


def _means_staying(words: tuple[str, ...]) -> bool:
    return not STAYING.isdisjoint(words) and NEGATIONS.isdisjoint(words) and not any(map(_means_leaving, words))


def _one_level(profile: ColumnProfile) -> str:
    level = "no value at all" if not profile.counts else f"one level only ({next(iter(profile.counts))!r})"
    # Some systems write nothing for who stayed, others for what they do not know.
    blank = f"; if its {profile.missing} blank cells say the other outcome, write so in them" if profile.missing else ""
    return f"{profile.source!r} has {level}, and both outcomes are needed to learn{blank}"


def _too_many(profile: ColumnProfile) -> str:
    shown = f" ({listed(sorted(profile.counts))})" if profile.different <= MAX_OUTCOME_LEVELS else ""
    return (
        f"{profile.source!r} has {profile.different} levels{shown}, and an outcome has two: "
        "leave out the rows of the others, or spell them as one of the two"
    )


def listed(names: Iterable[str], max_names: int = 10) -> str:
    """Return names, quoted, the first of them.

    Parameters
    ----------
    names : iterable of str
    max_names : int
        At most so many; of the others only the number is told.

    Returns
    -------
    str
    """
    names = list(names)
    return ", ".join(map(repr, names[:max_names])) + (f" and {len(names) - max_names} more" if len(names) > max_names else "")
