"""A reference has each customer once, with a weight, and those who were acted on beside them."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest

from churn.modeling.model import Model
from churn.modeling.standing import Standing, repeated


class _Halves:
    """Answers a half of what the only feature says."""

    def predict_probability(self, features: pd.DataFrame) -> np.ndarray:
        return features["x"].to_numpy() / 2


MODEL = cast(Model, _Halves())


def reference(often: list[int], file_rows: int) -> pd.DataFrame:
    """Two rows of a file at most, then the traffic with repetitions: x is 0.1 times the place in the traffic."""
    x = np.concatenate([np.full(file_rows, 0.9), np.repeat(0.1 * np.arange(len(often)), often)])
    return pd.DataFrame({"churn_probability": x, "churned": (x > 0.15).astype(int), "served_probability": x, "x": x})


def standing() -> Standing:
    """Traffic of six: the second and the fifth were acted on; the others stand for 1, 3, 2 and 1."""
    weight = np.array([1.0, 0.0, 3.0, 2.0, 0.0, 1.0])
    features = pd.DataFrame({"x": [0.1 * n for n in range(6)]})
    return Standing.of(features, weight, np.ones(6, dtype=bool))


def test_who_stands_for_whom() -> None:
    found = standing()
    assert found.often.tolist() == [1, 3, 2, 1]
    assert found.others["x"].tolist() == pytest.approx([0.1, 0.4])
    assert found.after.tolist() == [1, 3]


def test_of_whom_nothing_may_be_learned_is_no_other() -> None:
    learns = np.array([True, True, True, True, False, False])
    found = Standing.of(pd.DataFrame({"x": np.arange(6.0)}), np.array([1.0, 0, 3, 2, 0, 1]), learns)
    assert (found.often.tolist(), found.others["x"].tolist()) == ([1, 3, 2], [1.0])


def test_each_customer_is_there_once_with_a_weight() -> None:
    found = standing()
    whole = found.complete(reference(found.often.tolist(), 2), int(found.often.sum()), MODEL)
    assert whole["weight"].tolist() == [1, 1, 1, 3, 2, 1, 0, 0]
    assert whole["x"].tolist() == pytest.approx([0.9, 0.9, 0.0, 0.1, 0.2, 0.3, 0.1, 0.4])
    assert whole["churned"].isna().tolist() == [False] * 6 + [True] * 2
    assert whole["churn_probability"].iloc[-2:].tolist() == pytest.approx([0.05, 0.2])
    assert whole["served_probability"].iloc[-2:].tolist() == pytest.approx([0.05, 0.2])
    assert whole.columns.tolist() == ["churn_probability", "churned", "served_probability", "weight", "x"]


def test_a_model_of_the_newest_rows_alone_has_only_those_of_their_time() -> None:
    found = standing()
    rows = reference(found.often.tolist(), 0)
    # Of the last three repetitions two are of the fourth customer, and one of the sixth.
    whole = found.complete(rows.iloc[-3:].reset_index(drop=True), 3, MODEL)
    assert whole["weight"].tolist() == [2, 1, 0]
    assert whole["x"].tolist() == pytest.approx([0.2, 0.3, 0.4])


def test_a_file_alone_keeps_its_rows() -> None:
    whole = Standing.of(pd.DataFrame({"x": []}), np.zeros(0), np.zeros(0, dtype=bool)).complete(reference([], 2), 0, MODEL)
    assert whole["weight"].tolist() == [1, 1]


def test_rows_are_repeated_as_often_as_they_stand_for_others() -> None:
    rows = np.array([3, 1])
    assert repeated(rows, None) is rows
    assert repeated(rows, np.array([0.0, 2.0, 5.0, 1.0])).tolist() == [3, 1, 1]
