from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import churn.data.many_rows as module
from churn.data.many_rows import draw_rows, predict_in_blocks


def test_a_sample_has_each_row_once_in_order_and_follows_the_seed() -> None:
    rows = np.arange(100, 1_100)
    drawn = draw_rows(rows, 250, seed=3)
    assert len(drawn) == 250
    assert (np.diff(drawn) > 0).all()
    assert np.isin(drawn, rows).all()
    assert np.array_equal(drawn, draw_rows(rows, 250, seed=3))
    assert not np.array_equal(drawn, draw_rows(rows, 250, seed=4))
    assert abs(drawn.mean() - rows.mean()) < 60, "of all of them, not of the first"


def test_no_more_than_wanted_are_left_as_they_are() -> None:
    rows = np.array([5, 3, 9])
    assert draw_rows(rows, 3, seed=1) is rows


@pytest.mark.parametrize("customers", [0, 1, 4, 5, 8, 9])
def test_blocks_say_of_each_customer_what_is_said_at_once(customers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK", 4)
    asked = []

    def predict_proba(x: pd.DataFrame) -> np.ndarray:
        asked.append(len(x))
        return np.column_stack([1 - x["a"], x["a"]])

    frame = pd.DataFrame({"a": np.linspace(0, 1, customers)})
    found = predict_in_blocks(SimpleNamespace(predict_proba=predict_proba), frame)
    assert found.tolist() == frame["a"].tolist()
    assert found.dtype == np.float64
    assert max(asked) <= 4
