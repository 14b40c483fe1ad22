"""The mean of several models' log-odds, which is one model: the terms of all, each with the weights that it has in them added up.

Models of the same customers are wrong in different ways, and their mean is less so (Caruana et al., Ensemble selection from
libraries of models, ICML 2004, doi:10.1145/1015330.1015432). Where each is a sum of terms, so is the mean of their log-odds:
whatever reads a fitted pipeline (the compiler, reasons, SQL) need not know that there were several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from churn.modeling.boosted.trees import join_trees
from churn.modeling.features import LinearTerms
from churn.modeling.rules import Ramp, Rule, Terms

Floats = NDArray[np.float64]


class MeanOfModels(Pipeline):  # type: ignore[misc]
    """A pipeline of features → imputer → scaler → logistic regression whose log-odds are the weighted mean of several ones'.

    Whoever clones and refits it refits all members. Its fitted steps are those of an ordinary pipeline: `as_one`.

    Parameters
    ----------
    steps : list of (str, estimator)
        Of one member. After `fit`, those of the mean.
    members : sequence of dict
        Parameters of each member that differ from those of the steps, as `set_params` takes them.
    weights : sequence of float
        Of each member's log-odds; they add up to 1.

    Examples
    --------
    >>> from churn.modeling.model import build_pipeline
    >>> strict, mild = ({"features__trees": 0, "features__strictness": strictness} for strictness in (1.0, 0.1))
    >>> mean = MeanOfModels(build_pipeline(1, form="terms").steps, [strict, mild], [0.75, 0.25])
    >>> x = pd.DataFrame({"calls": np.arange(100.0), "bill": np.arange(100.0) % 7})
    >>> fitted = mean.fit(x, np.arange(100) % 9 > 4)
    >>> type(as_one(fitted)).__name__, len(fitted.predict_proba(x))
    ('Pipeline', 100)
    """

    def __init__(
        self, steps: list[tuple[str, Any]], members: Sequence[Mapping[str, Any]] = (), weights: Sequence[float] = ()
    ) -> None:
        super().__init__(steps)
        self.members = members
        self.weights = weights

    def fit(self, x: pd.DataFrame, y: Any = None, **params: Any) -> Self:
        """Fit each member, and take the mean of them.

        Parameters
        ----------
        x : pandas.DataFrame, shape (n, n_columns)
        y : array of 0 and 1, shape (n,)
        **params
            Given to each member's `fit`.

        Returns
        -------
        MeanOfModels
            Itself, fitted.
        """
        member = Pipeline(self.steps)
        fitted = [clone(member).set_params(**changes).fit(x, y, **params) for changes in self.members]
        merged = merge(fitted, self.weights).named_steps
        # With the parameters that were given: a refit is not to begin with those of a member.
        self.steps: list[tuple[str, Any]] = [(name, merged[name].set_params(**step.get_params())) for name, step in self.steps]
        return self

    def values_of(self, name: str) -> list[Any]:
        """Return each member's value of a parameter; None where the steps have none of that name."""
        return [member.get(name, self.get_params().get(name)) for member in self.members]

    def multiplied(self, name: str, factor: float) -> list[dict[str, Any]]:
        """Return the members, each with a multiple of a number among its parameters.

        Parameters
        ----------
        name : str
        factor : float

        Returns
        -------
        list of dict
        """
        return [{**member, name: value * factor} for member, value in zip(self.members, self.values_of(name), strict=True)]

    def __getitem__(self, place: int | str | slice) -> Any:
        """Return a step or, for a slice, an ordinary pipeline of some."""
        return Pipeline(self.steps[place]) if isinstance(place, slice) else super().__getitem__(place)


def as_one(pipeline: Pipeline) -> Pipeline:
    """Return a fitted pipeline without what it takes to refit several members: that is what is stored and served.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    Returns
    -------
    Pipeline
        The same one, if it is no mean; its steps are shared.
    """
    return Pipeline(pipeline.steps) if isinstance(pipeline, MeanOfModels) else pipeline


def merge(fitted: Sequence[Pipeline], weights: Sequence[float]) -> Pipeline:
    """Return one pipeline whose log-odds are the weighted sum of several ones'.

    A term that several of them have is there once. So is the sum of boosted trees: of several, leaf values are in log-odds.

    Parameters
    ----------
    fitted : sequence of Pipeline
        Of features → imputer → scaler → logistic regression, fitted on the same customers.
    weights : sequence of float, the same length

    Returns
    -------
    Pipeline

    Raises
    ------
    ValueError
        If there are none, or if they do not read the same inputs.
    """
    if not fitted or len(fitted) != len(weights):
        raise ValueError("a mean needs members, and a weight for each")
    features = fitted[0]["features"]
    if any(other["features"].inputs_ != features.inputs_ for other in fitted):
        raise ValueError("the members of a mean must read the same inputs")
    ramps: dict[Ramp, _Column] = {}
    rules: dict[Rule, _Column] = {}
    trees: dict[bytes, tuple[Floats, float]] = {}
    boosted = _Column(0.0, 0.0, 1.0, 1.0, 1.0)
    intercept = 0.0
    for pipeline, weight in zip(fitted, weights, strict=True):
        columns, terms, nodes = _columns(pipeline, weight), pipeline["features"].terms, pipeline["features"].nodes_
        intercept += weight * float(pipeline["logreg"].intercept_[0])
        intercept += sum(_add(ramps, ramp, column) for ramp, column in zip(terms.ramps, columns, strict=False))
        intercept += sum(
            _add(rules, rule, column) for rule, column in zip(terms.rules, columns[len(terms.ramps) :], strict=False)
        )
        if len(nodes):
            # Trees do not depend on which terms stand beside them.
            column, key = columns[-1], nodes.tobytes()
            trees[key] = nodes, column.weight + (trees[key][1] if key in trees else 0.0)
            boosted.mean += column.weight * column.mean
            boosted.typical += column.weight * column.typical
    merged = clone(features)
    merged.inputs_, merged.feature_names_in_, merged.n_features_in_ = deepcopy(
        (features.inputs_, features.feature_names_in_, features.n_features_in_)
    )
    merged.ramps_, merged.conditions_ = Terms([*ramps], [*rules]).as_arrays()
    merged.nodes_ = join_trees(trees.values())
    return _pipeline(fitted[0], merged, [*ramps.values(), *rules.values(), *[boosted] * bool(trees)], intercept)


@dataclass
class _Column:
    """A term of a pipeline: what imputer and scaler learned of it, and its weight in log-odds per unit of the term itself."""

    typical: float
    mean: float
    variance: float
    scale: float
    weight: float


def _columns(pipeline: Pipeline, weight: float) -> list[_Column]:
    scaler = pipeline["scaler"]
    each = (pipeline["imputer"].statistics_, scaler.mean_, scaler.var_, scaler.scale_, pipeline["logreg"].coef_[0])
    return [
        _Column(typical, mean, variance, scale, weight * coefficient / scale)
        for typical, mean, variance, scale, coefficient in zip(*(values.tolist() for values in each), strict=True)
    ]


def _add(known: dict[Any, _Column], term: Ramp | Rule, column: _Column) -> float:
    """Add a term's weight to what is known of it; return by how much the intercept differs, for it is scaled as it was first."""
    if term not in known:
        known[term] = column
        return 0.0
    known[term].weight += column.weight
    return column.weight * (known[term].mean - column.mean)


def _pipeline(like: Pipeline, features: LinearTerms, columns: list[_Column], intercept: float) -> Pipeline:
    """Return a fitted pipeline of such features and columns."""
    imputer, scaler, logreg = (deepcopy(like[name]) for name in ("imputer", "scaler", "logreg"))
    imputer.statistics_ = np.array([column.typical for column in columns])
    scaler.mean_ = np.array([column.mean for column in columns])
    scaler.var_ = np.array([column.variance for column in columns])
    scaler.scale_ = np.array([column.scale for column in columns])
    logreg.coef_ = np.array([[column.weight * column.scale for column in columns]])
    logreg.intercept_ = np.array([intercept])
    for step in (imputer, scaler, logreg):
        step.n_features_in_ = len(columns)
    return Pipeline([("features", features), ("imputer", imputer), ("scaler", scaler), ("logreg", logreg)])
