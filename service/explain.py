"""Why: how each feature moved a customer's log-odds. Exact for a logistic regression on standardized features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.contract import Column, Contract
from churn.model import Model
from service.schemas import Reason

STEPS = ["imputer", "scaler", "logreg"]


@dataclass(frozen=True)
class Explanation:
    """One customer's log-odds, taken apart: logit = base + the sum of all contributions.

    Attributes
    ----------
    base : float
        The log-odds of a customer who is average in everything.
    contributions : numpy.ndarray of float64, shape (n_features,)
        Coefficient times standardized value, in log-odds.
    counted : numpy.ndarray of float64, shape (n_features,)
        The values the model worked with: those of the customer, imputed where they were missing.
    """

    base: float
    contributions: np.ndarray
    counted: np.ndarray


class Explainer:
    """Explains the answers of one model whose pipeline has the steps imputer, scaler and logreg."""

    def __init__(self, model: Model, contract: Contract) -> None:
        self._pipeline: Pipeline = model.pipeline
        self._columns = [contract[name] for name in model.info.features]

    @classmethod
    def of(cls, model: Model, contract: Contract) -> Explainer | None:
        """Make the explainer of `model`, or None if this model is no such pipeline."""
        steps = dict(model.pipeline.steps)
        explainable = (
            list(steps) == STEPS
            and isinstance(steps["scaler"], StandardScaler)
            and isinstance(steps["logreg"], LogisticRegression)
            # An imputer may drop columns; then coefficients and features do not match.
            and steps["logreg"].coef_.shape == (1, len(model.info.features))
        )
        return cls(model, contract) if explainable else None

    def explain(self, customer: pd.DataFrame) -> Explanation:
        """Take one customer's log-odds apart.

        Parameters
        ----------
        customer : pandas.DataFrame, shape (1, at least the model's features)
            As in `churn.frame`.
        """
        features = customer[[column.name for column in self._columns]]
        steps = self._pipeline.named_steps
        counted = np.asarray(steps["imputer"].transform(features), dtype=np.float64)
        standardized = np.asarray(steps["scaler"].transform(counted), dtype=np.float64)
        contributions = steps["logreg"].coef_[0] * standardized[0]
        return Explanation(float(steps["logreg"].intercept_[0]), contributions, counted[0])

    def reasons(self, explanation: Explanation, features: dict[str, Any], strongest: int) -> list[Reason]:
        """Put the strongest contributions into words, strongest first."""
        order = np.argsort(-np.abs(explanation.contributions), kind="stable")[:strongest]
        averages = self._pipeline.named_steps["scaler"].mean_
        if averages is None:  # a scaler that does not center
            averages = np.zeros(len(self._columns))
        return [
            Reason(
                feature=self._columns[i].name,
                value=features[self._columns[i].name],
                contribution=float(explanation.contributions[i]),
                text=_tell(
                    self._columns[i],
                    features[self._columns[i].name],
                    float(explanation.counted[i]),
                    float(averages[i]),
                    float(explanation.contributions[i]),
                ),
            )
            for i in order
        ]


def _tell(column: Column, value: Any, counted: float, average: float, contribution: float) -> str:
    name = column.name.replace("_", " ")
    effect = "raises the risk" if contribution > 0 else "lowers the risk" if contribution < 0 else "makes no difference"
    unit = f" {column.unit}" if column.unit else ""
    if value is None:
        return f"{name} is not known, counted as {counted:.4g}{unit}: {effect}"
    if column.kind == "flag":
        return f"{name} is {column.true_level if value else column.false_level}: {effect}"
    side = "above" if counted > average else "below" if counted < average else "at"
    return f"{name} of {counted:g}{unit} is {side} the average of {average:.4g}: {effect}"
