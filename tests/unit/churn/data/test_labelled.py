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
