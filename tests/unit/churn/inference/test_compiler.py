"""Which pipelines are compiled, term by term, and which are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.inference.vectorized import probabilities
from churn.modeling.boosted.trees import leaf_rules
from tests.unit.churn.inference.test_compiled import CONTRACT, NOTHING, asked, columns_of, compiled, fitted, rows_of


@pytest.mark.parametrize("form", ["terms", "gaps", "boosted", "mean", "plain"])
def test_it_answers_what_the_pipeline_answers(form: str) -> None:
    pipeline = fitted(form)
    columns = CONTRACT.numeric_features if form == "plain" else CONTRACT.feature_names
    model, frame = compiled(pipeline, columns), asked()
    own = pipeline.predict_proba(frame[columns])[:, 1]
    many = probabilities(model, columns_of(frame))
    one = np.array([model.probability(row) for row in rows_of(frame, model.columns)])
    assert np.abs(many - own).max() < 1e-12
    assert np.abs(one - own).max() < 1e-12


def test_that_a_value_is_missing_is_a_term_where_it_tells_something() -> None:
    pipeline = fitted("gaps")
    described = set(pipeline["features"].get_feature_names_out())
    assert "customer_service_calls is missing" in described
    assert any("area_code = (missing)" in text for text in described)
    frame = asked(60).dropna()
    for name in ("customer_service_calls", "area_code"):
        told = pipeline.predict_proba(frame.assign(**{name: NOTHING}).astype({"customer_service_calls": float}))[:, 1]
        assert (told > pipeline.predict_proba(frame)[:, 1]).mean() > 0.9
    assert not any("missing" in text for text in fitted("terms")["features"].get_feature_names_out())


def test_each_leaf_of_a_boosted_tree_is_a_rule_of_its_own() -> None:
    pipeline = fitted("boosted")
    features, model = pipeline["features"], compiled(pipeline, CONTRACT.feature_names)
    leaves = leaf_rules(features.nodes_)
    assert len(model.rules) == len(features.terms.rules) + len(leaves)
    weight = pipeline["logreg"].coef_[0, -1] / pipeline["scaler"].scale_[-1]
    assert [rule.weight for rule in model.rules[-len(leaves) :]] == pytest.approx([weight * value for _, value in leaves])
    assert CompiledModel.from_document(json.loads(json.dumps(model.to_document()))) == model


class Doubled(LogisticRegression):  # type: ignore[misc]
    def predict_proba(self, x: Any) -> Any:
        return super().predict_proba(x) ** 2


def _own_scaler(pipeline: Pipeline) -> None:
    pipeline.steps[-2] = ("scaler", MinMaxScaler().fit(np.zeros((2, len(pipeline["logreg"].coef_[0])))))


def _own_regression(pipeline: Pipeline) -> None:
    pipeline["logreg"].__class__ = Doubled


def _indicators(pipeline: Pipeline) -> None:
    pipeline["imputer"].add_indicator = True


def _other_gaps(pipeline: Pipeline) -> None:
    pipeline["imputer"].missing_values = -1


def _other_classes(pipeline: Pipeline) -> None:
    pipeline["logreg"].classes_ = np.array([1, 2])


def _renamed(pipeline: Pipeline) -> None:
    pipeline.steps[0] = ("cleaner", pipeline.steps[0][1])


@pytest.mark.parametrize("change", [_own_scaler, _own_regression, _indicators, _other_gaps, _other_classes, _renamed])
def test_what_is_not_known_is_not_compiled(change: Callable[[Pipeline], None]) -> None:
    pipeline = fitted("plain", 300)
    change(pipeline)
    assert compile_pipeline(pipeline, CONTRACT.numeric_features, CONTRACT) is None


def test_a_pipeline_of_foreign_columns_is_not_compiled() -> None:
    pipeline = Pipeline([("imputer", SimpleImputer()), ("scaler", StandardScaler()), ("logreg", LogisticRegression())])
    pipeline.fit(np.arange(8.0).reshape(4, 2), [0, 1, 0, 1])
    assert compile_pipeline(pipeline, ["shoe_size", "total_day_minutes"], CONTRACT) is None
    assert compile_pipeline(pipeline, ["state", "total_day_minutes"], CONTRACT) is None


def test_steps_that_leave_values_alone_are_folded_too() -> None:
    pipeline = Pipeline(
        [
            ("imputer", SimpleImputer(strategy="constant", fill_value=5.0)),
            ("scaler", StandardScaler(with_mean=False, with_std=False)),
            ("logreg", LogisticRegression()),
        ]
    )
    names = ["total_day_minutes", "customer_service_calls"]
    frame = pd.DataFrame({names[0]: [1.0, np.nan, 30.0, 40.0], names[1]: [1.0, 2.0, np.nan, 4.0]})
    pipeline.fit(frame, [0, 0, 1, 1])
    columns = {name: frame[name].to_numpy() for name in names}
    assert np.allclose(probabilities(compiled(pipeline, names), columns), pipeline.predict_proba(frame)[:, 1], atol=1e-14)
