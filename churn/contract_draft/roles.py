"""Tell which column names the customer, which are kept from a model, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.contract_draft.column_profile import MAX_LEVELS, MIN_DATE_SHARE, ROWS_A_LEVEL, ColumnProfile
from churn.contract_draft.target import LEAVING, names_outcome
from churn.customers.cell_rule import MAX_NUMBER
from churn.data.telling import leavers_given_away, nearly_tells_outcome, rows_told_wrong

ID_WORDS = frozenset({"id", "ids", "identifier", "uuid", "guid", "msisdn", "imsi", "iccid"})
# As the columns of German, French, Spanish, Italian and Portuguese exports are named, too; without accents.
PEOPLE = frozenset(
    {
        *("customer", "client", "subscriber", "user", "account", "member", "cust", "phone", "policyholder"),
        *("kunde", "kunden", "konto", "mitglied", "compte", "abonne", "cliente", "cuenta", "conta", "socio", "conto"),
    }
)
# What a customer may have two of: it names one only where no column names the customer.
AGREEMENTS = frozenset({"policy", "contract", "vertrag"})
NUMBERED = frozenset({"id", "number", "no", "nr", "num", "key", "code", "nummer", "numero", "nro"})
CODES = frozenset({"code", "cd", "zip", "zipcode", "postcode", "postal", "plz"})
# Special categories of the GDPR (article 9), and what laws on equal treatment protect. (Not words that mean something else in
# English: genre, età.)
SENSITIVE_WORDS = frozenset(
    {
        *("gender", "sex", "female", "male", "woman", "man", "senior", "elderly", "birth", "birthday", "birthdate", "dob"),
        *("race", "ethnicity", "ethnic"),
        *("religion", "nationality", "citizenship", "marital", "married", "partner", "spouse", "dependents", "dependants"),
        *("children", "family", "disability", "disabled", "orientation", "pregnant"),
        *("geschlecht", "alter", "geburtsdatum", "geburtstag", "geburtsjahr", "familienstand", "kinder", "konfession"),
        *("staatsangehorigkeit", "nationalitat", "behinderung", "schwerbehindert", "ethnie", "ehepartner", "verheiratet"),
        *("sexe", "naissance", "nationalite", "conjoint", "enfants", "handicap", "matrimoniale", "matrimonial"),
        *("sexo", "genero", "edad", "nacimiento", "nacionalidad", "hijos", "conyuge", "discapacidad", "etnia", "raza"),
        *("sesso", "nascita", "nazionalita", "cittadinanza", "coniuge", "figli", "disabilita", "religione"),
        *("idade", "nascimento", "nacionalidade", "filhos", "deficiencia", "religiao", "raca"),
    }
)
# Of what is noted down when somebody leaves, or wants to.
AFTERWARDS = frozenset({"leaving", "offboarding", "winback", "departure", "kundigungsgrund", "austritt", "austrittsgrund"})
REASONS = frozenset({"reason", "reasons", "grund", "raison", "motivo", "survey", "feedback"})
RETENTION = frozenset({"retention", "save"})
OFFERS = frozenset(
    {"offer", "offers", "call", "calls", "team", "agent", "desk", "discount", "contacted", "contact", "accepted", "made"}
)
# An age of these is no person's.
AGING = frozenset({"account", "device", "handset", "contract", "network", "line", "equipment", "phone", "plan", "subscription"})
# Whole numbers of which every row has its own are ids, and no quantity, if there are so many rows. Fewer prove no leak either.
MANY_ROWS = 100
RETAINING = (
    "by its name, what a company does for who wants to leave: is it known only after a customer has decided? "
    "Then give it role: ignored"
)
_DURATION = re.compile(r"\d{1,3}:\d{2}(?::\d{2})?")
# How the name of a number that names something ends, in one word: CLIENTNUM, custno.
_NUMBERED_NAME = re.compile(rf"(?:{'|'.join(sorted(PEOPLE | AGREEMENTS))})s?(?:_?)(?:{'|'.join(sorted(NUMBERED))})")


def find_id(profiles: Iterable[ColumnProfile]) -> str | None:
    """Choose the column that names the customer: by its name, else the first of which every row has its own."""
    candidates = [profile for profile in profiles if profile.different and not (profile.is_date or profile.mostly_too_large)]
    named = sorted((p for p in candidates if _names_customer(p)), key=lambda p: (_names_agreement(p), not p.unique))
    unique = [profile for profile in candidates if profile.unique and not profile.numbers_rows and not is_sensitive(profile)]
    others = [profile for profile in unique if profile.kind is None or says_id(profile) or profile.is_zero_padded]
    return next((profile.source for profile in (*named, *others)), None)


def _names_customer(profile: ColumnProfile) -> bool:
    """Whether the name says so: id, customerID, phone number. Such a column is the id even if customers are there twice."""
    if profile.kind in ("flag", "number"):
        return False
    words = profile.words
    return (
        words in (("id",), ("msisdn",))
        or (len(words) <= 2 and _is_person(words[0]) and (words[-1] in NUMBERED or not ID_WORDS.isdisjoint(words)))
        or (len(words) == 1 and _NUMBERED_NAME.fullmatch(words[0]) is not None)
    )


def _is_person(word: str) -> bool:
    return word.removesuffix("s") in PEOPLE | AGREEMENTS


def _names_agreement(profile: ColumnProfile) -> bool:
    return any(profile.words[0].startswith(word) for word in AGREEMENTS)


def says_id(profile: ColumnProfile) -> bool:
    """Return whether the name is that of an id, of anything: order id, EmployeeNumber."""
    return not ID_WORDS.isdisjoint(profile.words) or (len(profile.words) > 1 and profile.words[-1] in NUMBERED - CODES)


def why_ignored(profile: ColumnProfile, outcome: ColumnProfile) -> str:
    """Return why no model shall read a column; empty if it may.

    Parameters
    ----------
    profile : ColumnProfile
    outcome : ColumnProfile
        That of the outcome.

    Returns
    -------
    str
    """
    whole = profile.unique and profile.kind == "integer"
    reasons = {
        "it is empty": profile.different == 0 and profile.kind is None,
        "it is the same for everybody": profile.is_constant,
        "it looks like the outcome, or like what is known only afterwards": (
            names_outcome(profile) or _names_afterwards(profile)
        ),
        "a date": profile.is_date,
        "it numbers the rows": profile.numbers_rows,
        "another id": whole and says_id(profile),
        "every row has a whole number of its own, as an id has. If it is a quantity, say kind: integer, without a role; "
        "if it names the customer, role: id": whole and profile.rows >= MANY_ROWS,
        f"a code of {profile.different} levels, more than a category can have"
        f"{'. If it is a quantity, say kind: integer, without a role' if profile.is_zero_padded else ''}": (
            is_code(profile) and not profile.levels
        ),
        f"numbers beyond {MAX_NUMBER:g}, which cannot be weighed and added up": profile.kind is None and profile.mostly_too_large,
        f"free text, or a category of too many levels ({profile.different})": profile.kind is None and not is_sensitive(profile),
        "it tells the outcome in every row: is it known only afterwards?": rows_told_wrong(*_beside(profile, outcome)) == 0,
    }
    return next((reason for reason, applies in reasons.items() if applies), "")


def read_instead(profile: ColumnProfile, why: str) -> str:
    """Return how a model could read an ignored column that may tell something: what to put in its place.

    Parameters
    ----------
    profile : ColumnProfile
    why : str
        Why it is ignored, from `why_ignored`.

    Returns
    -------
    str
        Empty where there is nothing to be read, or nobody could know it in time.
    """
    if why == "a date":
        return "no model reads it: put the days from it to the day of the export in its place"
    if not why.startswith(("free text", "a code of")) or profile.unique:
        return ""
    if sum(count for text, count in profile.counts.items() if _DURATION.fullmatch(text)) >= MIN_DATE_SHARE * sum(
        profile.counts.values()
    ):
        return "it looks like a duration, or a time of day: write it as one number"
    if ROWS_A_LEVEL * profile.different <= profile.rows - profile.missing:
        return f"group its levels (a region instead of a place, the most frequent ones and 'other'), at most {MAX_LEVELS} of them"
    return ""


def suspect(profile: ColumnProfile, outcome: ColumnProfile, true_level: str) -> tuple[str, ...]:
    """Return what is to be said of a feature that tells the outcome in nearly every row, or of many who left.

    Parameters
    ----------
    profile : ColumnProfile
    outcome : ColumnProfile
        That of the outcome.
    true_level : str
        The outcome of who left.

    Returns
    -------
    tuple of str
        A sentence, or nothing.
    """
    values, left = _beside(profile, outcome, true_level)
    wrong = rows_told_wrong(values, left)
    by_name = (RETAINING,) if _names_retaining(profile) else ()
    if nearly_tells_outcome(wrong, left):
        rows = f"{wrong:,} of {len(left):,} rows"
        return (f"it tells the outcome in all but {rows}: is it known only afterwards? Then give it role: ignored",)
    if given_away := leavers_given_away(values, left):
        rows = f"{given_away:,} of {left.sum():,} rows of who left"
        return (
            f"{rows} have values that (nearly) nobody who stayed has: is it known only afterwards? Then give it role: ignored",
        )
    return by_name


def _names_afterwards(profile: ColumnProfile) -> bool:
    """Whether the name is of what is noted down of who has left: reason_for_leaving, ExitSurvey, disconnect_date."""
    words = set(profile.words)
    leaving = any(word.startswith(stem) for word in words for stem in LEAVING if word != "lost")
    return bool(words & AFTERWARDS) or (leaving and (profile.is_date or bool(words & REASONS)))


def _names_retaining(profile: ColumnProfile) -> bool:
    """Whether the name is of what a company does for who wants to leave: retention_offer_made, SaveDeskCalls."""
    words = set(profile.words)
    return bool(words & RETENTION) and bool(words & OFFERS)


def _beside(profile: ColumnProfile, outcome: ColumnProfile, true_level: str | None = None) -> tuple[pd.Series, NDArray[np.bool_]]:
    """Return the values of the rows whose outcome is known, and which of these have that level: that of the first row if None."""
    known = outcome.values.dropna()
    values = profile.values[known.index]
    if profile.kind in ("number", "integer") and profile.numbers is not None and profile.numbers.form is None:
        # A larger one may tell, too. (Those in another way are compared as texts.)
        values = pd.to_numeric(values, errors="coerce")
    text_of_row, texts = pd.factorize(known.to_numpy(dtype=object))
    levels = [_same_for_all_spellings(text) for text in texts]
    level = levels[0] if true_level is None and levels else _same_for_all_spellings(true_level or "")
    return values, np.array([text == level for text in levels], dtype=np.bool_)[text_of_row]


def _same_for_all_spellings(level: str) -> str:
    return level.lower().removesuffix(".0")


def is_sensitive(profile: ColumnProfile) -> bool:
    """Return whether the name is that of a protected group."""
    words = set(profile.words)
    return bool(words & SENSITIVE_WORDS) or ("age" in words and not words & AGING)


def is_code(profile: ColumnProfile) -> bool:
    """Return whether whole numbers are a code, by their name, or by zeros before them."""
    return profile.kind == "integer" and (profile.is_zero_padded or not CODES.isdisjoint(profile.words))
