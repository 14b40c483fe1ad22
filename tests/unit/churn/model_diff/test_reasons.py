"""The mean contribution of each column, over a sample where there are many customers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.inference.compiled import CompiledModel
from churn.inference.terms import Ramp
from churn.model_diff import reasons as module
from churn.model_diff.reasons import Reasons

# The log-odds are the first column, less twice the second; typically both are 1.
MODEL = CompiledModel(
    columns=("a", "b"), numbers=("a", "b"), sums={}, levels={}, relations={}, typical={"a": 1.0, "b": 1.0}, category_levels={},
    ramps=(Ramp(0, -1e9, 1e9, 1.0, 1.0), Ramp(1, -1e9, 1e9, -2.0, 1.0)), rules=(), intercept=0.0,
)  # fmt: skip
CUSTOMERS = pd.DataFrame({"b": [1.0, 2.0, 0.0, 1.0], "other": [9.0] * 4, "a": [1.0, 3.0, -2.0, 1.0]})


def test_contributions_are_against_the_typical_customer_in_the_models_order() -> None:
    reasons = Reasons(MODEL)
    assert reasons.columns == ("a", "b")
    assert reasons.of(CUSTOMERS).tolist() == [[0, 0], [2, -2], [-3, 2], [0, 0]]
    assert reasons.weight_of_columns(CUSTOMERS, 1) == {"a": 5 / 4, "b": 1.0}


@pytest.mark.parametrize(("largest", "sampled"), [(4, False), (3, True)])
def test_of_many_customers_a_sample_is_taken_in_their_order(monkeypatch: pytest.MonkeyPatch, largest: int, sampled: bool) -> None:
    monkeypatch.setattr(module, "MAX_ROWS", largest)
    taken: list[list[float]] = []

    def of(_reasons: Reasons, customers: pd.DataFrame) -> np.ndarray:
        taken.append(customers["a"].tolist())
        return np.zeros((len(customers), 2))

    monkeypatch.setattr(Reasons, "of", of)
    many = pd.DataFrame({"a": np.arange(4.0), "b": np.zeros(4)})
    for seed in (1, 1, *range(20)):
        Reasons(MODEL).weight_of_columns(many, seed)
    assert {len(one) for one in taken} == {largest}
    assert all(one == sorted(set(one)) for one in taken), "nobody twice"
    assert taken[0] == taken[1]
    assert (len({tuple(one) for one in taken}) > 1) is sampled
