"""The task of a search: which customers and columns its candidates learn from, and what they say out of fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import Pipeline

from churn.data.labelled import Labelled
from churn.data.many_rows import draw_rows
from churn.modeling.folds import folds_of
from churn.modeling.search.candidates import CountingScorer
from churn.modeling.search.tuned import known_customers

Floats = NDArray[np.float64]
Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]


class Asked(NamedTuple):
    """What a candidate says of customers whom it was not fitted on.

    Attributes
    ----------
    out_of_fold : numpy.ndarray of float64, shape (n_customers,)
        Churn probabilities; NaN for those of folds that were not asked about.
    scores : numpy.ndarray of float64, shape (n_folds_asked,)
    """

    out_of_fold: Floats
    scores: Floats


@dataclass(frozen=True)
class SearchTask:
    """What each step of a search is given.

    Attributes
    ----------
    pipeline : Pipeline
        Unfitted.
    train : Labelled
        Customers to learn from.
    features : list of str
        The columns the model reads, in order.
    folds, seed : int
        As in `churn.modeling.folds.make_folds`.
    """

    pipeline: Pipeline
    train: Labelled
    features: list[str]
    folds: int
    seed: int

    def sample(self, max_rows: int) -> SearchTask:
        """Return the same task with a random sample of the customers; itself, if there are no more."""
        if len(self.train) <= max_rows:
            return self
        rows = draw_rows(np.arange(len(self.train)), max_rows, self.train.outcome.to_numpy(), self.seed)
        return replace(self, train=self.train.take(rows))

    def all_folds(self) -> Folds:
        """Return the rows to fit on, and those to predict, of each fold."""
        return folds_of(self.train, self.folds, self.seed)

    def unfitted(self, chosen: Mapping[str, Any]) -> Pipeline:
        """Return a candidate with these parameters."""
        return clone(self.pipeline).set_params(**chosen)

    def fitted(self, chosen: Mapping[str, Any]) -> Pipeline:
        """Return a candidate with these parameters that has learned from all customers."""
        known = known_customers(self.pipeline, self.train)
        return self.unfitted(chosen).fit(self.train.features[self.features], self.train.outcome, **known)

    def ask(self, chosen: Mapping[str, Any], few: int | None = None, scoring: CountingScorer | None = None) -> Asked:
        """Fit a candidate on all folds but one, and ask it about the customers of that one; each fold in turn.

        Parameters
        ----------
        chosen : mapping
            The candidate's parameters.
        few : int, optional
            Ask about the customers of the first so many folds; None: of all.
        scoring : CountingScorer, optional
            None: the pipeline's own score, which nobody reads.

        Returns
        -------
        Asked
        """
        x = self.train.features[self.features]
        done = cross_validate(
            self.unfitted(chosen),
            x,
            self.train.outcome,
            scoring=scoring,
            cv=self.all_folds()[:few],
            params=known_customers(self.pipeline, self.train),
            return_estimator=True,
            return_indices=True,
            error_score="raise",
        )
        out_of_fold = np.full(len(self.train), np.nan)
        for fitted, asked in zip(done["estimator"], done["indices"]["test"], strict=True):
            out_of_fold[asked] = fitted.predict_proba(x.iloc[asked])[:, 1]
        return Asked(out_of_fold, done["test_score"])
