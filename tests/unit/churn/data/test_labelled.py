from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from churn.data.labelled import Labelled, customer_numbers


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["b", "a", "b"], [0, 1, 0]),
        ([None, "a", "a", None], [1, 0, 0, 2]),
        (["a", "b", "c", "c", None], [0, 1, 2, 2, 3]),
        (["a", "b"], None),
        ([None, None], None),
        ([None, "a"], None),
        ([], None),
    ],
)
def test_equal_keys_are_one_customer_and_a_row_without_one_is_another(keys: list[str | None], expected: list[int] | None) -> None:
    found = customer_numbers(pd.Series(keys, dtype=object))
    assert (None if found is None else found.tolist()) == expected
    if found is not None:
        assert found.dtype == np.int64


def test_they_are_as_many_as_their_outcomes() -> None:
    assert len(Labelled(pd.DataFrame(index=range(3)), pd.Series([0, 1, 0]))) == 3


def test_taken_rows_keep_all_that_is_known_of_them() -> None:
    rows = np.array([2, 0, 2])
    known = Labelled(
        pd.DataFrame({"x": [1.0, 2.0, 3.0]}),
        pd.Series([0, 1, 1]),
        pd.DataFrame({"gender": ["f", None, "m"]}),
        np.array([4, 5, 5]),
        np.array([0.1, 0.2, 0.2]),
        pd.Series(pd.to_datetime(["2026-01-01", "2026-01-02", "2026-01-03"])),
    )
    taken = known.take(rows)
    for name in ("features", "outcome", "sensitive", "asked_at"):
        part = getattr(taken, name)
        assert list(part.index) == [0, 1, 2]
        assert part.to_numpy().tolist() == getattr(known, name).to_numpy()[rows].tolist()
    assert taken.customer is not None
    assert taken.fold is not None
    assert (taken.customer.tolist(), taken.fold.tolist()) == ([5, 4, 5], [0.2, 0.1, 0.2])
    bare = Labelled(known.features, known.outcome).take(rows)
    assert (bare.sensitive, bare.customer, bare.fold, bare.asked_at) == (None, None, None, None)
