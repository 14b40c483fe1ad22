from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from churn.contract import load_contract
from churn.errors import ModelRefused
from churn.model import Model
from service.verification import verified
from tests.unit.service.fakes import make_model

CONTRACT = load_contract()


class Odd(ClassifierMixin, BaseEstimator):
    """A classifier that answers `value` for class 1."""

    def __init__(self, value: float = 0.5, classes: tuple[int, ...] = (0, 1)) -> None:
        self.value = value
        self.classes = classes
        self.classes_ = np.array(classes)

    def fit(self, rows: Any, outcome: Any) -> Odd:
        return self

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict_proba(self, rows: Any) -> np.ndarray:
        return np.tile([1 - self.value, self.value], (len(rows), 1))


def odd_model(**what: Any) -> Model:
    return replace(make_model(), pipeline=Pipeline([("odd", Odd(**what))]))


def test_good_model_is_made_ready_to_serve() -> None:
    model = make_model("5")
    served = verified(model, CONTRACT, "registry")
    assert served.model is model
    assert (served.version, served.loaded_from) == ("5", "registry")
    assert verified(odd_model(), CONTRACT, "disk").explainer is None


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"value": float("nan")}, "no probability"),
        ({"value": 1.5}, "no probability"),
        ({"classes": (1, 0)}, "classes 0 and 1"),
        ({"classes": (0, 1, 2)}, "classes 0 and 1"),
    ],
)
def test_model_that_answers_nonsense_is_refused(what: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelRefused, match=words):
        verified(odd_model(**what), CONTRACT, "registry")


def test_model_that_reads_what_the_contract_does_not_have_is_refused() -> None:
    with pytest.raises(ModelRefused, match=r"does not have: .*shoe_size"):
        verified(make_model(features=["total_day_minutes", "shoe_size"]), CONTRACT, "registry")


def test_model_that_cannot_take_the_text_of_a_category_is_refused() -> None:
    with pytest.raises(ModelRefused, match="cannot answer"):
        verified(make_model(features=["total_day_minutes", "state"]), CONTRACT, "registry")


def test_unfitted_pipeline_is_refused() -> None:
    unfitted = Pipeline([("imputer", SimpleImputer()), ("logreg", LogisticRegression())])
    with pytest.raises(ModelRefused, match="cannot answer"):
        verified(replace(make_model(), pipeline=unfitted), CONTRACT, "registry")


def test_pipeline_that_cannot_take_missing_values_is_refused() -> None:
    frame = pd.DataFrame({"total_day_minutes": [1.0, 2.0, 3.0, 4.0]})
    bare = Pipeline([("logreg", LogisticRegression())]).fit(frame, [0, 1, 0, 1])
    model = make_model(features=["total_day_minutes"])
    with pytest.raises(ModelRefused, match="cannot answer"):
        verified(replace(model, pipeline=bare), CONTRACT, "registry")


def test_serving_path_that_differs_from_the_pipeline_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(self: Model, features: pd.DataFrame) -> np.ndarray:
        return self.pipeline.predict_proba(features[self.info.features])[:, 1] * (1 - 1e-7)

    monkeypatch.setattr(Model, "predict_probability", off)
    with pytest.raises(ModelRefused, match="off its own pipeline"):
        verified(make_model(), CONTRACT, "registry")
