from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from churn.clock import now
from churn.contract import Column, Contract, Target
from churn.errors import InputError
from churn.modeling.model import Model, ModelInfo, build_pipeline, columns_read


def fitted(columns: list[str]) -> tuple[Model, pd.DataFrame]:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=80), "b": rng.normal(size=80), "name": "x"})
    pipeline = build_pipeline(1).fit(frame[columns], (frame["a"] + rng.normal(size=80) > 0).astype(int))
    info = ModelInfo(
        name="m",
        trained_at=now(),
        data_digest="d",
        data_source="s",
        rows=80,
        contract="c",
        contract_digest="c",
        features=columns,
        threshold=0.5,
    )
    return Model(pipeline, info), frame


def test_the_steps_are_the_recipe_s() -> None:
    steps = build_pipeline(3).named_steps
    assert {name: type(step) for name, step in steps.items()} == {
        "imputer": SimpleImputer,
        "scaler": StandardScaler,
        "logreg": LogisticRegression,
    }
    assert steps["logreg"].random_state == 3


def test_the_probability_is_the_pipeline_s_own_for_churn() -> None:
    model, frame = fitted(["a", "b"])
    assert np.array_equal(model.predict_probability(frame), model.pipeline.predict_proba(frame[["a", "b"]])[:, 1])
    assert np.corrcoef(model.predict_probability(frame), frame["a"])[0, 1] > 0.5


def test_the_order_of_columns_and_other_columns_do_not_matter() -> None:
    model, frame = fitted(["b", "a"])
    assert np.array_equal(model.predict_probability(frame[["name", "a", "b"]]), model.predict_probability(frame[["b", "a"]]))


def test_a_missing_value_is_answered_like_the_median() -> None:
    model, frame = fitted(["a", "b"])
    missing = pd.DataFrame({"a": [np.nan], "b": [0.3]})
    median = pd.DataFrame({"a": [frame["a"].median()], "b": [0.3]})
    assert model.predict_probability(missing)[0] == pytest.approx(model.predict_probability(median)[0], abs=1e-15)


def test_what_is_known_of_a_model_survives_json() -> None:
    info = fitted(["a"])[0].info
    assert ModelInfo.model_validate_json(info.model_dump_json()) == info


def test_fields_of_a_later_release_are_left_aside() -> None:
    info = fitted(["a"])[0].info
    assert ModelInfo.model_validate({**info.model_dump(), "invented_later": 1}) == info


def test_the_plain_form_reads_the_numeric_features_and_others_read_all(contract: Contract) -> None:
    assert columns_read("plain", contract) == contract.numeric_features
    assert columns_read("terms", contract) == columns_read("deep", contract) == contract.feature_names
    assert 0 < len(contract.numeric_features) < len(contract.feature_names)


def test_it_is_judged_as_it_was_before_it_learned_from_those_who_judge() -> None:
    model, frame = fitted(["a", "b"])
    assert model.judged is model
    before = build_pipeline(1).fit(frame[["a", "b"]].head(40), (frame["b"].head(40) > 0).astype(int))
    served = replace(model, info=model.info.model_copy(update={"version": "4", "refitted_on": 90}), evaluated=before)
    assert np.array_equal(served.judged.predict_probability(frame), before.predict_proba(frame[["a", "b"]])[:, 1])
    assert served.judged.judged == served.judged
    assert served.judged.info == served.info.model_copy(update={"refitted_on": 0})
    with pytest.raises(ValueError, match="version 4 learned from the reserved customers"):
        _ = replace(served, evaluated=None).judged


def test_the_plain_form_says_that_it_reads_numbers() -> None:
    target = Target(column="left", source="left", true_level="yes", false_level="no")
    contract = Contract(
        name="words", target=target, columns=(Column(name="plan", source="plan", kind="category", levels=("a", "b")),)
    )
    assert columns_read("terms", contract) == ["plan"]
    with pytest.raises(InputError, match="plain reads numbers and flags, and contract words has none; use terms"):
        columns_read("plain", contract)
