"""Rows of the traffic that stand for others, since these were acted on: how they are trained on, and what the monitor gets.

A row is repeated as often as its weight says, as rows of the same customer: fits and scores are then weighted, and whatever
speaks of chance goes by customer (docs/adr/0020, 0025).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.evaluation.weights import copies
from churn.modeling.model import Model


@dataclass(frozen=True)
class Standing:
    """For whom the rows of the traffic stand.

    Attributes
    ----------
    often : numpy.ndarray of int64, shape (n_learned,)
        How many rows each row that is trained on stands for, itself included, in the order of request.
    others : pandas.DataFrame, shape (n_others, n_features)
        Customers who may be trained on, but not their outcomes: they were acted on. In the order of request.
    after : numpy.ndarray of int64, shape (n_others,)
        How many of the rows that are trained on were asked about before each of them.
    """

    often: NDArray[np.int64]
    others: pd.DataFrame
    after: NDArray[np.int64]

    @classmethod
    def of(cls, features: pd.DataFrame, weight: NDArray[np.float64], learns: NDArray[np.bool_]) -> Self:
        """Find for whom rows stand.

        Parameters
        ----------
        features : pandas.DataFrame, shape (n, n_features)
            Of the traffic, in the order of request.
        weight : numpy.ndarray of float64, shape (n,)
            As of `churn.store.treatment.selection.Selection`.
        learns : numpy.ndarray of bool, shape (n,)
            Whose rows may be trained on.

        Returns
        -------
        Standing
        """
        rows, others = np.flatnonzero(learns & (weight > 0)), np.flatnonzero(learns & ~(weight > 0))
        before = np.searchsorted(rows, others)
        return cls(copies(weight[rows]), features.iloc[others].reset_index(drop=True), before)

    def complete(self, reference: pd.DataFrame, dated: int, model: Model) -> pd.DataFrame:
        """Return a reference with each customer once: weights instead of repetitions, and those who were acted on.

        A window has all customers in it, so what it is compared with must, too: else those whom a model names would be missing.

        Parameters
        ----------
        reference : pandas.DataFrame, shape (n, 3 + n_features)
            Of all rows that were trained on, with repetitions: churn_probability, churned, served_probability, features.
        dated : int
            How many of the last rows are traffic.
        model : Model
            The one that was trained.

        Returns
        -------
        pandas.DataFrame, shape (m, 4 + n_features)
            Of customers who were acted on, weight is 0 and churned NaN.
        """
        often = np.repeat(self.often, self.often)
        first = np.diff(np.repeat(np.arange(len(self.often)), self.often), prepend=-1) > 0
        weight = np.ones(len(reference))
        if dated:
            weight[-dated:] = np.where(first, often, 0)[-dated:]
        reference.insert(3, "weight", weight)
        kept = reference[weight > 0].astype({"churned": "float64"})
        # Of a model of the newest rows alone, those who were asked about in their time.
        since = int(np.searchsorted(np.cumsum(self.often), int(self.often.sum()) - dated, side="right"))
        others = self.others[self.after >= since].copy()
        if others.empty:
            return kept.reset_index(drop=True)
        served = model.predict_probability(others)
        others.insert(0, "churn_probability", served)
        others.insert(1, "churned", np.nan)
        others.insert(2, "served_probability", served)
        others.insert(3, "weight", 0.0)
        return pd.concat([kept, others], ignore_index=True)


def repeated(rows: NDArray[np.intp], weight: NDArray[np.float64] | None) -> NDArray[np.intp]:
    """Return rows, each as often as its weight says.

    Parameters
    ----------
    rows : numpy.ndarray of int, shape (n,)
        Positions.
    weight : numpy.ndarray of float64, or None
        Of all rows there are; None: each counts once.

    Returns
    -------
    numpy.ndarray of int
    """
    return rows if weight is None else np.repeat(rows, copies(weight[rows]))
