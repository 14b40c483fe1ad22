"""BentoML, as its documentation serves a scikit-learn pipeline: a DataFrame of the request, predict_proba, no batching window."""

import os
from typing import Any

import bentoml
import joblib
import pandas as pd


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Churn:
    """Answers one customer a request."""

    def __init__(self) -> None:
        self.pipeline = joblib.load(os.environ["BENCHMARK_PIPELINE"])
        self.columns = list(self.pipeline.feature_names_in_)

    @bentoml.api
    def predict(self, customer: dict[str, Any]) -> float:
        """Give the probability of churn."""
        return float(self.pipeline.predict_proba(pd.DataFrame([customer], columns=self.columns))[0, 1])
