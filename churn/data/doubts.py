"""What a person should hear of a labelled file before a model learns from it: a sentence that names the column and the remedy."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import numpy as np
import pandas as pd

from churn.customers.cell_rule import MIN_SPREAD
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.data.telling import MIN_ROWS, leavers_given_away, nearly_tells_outcome, rows_told_wrong

# A number is a linear function of another if it is so but for rounding, of floats; of fewer values it may be by chance.
MAX_RESIDUAL, MIN_VALUES = 1e-9, 3
# Levels of fewer customers say nothing of whoever else has them.
LEVEL_ROWS = 20


def doubts(dataset: Dataset) -> list[str]:
    """Return what is doubtful of the features of a labelled file. Nothing of it stops a training.

    Parameters
    ----------
    dataset : Dataset
        Without labels, nothing is said of the outcome.

    Returns
    -------
    list of str
        Sentences: columns from which nothing is learned; columns that (nearly) tell the outcome, or that of many who
        left, or say the same as another one;
        categories of too many levels.
    """
    found = []
    outcome = None if dataset.outcome is None else Labelled(dataset.features, dataset.outcome)
    telling = {} if outcome is None else telling_columns(outcome)
    if names := dataset.uninformative:
        found.append(f"columns that are empty or the same for everybody, from which nothing is learned: {', '.join(names)}")
    for name, values in dataset.features.items():
        if said := telling.get(str(name)):
            found.append(f"{name}: {said}; if it is known only afterwards, give it role: ignored in the contract")
        elif few := _in_small_levels(values):
            found.append(
                f"{name}: {few:,} of {len(values):,} customers are in levels of fewer than {LEVEL_ROWS}, from which nothing is "
                "learned; group its levels, or give it role: ignored in the contract"
            )
        elif _rounded_away(values):
            found.append(
                f"{name}: its values differ by less than a ten-millionth of their size, from which nothing is learned; subtract "
                "what they have in common or, if it is an id, give it role: ignored in the contract"
            )
    informative = dataset.features.drop(columns=dataset.uninformative)
    repeated = _repeated(informative)
    for first, name in repeated:
        found.append(f"{name}: the same as {first} in every row; reasons are shared out between both: give one role: ignored")
    for first, name, slope in _rescaled(informative.drop(columns=[name for _, name in repeated])):
        found.append(
            f"{name}: {slope:g} times {first}, but for a constant, in every row; reasons are shared out between both: give one "
            "role: ignored"
        )
    return found


def telling_columns(known: Labelled) -> dict[str, str]:
    """Return what each feature tells of the outcome by itself, where that is so much that it may be a leak.

    Parameters
    ----------
    known : Labelled

    Returns
    -------
    dict of str to str
        By the name of the column, half a sentence: the rows that it tells, or the leavers that it gives away.
    """
    left, found = known.outcome.to_numpy() == 1, {}
    for name, values in known.features.items():
        wrong = rows_told_wrong(values, left)
        if wrong == 0 or nearly_tells_outcome(wrong, left):
            rows = "every row" if wrong == 0 else f"all but {wrong:,} of {len(values):,} rows"
            found[str(name)] = f"tells the outcome in {rows}"
        elif given_away := leavers_given_away(values, left):
            who = f"{given_away:,} of {left.sum():,} customers who left"
            found[str(name)] = f"{who} have values that (nearly) nobody who stayed has"
    return found


def _in_small_levels(values: pd.Series) -> int:
    """Return how many customers of a category are in small levels, where these are most of them; else 0."""
    if pd.api.types.is_numeric_dtype(values):
        return 0
    counts = values.value_counts()
    few = int(counts[counts < LEVEL_ROWS].sum())
    return few if len(values) >= MIN_ROWS and 2 * few > len(values) else 0


def _rounded_away(values: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(values):
        return False
    low, high = values.min(), values.max()
    return bool(low < high and high - low <= MIN_SPREAD * max(abs(low), abs(high)))


def _rescaled(features: pd.DataFrame) -> Iterator[tuple[str, str, float]]:
    """Give each number that is an exact linear function of an earlier one: that one, itself, and the slope (of cents: 100)."""
    if len(features) < MIN_ROWS:
        return
    earlier: dict[bytes, list[str]] = {}
    for name, values in features.items():
        if not pd.api.types.is_numeric_dtype(values):
            continue
        if values.iloc[:MIN_ROWS].nunique() < MIN_VALUES and values.nunique() < MIN_VALUES:
            continue
        # Which rows are missing, and which has the least and the most, are the same for both, but for the sign.
        ends = sorted((int(values.argmin()), int(values.argmax())))
        alike = earlier.setdefault(hashlib.blake2b(values.isna().to_numpy().tobytes() + repr(ends).encode()).digest(), [])
        known = values.dropna().to_numpy(dtype=np.float64)
        for first in alike:
            others = features[first].dropna().to_numpy(dtype=np.float64)
            low, high = int(others.argmin()), int(others.argmax())
            slope = (known[high] - known[low]) / (others[high] - others[low])
            reach = MAX_RESIDUAL * (known.max() - known.min())
            if (np.abs(known - known[low] - slope * (others - others[low])) <= reach).all():
                yield first, str(name), float(slope)
                break
        else:
            alike.append(str(name))


def _repeated(features: pd.DataFrame) -> list[tuple[str, str]]:
    """Return each column that says the same in every row as an earlier one, after that."""
    if len(features) < MIN_ROWS:
        return []
    earlier: dict[bytes, str] = {}
    found = []
    for name, values in features.items():
        said = hashlib.blake2b(pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes()).digest()
        first = earlier.setdefault(said, str(name))
        if first != name:
            found.append((first, str(name)))
    return found
