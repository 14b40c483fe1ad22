"""What each column contributes to the log-odds of customers, in one model."""

from __future__ import annotations

import numpy as np
import pandas as pd

from churn.explain.attribution import Attributor
from churn.explain.frames import attribute_rows
from churn.inference.compiled import CompiledModel

# Customers that a column's mean contribution is taken over: each is attributed by itself.
MAX_ROWS = 5_000


class Reasons:
    """Contributions of the columns of one model to customers' log-odds.

    Attributes
    ----------
    columns : tuple of str
    """

    def __init__(self, model: CompiledModel) -> None:
        self.columns = model.columns
        self._attributor = Attributor(model)

    def of(self, customers: pd.DataFrame) -> np.ndarray:
        """Return the contributions, in log-odds against the typical customer of the model.

        Parameters
        ----------
        customers : pandas.DataFrame, shape (n, at least the model's columns)

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_columns)
        """
        return attribute_rows(self._attributor, customers[list(self.columns)])

    def weight_of_columns(self, customers: pd.DataFrame, seed: int) -> dict[str, float]:
        """Return the mean absolute contribution of each column, over a sample of the customers.

        Parameters
        ----------
        customers : pandas.DataFrame, shape (n, at least the model's columns)
        seed : int
            Of the sample, where there are more than `MAX_ROWS`.

        Returns
        -------
        dict of str to float
        """
        if len(customers) > MAX_ROWS:
            chosen = np.random.default_rng(seed).choice(len(customers), MAX_ROWS, replace=False)
            customers = customers.iloc[np.sort(chosen)]
        means = np.abs(self.of(customers)).mean(axis=0)
        return {name: float(mean) for name, mean in zip(self.columns, means, strict=True)}
