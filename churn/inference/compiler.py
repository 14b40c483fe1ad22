"""Compile a fitted pipeline into a `churn.inference.compiled.CompiledModel`.

This needs scikit-learn, which the serving process does not import: the loader process compiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.contract import Contract
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp, WeighedRule
from churn.modeling.boosted.trees import leaf_rules
from churn.modeling.features import LinearTerms

Floats = NDArray[np.float64]
STEPS = {"imputer": SimpleImputer, "scaler": StandardScaler, "logreg": LogisticRegression}


def compile_pipeline(pipeline: Pipeline, columns: Sequence[str], contract: Contract) -> CompiledModel | None:
    """Compile a fitted pipeline of (features →) imputer → scaler → logistic regression.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Fitted.
    columns : sequence of str
        The features that it reads, in order.
    contract : Contract
        Gives the levels of categories.

    Returns
    -------
    CompiledModel or None
        None if the pipeline has a step, or a setting of one, that the compiler does not know.
    """
    columns = list(columns)
    steps = dict(pipeline.steps)
    features = steps.pop("features", None)
    # A subclass may do anything, so the types are compared themselves.
    known = list(steps) == list(STEPS) and all(type(steps[name]) is kind for name, kind in STEPS.items())
    if features is not None:
        known = known and pipeline.steps[0][0] == "features" and type(features) is LinearTerms
    if not known or not set(columns) <= set(contract.feature_names):
        return None
    weighed = _weights(steps["imputer"], steps["scaler"], steps["logreg"])
    if weighed is None:
        return None
    imputed, weights, intercept = weighed
    levels = levels_of(columns, contract)
    common: dict[str, Any] = {"columns": tuple(columns), "intercept": intercept, "category_levels": levels}
    if features is None:
        if len(weights) != len(columns) or levels:
            return None
        ramps = [Ramp(n, -np.inf, np.inf, w, m) for n, (w, m) in enumerate(zip(weights, imputed, strict=True))]
        typical: dict[str, float | str | None] = dict(zip(columns, imputed, strict=True))
        nothing: dict[str, Any] = {"sums": {}, "levels": {}, "relations": {}, "rules": ()}
        return CompiledModel(**common, **nothing, numbers=tuple(columns), typical=typical, ramps=tuple(ramps))
    return _compile_terms(features, columns, imputed, weights, common)


def _compile_terms(
    features: LinearTerms, columns: list[str], imputed: list[float], weights: list[float], common: dict[str, Any]
) -> CompiledModel | None:
    inputs, terms = features.inputs, features.terms
    categories = set(common["category_levels"])
    if (
        len(weights) != len(terms) + bool(len(features.nodes_))
        or inputs.columns != columns
        or categories != set(columns) - set(inputs.numbers)
    ):
        return None
    ramps = [
        # (What only tells that a number is missing is 1 then: nothing is left for the imputer.)
        Ramp(ramp.input, float(ramp.low), float(ramp.high), weight, ramp.low + 1 if ramp.tells_missing else instead)
        for ramp, weight, instead in zip(terms.ramps, weights, imputed, strict=False)
    ]
    rules = [
        WeighedRule(tuple(Condition(column, float(low), float(high)) for column, (low, high) in rule), weight)
        for rule, weight in zip(terms.rules, weights[len(ramps) : len(terms)], strict=True)
    ]
    # A tree's leaf is a rule, and one weight is given to the sum of all of them.
    rules += [
        WeighedRule(tuple(Condition(column, low, high) for column, (low, high) in rule), weights[-1] * value)
        for rule, value in leaf_rules(features.nodes_)
    ]
    return CompiledModel(
        **common,
        numbers=tuple(inputs.numbers),
        sums={name: tuple(parts) for name, parts in inputs.sums.items()},
        levels={name: tuple(known) for name, known in inputs.levels.items()},
        relations={name: (other, float(factor)) for name, (other, factor) in inputs.relations.items()},
        typical=dict(inputs.typical),
        ramps=tuple(ramps),
        rules=tuple(rules),
    )


def _weights(
    imputer: SimpleImputer, scaler: StandardScaler, logreg: LogisticRegression
) -> tuple[list[float], list[float], float] | None:
    """Return each term's imputed value and weight, and the intercept; None if the steps do more than that."""
    read = read_numbers(imputer, scaler)
    if read is None:
        return None
    statistics, mean, scale = read
    coefficients, classes = np.asarray(logreg.coef_, dtype=np.float64), list(logreg.classes_)
    if coefficients.shape != (1, len(statistics)) or classes != [0, 1]:
        return None
    weights = coefficients[0] / scale
    intercept = float(np.asarray(logreg.intercept_).ravel()[0]) - float(weights @ mean)
    return statistics.tolist(), weights.tolist(), intercept


def read_numbers(imputer: SimpleImputer, scaler: StandardScaler) -> tuple[Floats, Floats, Floats] | None:
    """Return what is imputed, subtracted and divided by; None if the steps do more than that.

    Parameters
    ----------
    imputer : sklearn.impute.SimpleImputer
    scaler : sklearn.preprocessing.StandardScaler

    Returns
    -------
    tuple of array, each of shape (n_terms,), or None
    """
    try:
        statistics = np.asarray(imputer.statistics_, dtype=np.float64)
    except (ValueError, TypeError):  # it imputes text
        return None
    fills_gaps = isinstance(imputer.missing_values, float) and np.isnan(imputer.missing_values)
    if imputer.add_indicator or not fills_gaps or not np.isfinite(statistics).all():
        return None
    scale = np.ones(len(statistics)) if scaler.scale_ is None else np.asarray(scaler.scale_, dtype=np.float64)
    mean = np.zeros(len(statistics)) if not scaler.with_mean else np.asarray(scaler.mean_, dtype=np.float64)
    return statistics, mean, scale


def levels_of(columns: Sequence[str], contract: Contract) -> dict[str, tuple[str, ...]]:
    """Return all levels of the categories among some columns.

    Parameters
    ----------
    columns : sequence of str
    contract : Contract

    Returns
    -------
    dict of str to tuple of str
    """
    return {column.name: column.levels for column in contract.features if column.kind == "category" and column.name in columns}
