"""The model: a fitted pipeline with its description, and how to build an unfitted one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.config.params import Form
from churn.contract import Contract
from churn.data.many_rows import predict_in_blocks
from churn.errors import InputError
from churn.modeling.deep.bounded_inputs import BoundedInputs
from churn.modeling.deep.network import DenseNetwork
from churn.modeling.features import LinearTerms
from churn.modeling.model_info import ModelInfo

__all__ = ["Model", "ModelInfo", "build_pipeline", "columns_read"]


@dataclass(frozen=True)
class Model:
    """A fitted pipeline and its description.

    Attributes
    ----------
    pipeline : sklearn.pipeline.Pipeline
        What is served.
    info : ModelInfo
        The description, for programs.
    card : str
        For people, in Markdown; empty if it has none.
    evaluated : sklearn.pipeline.Pipeline or None
        The same pipeline before it was fitted anew on the reserved customers, too (`churn.modeling.search.refit`). None if it was
        not, or if nobody is to judge this model.
    """

    pipeline: Pipeline
    info: ModelInfo
    card: str = ""
    evaluated: Pipeline | None = None

    @property
    def judged(self) -> Model:
        """The model before it learned from the reserved customers: whoever judges it by these asks this one.

        Raises
        ------
        ValueError
            If it learned from them, and was loaded without what it was before (`Registry.load_judged` loads both).
        """
        if not self.info.refitted_on:
            return self
        if self.evaluated is None:
            raise ValueError(f"version {self.info.version} learned from the reserved customers, and is here only as it is served")
        return replace(self, pipeline=self.evaluated, info=self.info.model_copy(update={"refitted_on": 0}), evaluated=None)

    def predict_probability(self, features: pd.DataFrame) -> np.ndarray:
        """Return the probability of churn.

        Parameters
        ----------
        features : pandas.DataFrame, shape (n, at least the model's features)
            As in `churn.customers.frame`; other columns are ignored.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)
            In [0, 1].
        """
        return predict_in_blocks(self.pipeline, features[self.info.features])


def build_pipeline(seed: int, *, form: Form = "plain", contract: Contract | None = None) -> Pipeline:
    """Build an unfitted pipeline: (features →) imputer → scaler → logistic regression, or a network in its place.

    Parameters
    ----------
    seed : int
    form : {"terms", "plain", "deep"}
        `plain` imputes the median, scales to unit variance and weighs the numeric columns as they are; `terms` first turns all
        columns into terms in which churn is linear (`churn.modeling.features`); `deep` gives bounded inputs of all columns to a
        neural network (`churn.modeling.deep`).
    contract : Contract, optional
        For `terms` and `deep`: its sums are inputs too, and its checks give a missing number from a related one.

    Returns
    -------
    sklearn.pipeline.Pipeline
    """
    steps: list[tuple[str, Any]] = [
        ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
        ("scaler", StandardScaler()),
        ("logreg", LogisticRegression(max_iter=1_000, random_state=seed)),
    ]
    sums = {name: list(total.of) for name, total in contract.sums.items()} if contract else {}
    if form == "terms":
        steps.insert(0, ("features", LinearTerms(sums=sums, relations=_relations(contract), seed=seed)))
    elif form == "deep":
        levels = {column.name: list(column.levels) for column in contract.features if column.levels} if contract else {}
        steps.insert(0, ("features", BoundedInputs(sums=sums, relations=_relations(contract), levels=levels)))
        steps[-1] = ("network", DenseNetwork(seed=seed))
    return Pipeline(steps)


def _relations(contract: Contract | None) -> dict[str, tuple[str, float]]:
    found: dict[str, tuple[str, float]] = {}
    for check in contract.checks if contract else ():
        if check.times:
            found.setdefault(check.column, (check.equals, check.times))
            found.setdefault(check.equals, (check.column, 1 / check.times))
    return found


def columns_read(form: Form, contract: Contract) -> list[str]:
    """Return the columns that a pipeline of this form reads, in order.

    Parameters
    ----------
    form : {"terms", "plain", "deep"}
    contract : Contract

    Returns
    -------
    list of str
        All features, or for `plain` the numeric ones.

    Raises
    ------
    InputError
        If `plain` would read nothing.
    """
    if form == "plain" and not contract.numeric_features:
        raise InputError(f"model.form: plain reads numbers and flags, and contract {contract.name} has none; use terms")
    return contract.numeric_features if form == "plain" else contract.feature_names
