"""The model: its pipeline, what is known of it, and the one way to ask it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler


class ModelInfo(BaseModel):
    """What is known of one trained model. Stored beside its artifact, answered by GET /model."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    version: str = ""
    run_id: str = ""
    trained_at: datetime
    trigger: str = Field("manual", description="Why it was trained.")
    data_digest: str
    data_source: str
    simulated: bool = Field(False, description="Whether it was trained on invented customers.")
    rows: int = Field(ge=0, description="Customers it was trained on.")
    contract: str
    contract_digest: str
    features: list[str] = Field(description="What it reads, in order.")
    threshold: float = Field(ge=0, le=1, description="A churn probability at or above it is answered as churn.")
    metrics: dict[str, float] = Field(default_factory=dict, description="On the holdout.")
    params: dict[str, Any] = Field(default_factory=dict)
    git_commit: str = ""


@dataclass(frozen=True)
class Model:
    """A fitted pipeline and what is known of it."""

    pipeline: Pipeline
    info: ModelInfo

    def predict_probability(self, features: pd.DataFrame) -> np.ndarray:
        """Give the probability of churn.

        Parameters
        ----------
        features : pandas.DataFrame, shape (n, at least the model's features)
            As in `churn.frame`; other columns are left aside.

        Returns
        -------
        numpy.ndarray of float64, shape (n,)
            In [0, 1].
        """
        return np.asarray(self.pipeline.predict_proba(features[self.info.features])[:, 1], dtype=np.float64)


def build_pipeline(seed: int) -> Pipeline:
    """Make the unfitted pipeline: impute the median, scale to unit variance, fit a logistic regression."""
    return Pipeline(
        [
            ("imputer", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scaler", StandardScaler()),
            ("logreg", LogisticRegression(max_iter=1_000, random_state=seed)),
        ]
    )
