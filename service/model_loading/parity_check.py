"""The parity check: before a model serves, it must predict on every serving path what its own pipeline predicts.

Runs where sklearn is (`service.model_loading.loader_process`, the gate, tests). What a worker itself asks again is in
`service.model_loading.bundle.serve`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import ValidationError

from churn.contract import Contract
from churn.customers.customer import request_model
from churn.errors import ModelRefused
from churn.inference.compiled import CompiledModel
from churn.inference.kinds import compile_model
from churn.model_card.card import render_card
from churn.modeling.model import Model
from churn.modeling.model_info import ModelInfo
from churn.one_line import one_line
from service.model_loading.bundle import TOLERANCE, ModelBundle, serve
from service.model_loading.parity_customers import as_columns, drawn_customers, edge_customers, knots_of, plain_customers
from service.scoring.scorer import CompiledScorer, PipelineScorer, Scorer
from service.scoring.served_model import ServedModel

# A compiled model predicts one customer in microseconds; a pipeline takes milliseconds, so it is asked for fewer one by one.
DRAWN, SINGLE_BY_PIPELINE = 4_000, 20
PROBES = 40
SEED = 4


def verified(model: Model, contract: Contract, loaded_from: Literal["registry", "disk"]) -> ServedModel:
    """Check a model and make it ready to serve in this process.

    Parameters
    ----------
    model : Model
    contract : Contract
    loaded_from : {"registry", "disk"}

    Returns
    -------
    ServedModel

    Raises
    ------
    ModelRefused
        See `verify`.
    """
    return serve(verify(model, contract), contract, loaded_from, model.pipeline)


def verify(model: Model, contract: Contract, *, folder: str = "", artifact_digest: str = "") -> ModelBundle:
    """Compile a model if that is possible, and compare its predictions with those of its pipeline on thousands of customers.

    Parameters
    ----------
    model : Model
    contract : Contract
    folder, artifact_digest : str
        Where it was loaded from, see `ModelBundle`.

    Returns
    -------
    ModelBundle

    Raises
    ------
    ModelRefused
        If it reads features that the contract does not have, does not predict finite probabilities of the classes 0
        and 1, or predicts otherwise on a serving path than its pipeline does (by more than 1e-9).
    """
    version, info = f"version {model.info.version}", model.info
    _refuse_other_features(info, contract)
    try:
        compiled = compile_model(model.pipeline, info.features, contract)
        terms = compiled if compiled is None or isinstance(compiled, CompiledModel) else compiled.inputs
        customers = _validated(plain_customers(contract), contract)
        customers += edge_customers(terms, contract)
        customers += drawn_customers(contract, DRAWN, SEED, knots_of(terms))
        own = _own_probabilities(model, customers, contract)
        scorer: Scorer = (
            PipelineScorer(model.pipeline, info.features, contract) if compiled is None else CompiledScorer(compiled, contract)
        )
        singles = len(customers) if compiled is not None else SINGLE_BY_PIPELINE
        one_by_one = np.array([scorer.one(values) for values in customers[:singles]])
        together = scorer.many(as_columns(customers, contract))
    except (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, ValidationError) as error:
        # An unfitted or damaged pipeline can fail in each of these ways.
        raise ModelRefused(f"{version} cannot answer: {one_line(error)}") from error
    difference = max(_max_difference(one_by_one, own[:singles]), _max_difference(together, own))
    if not difference <= TOLERANCE:
        raise ModelRefused(f"{version} answers {difference:.2g} off its own pipeline")
    probes = [(customers[at], float(own[at])) for at in np.linspace(0, len(customers) - 1, PROBES).astype(int)]
    return ModelBundle(
        info=info,
        # A model that was registered without a card gets one from its model info.
        card=model.card or render_card(info, contract=contract),
        compiled=None if compiled is None else compiled.to_document(),
        folder=folder,
        artifact_digest=artifact_digest,
        probes=probes,
    )


def _refuse_other_features(info: ModelInfo, contract: Contract) -> None:
    version = f"version {info.version}"
    unknown = sorted(set(info.features) - set(contract.feature_names))
    if unknown or not info.features:
        raise ModelRefused(f"{version} reads features that contract {contract.name!r} does not have: {unknown}")
    if len(set(info.features)) < len(info.features):
        raise ModelRefused(f"{version} reads a feature twice")


def _own_probabilities(model: Model, customers: Sequence[Sequence[Any]], contract: Contract) -> NDArray[np.float64]:
    """Return the pipeline's own churn probabilities, shape (n,); ModelRefused if they are none.

    The frame is built here a second time, so that an error in the serving path's own frame is found.
    """
    version = f"version {model.info.version}"
    frame = pd.DataFrame({name: _own_column(name, customers, contract) for name in model.info.features})
    own = np.asarray(model.pipeline.predict_proba(frame), dtype=np.float64)
    classes = [int(label) for label in model.pipeline.classes_]
    if classes != [0, 1] or own.shape != (len(customers), 2):
        raise ModelRefused(f"{version} does not answer the two classes 0 and 1 but {classes}")
    if not np.isfinite(own).all() or own.min() < 0 or own.max() > 1:
        raise ModelRefused(f"{version} answers what is no probability")
    return np.asarray(own[:, 1])


def _max_difference(probabilities: NDArray[np.float64], own: NDArray[np.float64]) -> float:
    return float(np.abs(probabilities - own).max())


def _validated(customers: list[list[Any]], contract: Contract) -> list[list[Any]]:
    """Validate customers by the request model, as if they came over HTTP."""
    model_customer = request_model(contract)
    sent = [dict(zip(contract.feature_names, values, strict=True)) for values in customers]
    return [list(model_customer.model_validate(customer).features().values()) for customer in sent]


def _own_column(name: str, customers: Sequence[Sequence[Any]], contract: Contract) -> pd.Series:
    place, column = contract.feature_names.index(name), contract[name]
    values = [customer[place] for customer in customers]
    if not column.is_numeric:
        return pd.Series(values, dtype=object)
    return pd.Series([np.nan if value is None else float(value) for value in values], dtype=np.float64)
