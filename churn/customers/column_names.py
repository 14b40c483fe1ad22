"""Tell which column of the contract a name means: a customer's fields may be named as in the contract or as in its source."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches

from churn.composed import composed
from churn.contract import Contract

CUSTOMER_ID = "customer_id"
# What the contract knows and no model reads: ids beside the customer's, sensitive columns, the outcome; and pandas' own index.
NOT_READ = ""
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
_COMPARED_CHARACTERS = 64
# Ratio of `difflib.SequenceMatcher`, from 0 (nothing in common) to 1 (the same).
_LIKENESS = 0.7


class ColumnNames:
    """The names of one contract's columns.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> names = ColumnNames(load_contract())
    >>> names.find("Total day minutes"), names.find("state"), names.find("stat")
    ('total_day_minutes', 'state', None)
    >>> names.unknown("Stat")
    'unknown field; did you mean `state`?'
    """

    def __init__(self, contract: Contract) -> None:
        identity = contract.id_column
        self.id_spellings = (identity.source, identity.name) if identity else ("Customer ID", CUSTOMER_ID)
        self._found = dict.fromkeys(self.id_spellings, CUSTOMER_ID)
        self._found |= dict.fromkeys((contract.target.column, contract.target.source.strip()), NOT_READ)
        for column in contract.columns:
            if column.role == "id":
                continue
            meaning = column.name if column.role == "feature" else NOT_READ
            self._found |= dict.fromkeys((column.name, column.source.strip()), meaning)
        self._found[CUSTOMER_ID] = CUSTOMER_ID
        self.read = frozenset({*contract.feature_names, CUSTOMER_ID})
        self._plain = {_plain(name): meaning for name, meaning in self._found.items() if meaning != NOT_READ}

    def find(self, name: str) -> str | None:
        """Return the contract's name of a feature, `customer_id`, `NOT_READ`, or None for a name that nobody knows."""
        found = self._found.get(name)
        if found is None:
            found = self._found.get(composed(name.strip()))
        if found is None and is_pandas_index(name):
            return NOT_READ
        return found

    def unknown(self, name: str, *, suggest: bool = True) -> str:
        """Return what is wrong with a name that nobody knows, with the known name most like it.

        Parameters
        ----------
        name : str
        suggest : bool
            False where there are too many of them: to compare one takes up to a millisecond.

        Returns
        -------
        str
        """
        if not name.strip():
            return "a column without a name (an index? pandas leaves it out with index=False)"
        near = self.nearest(name) if suggest else None
        return f"unknown field; did you mean `{near}`?" if near else "unknown field"

    def same_but_for_form(self, name: str) -> str | None:
        """Return the contract's name that an unknown one spells with other capitals, blanks or marks: "Customer_ID" is one."""
        return self._plain.get(_plain(name[:_COMPARED_CHARACTERS]))

    def nearest(self, name: str) -> str | None:
        """Return the contract's name that is most like an unknown one, if any is like it."""
        near = get_close_matches(_plain(name[:_COMPARED_CHARACTERS]), self._plain, n=1, cutoff=_LIKENESS)
        return self._plain[near[0]] if near else None


def is_pandas_index(name: str) -> bool:
    """Tell whether a column is pandas' own: the index of a data frame, beside the customer's fields."""
    return _PANDAS_INDEX.fullmatch(name) is not None


def given_twice(first: str, second: str) -> str:
    """Return the rule that two columns of one meaning break.

    Parameters
    ----------
    first, second : str
        The names of the two.

    Returns
    -------
    str
    """
    return f"is there twice, as {first!r} and as {second!r}" if first != second else "is there twice"


def first_repeated(names: Collection[str]) -> str | None:
    """Return the first name that is there twice."""
    seen: set[str] = set()
    return next((name for name in names if name in seen or seen.add(name)), None)  # type: ignore[func-returns-value]


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
