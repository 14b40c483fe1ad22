"""Compile a fitted pipeline of form `deep` into a `churn.inference.network.CompiledNetwork`. This needs scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.contract import Contract
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import levels_of, read_numbers
from churn.inference.network import CompiledNetwork
from churn.inference.terms import Ramp
from churn.modeling.deep.bounded_inputs import BoundedInputs
from churn.modeling.deep.network import DenseNetwork

STEPS = {"features": BoundedInputs, "imputer": SimpleImputer, "scaler": StandardScaler, "network": DenseNetwork}


def compile_network(pipeline: Pipeline, columns: Sequence[str], contract: Contract) -> CompiledNetwork | None:
    """Compile a fitted pipeline of bounded inputs → imputer → scaler → network. The scaler becomes part of the first layer.

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
    CompiledNetwork or None
        None if the pipeline has a step, or a setting of one, that the compiler does not know.
    """
    columns, steps = list(columns), dict(pipeline.steps)
    # A subclass may do anything, so the types are compared themselves.
    known = list(steps) == list(STEPS) and all(type(steps[name]) is kind for name, kind in STEPS.items())
    if not known or not set(columns) <= set(contract.feature_names):
        return None
    features, network = steps["features"], steps["network"]
    inputs, levels, numbers = features.inputs, levels_of(columns, contract), read_numbers(steps["imputer"], steps["scaler"])
    fits = inputs.columns == columns and set(levels) == set(columns) - set(inputs.numbers)
    if numbers is None or not fits or list(network.classes_) != [0, 1]:
        return None
    imputed, mean, scale = numbers
    bounds = zip(features.bounds_.tolist(), imputed.tolist(), strict=True)
    front = CompiledModel(
        columns=tuple(columns),
        numbers=tuple(inputs.numbers),
        sums={name: tuple(parts) for name, parts in inputs.sums.items()},
        levels={name: tuple(listed) for name, listed in inputs.levels.items()},
        relations={name: (other, float(factor)) for name, (other, factor) in inputs.relations.items()},
        typical=dict(inputs.typical),
        category_levels=levels,
        ramps=tuple(Ramp(place, low, high, 1.0, instead) for place, ((low, high), instead) in enumerate(bounds)),
        rules=(),
        intercept=0.0,
    )
    arrays = [np.asarray(part, dtype=np.float64) for part in network.layers_]
    first, bias = arrays[0] / scale, arrays[1] - (arrays[0] / scale) @ mean
    return CompiledNetwork(front, tuple(zip([first, *arrays[2::2]], [bias, *arrays[3::2]], strict=True)))
