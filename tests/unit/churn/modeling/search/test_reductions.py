"""What a training says that it left out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from churn.modeling.boosted import screening
from churn.modeling.model import build_pipeline
from churn.modeling.search.reductions import describe_reductions


def fitted(inputs: int) -> Pipeline:
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(60, inputs))).rename(columns=str)
    pipeline = build_pipeline(1, form="terms").set_params(features__trees=0, features__strictness=0, features__knots=0)
    return pipeline.fit(frame, np.arange(60) % 2)


def test_of_few_customers_and_columns_nothing_is_left_out() -> None:
    assert describe_reductions(fitted(19), 2_500, 19, 5) == ()
    assert describe_reductions(fitted(3), 20_000, 40, 5) == ()


def test_many_customers_are_sampled_and_of_many_columns_fewer() -> None:
    assert describe_reductions(fitted(3), 20_001, 20, 5) == (
        "sums of boosted trees are compared on 20,000 customers",
        "no mean of several candidates is tried",
    )
    assert describe_reductions(fitted(3), 15_000, 300, 5)[-1] == "no mean of several candidates is tried", "a sample is searched"
    scored, weights, folds, *_ = describe_reductions(fitted(3), 75_000, 200, 5)
    assert scored == "candidates are scored on 20,000 of 75,000 customers, drawn at random"
    assert folds == "candidates are compared on 2 of 5 folds"
    assert weights == "weights are fitted on 40,000 of 75,000 customers, drawn at random"


def test_inputs_that_trees_do_not_read_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screening, "MIN_INPUTS", 4)
    said = "rules read the 10 inputs of 11 that tell most by themselves; all else reads all"
    assert describe_reductions(fitted(11), 100_000, 11, 5)[-1] != said
    monkeypatch.setattr(screening, "MAX_CELLS", 200_000)
    assert describe_reductions(fitted(11), 20_000, 11, 5) == (said,)
    assert describe_reductions(fitted(10), 20_000, 10, 5) == ()


def test_a_pipeline_without_terms_has_no_trees() -> None:
    frame = pd.DataFrame(np.random.default_rng(1).normal(size=(60, 3)), columns=list("abc"))
    plain = build_pipeline(1).fit(frame, np.arange(60) % 2)
    assert describe_reductions(plain, 30_000, 3, 5) == ()
    assert len(describe_reductions(plain, 300_000, 3, 5)) == 2
