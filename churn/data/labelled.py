"""Labelled customers: features and what came true.

A customer may have several rows, one for each time that the service was asked about them. Such rows are not independent: every
interval, test and fold goes by customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Labelled:
    """Customers whose outcome is known.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n, n_features)
    outcome : pandas.Series of int64 (0 or 1), shape (n,)
    sensitive : pandas.DataFrame, shape (n, at least 1), or None
        Columns of the role `sensitive`, the same rows, where they are known; for comparing groups, never for a model.
    customer : numpy.ndarray of int64, shape (n,), or None
        Which rows are about the same customer: equal numbers. None if each row is about another one.
    asked_at : pandas.Series of datetime, shape (n,), or None
        The time that each row speaks of: when the service was asked about it, or what a file says (NaT where it does not). None
        where it is known of no row.
    original : numpy.ndarray of int64, shape (n,), or None
        Which outcome each row repeats, where some stand for customers who were acted on: equal numbers, one outcome. None where
        each row is an outcome of its own.
    fold : numpy.ndarray of float64 in [0, 1), shape (n,), or None
        Each customer's place among folds, see `churn.modeling.folds`. None where customers have no keys: a seed decides.
    """

    features: pd.DataFrame
    outcome: pd.Series
    sensitive: pd.DataFrame | None = None
    customer: NDArray[np.int64] | None = None
    fold: NDArray[np.float64] | None = None
    asked_at: pd.Series | None = None
    original: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.outcome)

    def take(self, rows: NDArray[np.int64]) -> Labelled:
        """Return some of the rows, numbered anew, with all that is known of them.

        Parameters
        ----------
        rows : array of int, shape (m,)
            Their places, in [0, n).

        Returns
        -------
        Labelled
        """
        return Labelled(
            self.features.iloc[rows].reset_index(drop=True),
            self.outcome.iloc[rows].reset_index(drop=True),
            None if self.sensitive is None else self.sensitive.iloc[rows].reset_index(drop=True),
            None if self.customer is None else self.customer[rows],
            None if self.fold is None else self.fold[rows],
            None if self.asked_at is None else self.asked_at.iloc[rows].reset_index(drop=True),
            None if self.original is None else self.original[rows],
        )


def customer_numbers(keys: pd.Series) -> NDArray[np.int64] | None:
    """Number customers by their keys, for `Labelled.customer`.

    Parameters
    ----------
    keys : pandas.Series of str, shape (n,)
        The same key, the same customer. A row without a key stands for itself.

    Returns
    -------
    numpy.ndarray of int64, shape (n,), or None
        None if each is another customer.

    Examples
    --------
    >>> import pandas as pd
    >>> customer_numbers(pd.Series(["b", "a", "b"])).tolist()
    [0, 1, 0]
    >>> customer_numbers(pd.Series(["b", None, "b", None])).tolist()
    [0, 1, 0, 2]
    >>> customer_numbers(pd.Series(["b", "a"])) is None
    True
    """
    import pandas as pd

    numbers, known = pd.factorize(keys)
    unnamed = numbers < 0
    if len(known) + int(unnamed.sum()) == len(numbers):
        return None
    return np.asarray(np.where(unnamed, len(known) + np.cumsum(unnamed) - 1, numbers), dtype=np.int64)
