"""The result of a search, and what the fits of a search are told of customers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import has_fit_parameter

from churn.data.labelled import Labelled
from churn.modeling.search.mean_of_models import as_one


@dataclass(frozen=True)
class Tuned:
    """The result of a search.

    Attributes
    ----------
    pipeline : Pipeline
        With the best parameters, fitted on the training customers. A `MeanOfModels`, if the mean of several is best:
        who clones it refits all of them.
    best : dict
        The best parameters; of a mean, `churn.modeling.search.mean.describe_members`.
    score : float
        Mean score over the folds, in the scoring's own units.
    candidates : pandas.DataFrame, shape (n_candidates, …)
        Parameters, mean and standard deviation of the score, rank; if a mean is best, the weight of each in it.
    out_of_fold : numpy.ndarray of float64, shape (n_customers,)
        Churn probability of each training customer by a model that was not fitted on it.
    fold_scores : numpy.ndarray of float64, shape (n_candidates, n_folds)
        The score in each fold, of each row of `candidates`.
    reduced : tuple of str
        What was left out to train within minutes, a sentence each (`churn.modeling.search.reductions`). Nothing of few customers.
    """

    pipeline: Pipeline
    best: dict[str, object]
    score: float
    candidates: pd.DataFrame
    out_of_fold: np.ndarray
    fold_scores: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))
    reduced: tuple[str, ...] = ()

    @property
    def served(self) -> Pipeline:
        """Return the pipeline to store and to serve: an ordinary one, also of the mean of several."""
        return as_one(self.pipeline)


def known_customers(pipeline: Pipeline, train: Labelled) -> dict[str, Any]:
    """Return what the feature step is told of customers, if it is there and there is something to tell.

    Parameters
    ----------
    pipeline : Pipeline
    train : Labelled

    Returns
    -------
    dict
        Parameters of the pipeline's `fit`.
    """
    step = pipeline.named_steps.get("features")
    asks = step is not None and has_fit_parameter(step, "customer")
    return {"features__customer": train.customer} if asks and train.customer is not None else {}
