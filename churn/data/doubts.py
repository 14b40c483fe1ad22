"""What a person should hear of a labelled file before a model learns from it: a sentence that names the column and the remedy."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd

from churn.customers.cell_rule import MIN_SPREAD
from churn.data.dataset import Dataset

# Fewer customers prove no leak, and levels of fewer say nothing of whoever else has them.
MIN_ROWS, LEVEL_ROWS = 100, 20
# So many customers a value, at least: else a column tells who is who, and the outcome only through that.
ROWS_A_VALUE = 5


def doubts(dataset: Dataset) -> list[str]:
    """Return what is doubtful of the features of a labelled file. Nothing of it stops a training.

    Parameters
    ----------
    dataset : Dataset
        Without labels, nothing is said of the outcome.

    Returns
    -------
    list of str
        Sentences: columns from which nothing is learned; columns that tell the outcome, or the same as another one; categories of
        too many levels.
    """
    found = []
    if names := dataset.uninformative:
        found.append(f"columns that are empty or the same for everybody, from which nothing is learned: {', '.join(names)}")
    left = None if dataset.outcome is None else dataset.outcome.to_numpy() == 1
    for name, values in dataset.features.items():
        if left is not None and tells_outcome(values, left):
            found.append(
                f"{name}: tells the outcome in every row; if it is known only afterwards, give it role: ignored in the contract"
            )
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
    for first, name in _repeated(dataset.features.drop(columns=dataset.uninformative)):
        found.append(f"{name}: the same as {first} in every row; reasons are shared out between both: give one role: ignored")
    return found


def tells_outcome(values: pd.Series, left: np.ndarray) -> bool:
    """Tell whether a column says exactly who left: by its values, by one cut between them, or by having a value at all.

    Parameters
    ----------
    values : pandas.Series, shape (n,)
    left : array of bool, shape (n,)

    Returns
    -------
    bool

    Examples
    --------
    >>> tells_outcome(pd.Series([0.0, 1.0] * 60), np.array([False, True] * 60))
    True
    """
    if len(values) < MIN_ROWS or min(left.sum(), (~left).sum()) < MIN_ROWS / 10:
        return False
    known = values.notna().to_numpy()
    if (known == left).all() or (known == ~left).all():
        return True
    if known.all() and pd.api.types.is_numeric_dtype(values):
        gone, stayed = values[left], values[~left]
        if gone.min() > stayed.max() or gone.max() < stayed.min():
            return True
    # A missing value is a level among the others: what a few known values say is not said of every row.
    if not 2 <= values.nunique() <= known.sum() / ROWS_A_VALUE:
        return False
    level, _ = pd.factorize(values.to_numpy(dtype=object))
    return bool((pd.Series(left).groupby(level).nunique() == 1).all())


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
