"""A model is put to the test before it serves: it must answer, through the serving path, what its own pipeline answers."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import ValidationError

from churn.contract import Column, Contract
from churn.errors import ModelRefused
from churn.model import Model
from churn.request import request_model
from service.explain import Explainer
from service.predictor import ServedModel

TOLERANCE = 1e-9
PLACES = (0.0, 0.02, 0.1, 0.5, 1.0)


def verified(model: Model, contract: Contract, loaded_from: Literal["registry", "disk"]) -> ServedModel:
    """Make a model ready to serve.

    Raises
    ------
    ModelRefused
        If it reads features that the contract does not have, does not answer finite probabilities of 0 and 1, or
        answers otherwise through the serving path than its pipeline does itself.
    """
    version = model.info.version
    unknown = sorted(set(model.info.features) - set(contract.feature_names))
    if unknown or not model.info.features:
        raise ModelRefused(f"version {version} reads features that contract {contract.name!r} does not have: {unknown}")
    try:
        served = ServedModel(model, contract, Explainer.of(model, contract), loaded_from)
        customers = _trial_customers(contract)
        model_customer = request_model(contract)
        answers = [p.churn_probability for p in served.score([model_customer.model_validate(c) for c in customers])]
        # Built here anew, so that an error of the serving path's own frame does not hide.
        own_frame = pd.DataFrame({name: _own_column(contract[name], customers) for name in model.info.features})
        own = np.asarray(model.pipeline.predict_proba(own_frame), dtype=np.float64)
        classes = [int(label) for label in model.pipeline.classes_]
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, ValidationError) as error:
        # An unfitted or mutilated pipeline can fail in each of these ways; all of them mean that it cannot be asked.
        raise ModelRefused(f"version {version} cannot answer: {' '.join(str(error).split())}") from error
    if classes != [0, 1] or own.shape != (len(customers), 2):
        raise ModelRefused(f"version {version} does not answer the two classes 0 and 1 but {classes}")
    if not np.isfinite(own).all() or own.min() < 0 or own.max() > 1:
        raise ModelRefused(f"version {version} answers what is no probability")
    difference = float(np.abs(np.asarray(answers) - own[:, 1]).max())
    if not difference <= TOLERANCE:
        raise ModelRefused(f"version {version} answers {difference:.2g} off its own pipeline")
    return served


def _trial_customers(contract: Contract) -> list[dict[str, Any]]:
    """Invent customers that the contract allows: low to high values, every level, flags both ways, each missing where it may."""
    rows = [{column.name: _value(column, place) for column in contract.features} for place in PLACES]
    middle = rows[len(rows) // 2]
    for column in contract.features:
        # Numbers may always be missing: that is the imputer's work.
        if (column.nullable or column.kind in ("number", "integer")) and len(contract.features) > 1:
            rows.append({**middle, column.name: None})
        rows += [{**middle, column.name: level} for level in column.levels]
    return rows


def _own_column(column: Column, customers: list[dict[str, Any]]) -> pd.Series:
    values = [customer[column.name] for customer in customers]
    if not column.is_numeric:
        return pd.Series(values, dtype=object)
    return pd.Series([np.nan if value is None else float(value) for value in values], dtype=np.float64)


def _value(column: Column, place: float) -> Any:
    if column.kind == "category":
        return column.levels[int(place * (len(column.levels) - 1))]
    if column.kind == "flag":
        return place >= 0.1
    low = column.minimum if column.minimum is not None else -1000.0
    high = column.maximum if column.maximum is not None else max(low, 0.0) + 1000.0
    value = low + place * (max(high, low) - low)
    return float(np.clip(np.ceil(value), low, high)) if column.kind == "integer" else value
