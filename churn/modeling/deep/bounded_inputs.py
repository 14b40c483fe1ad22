"""The inputs of the network: numbers, declared sums and levels, each clipped to the range that is usual among training customers.

Beyond the customers that it has seen a network goes on in a straight line, as far as one asks; clipped inputs end that.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from churn.customers.cell_rule import MISSING_LEVEL
from churn.modeling.features import MAX_LISTED_VALUES, USUAL_RANGE
from churn.modeling.inputs import Inputs

Floats = NDArray[np.float64]


class BoundedInputs(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Transform customers into bounded inputs, which are as many, in the same order, whoever is trained on.

    So a network that was pretrained on other customers fits. A level that hardly any training customer has is bounded to 0: it
    is no input then, though it has a place.

    Parameters
    ----------
    sums : dict of str to list of str, optional
        Numbers to add up, by the name of their sum.
    relations : dict of str to (str, float), optional
        Number to another one and the factor between them, see `churn.modeling.inputs.Inputs`.
    levels : dict of str to list of str, optional
        Category to all its levels; one that is not named has the levels of the training customers.
    min_rows : int
        Fewest training customers of a level that counts.

    Attributes
    ----------
    inputs_ : dict
        The fields of `Inputs`, as plain values.
    bounds_ : array of float64, shape (n_inputs, 2)
        Lowest and highest value of each input.
    """

    def __init__(
        self,
        sums: dict[str, list[str]] | None = None,
        relations: dict[str, tuple[str, float]] | None = None,
        levels: dict[str, list[str]] | None = None,
        min_rows: int = 20,
    ) -> None:
        self.sums = sums
        self.relations = relations
        self.levels = levels
        self.min_rows = min_rows

    def fit(self, x: pd.DataFrame, y: Any = None) -> Self:
        """Learn the typical values and the bounds.

        Parameters
        ----------
        x : pandas.DataFrame, shape (n, n_columns)
            Numeric columns (missing as NaN) and text columns (missing as None).
        y : object, optional
            Not used.

        Returns
        -------
        BoundedInputs
            Itself, fitted.
        """
        inputs = Inputs.learn(x, self.sums or {}, 1, self.relations)
        for name in inputs.levels:
            seen = [level for level in inputs.levels[name] if level != MISSING_LEVEL]
            inputs.levels[name] = list((self.levels or {}).get(name, seen))
        matrix, first_level = inputs.matrix(inputs.complete(x)), len(inputs.numbers) + len(inputs.sums)
        bounds = np.zeros((matrix.shape[1], 2))
        for place, values in enumerate(matrix.T):
            if place >= first_level:
                bounds[place] = 0.0, float(np.count_nonzero(values) >= self.min_rows)
            elif len(np.unique(values)) <= MAX_LISTED_VALUES:
                bounds[place] = values.min(), values.max()
            else:
                bounds[place] = np.quantile(values, USUAL_RANGE)
        self.inputs_ = dict(vars(inputs))
        self.bounds_ = bounds
        self.feature_names_in_ = np.array(inputs.columns, dtype=object)
        self.n_features_in_ = len(inputs.columns)
        return self

    @property
    def inputs(self) -> Inputs:
        """Return how customers become inputs."""
        check_is_fitted(self, "inputs_")
        return Inputs(**self.inputs_)

    def transform(self, x: pd.DataFrame) -> Floats:
        """Return the inputs.

        Parameters
        ----------
        x : pandas.DataFrame, shape (n, at least n_columns)

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_inputs)
            NaN where a number is missing that no related number gives, for the imputer. Sums take the typical value in its place.
        """
        inputs = self.inputs
        known = inputs.complete(x)
        values = np.clip(inputs.matrix(known), self.bounds_[:, 0], self.bounds_[:, 1])
        missing = inputs.missing(known)
        values[:, : missing.shape[1]][missing] = np.nan
        return values

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[Any]:
        """Return the inputs' names, shape (n_inputs,)."""
        return np.array(self.inputs.names, dtype=object)
