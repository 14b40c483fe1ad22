"""The customers of a frame, as a compiled model reads them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from churn.explain.frames import attribute_rows, column_values

FRAME = pd.DataFrame({"minutes": [1.5, np.nan, 3.0], "state": np.array(["OH", None, "TX"], dtype=object)})


class Counting:
    """Attributes to each column how long its value is, as text; notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def attribute(self, values: tuple[Any, ...]) -> Any:
        self.asked.append(values)
        return SimpleNamespace(contributions=[float(len(str(value))) for value in values])


def test_a_missing_value_is_none_whatever_the_column_s_kind() -> None:
    assert column_values(FRAME) == [[1.5, None, 3.0], ["OH", None, "TX"]]


def test_each_customer_is_attributed_once_and_in_order() -> None:
    attributor: Any = Counting()
    found = attribute_rows(attributor, FRAME)
    assert attributor.asked == [(1.5, "OH"), (None, None), (3.0, "TX")]
    assert found.tolist() == [[3.0, 2.0], [4.0, 4.0], [3.0, 2.0]]


def test_no_customers_have_attributions_of_the_right_shape() -> None:
    attributor: Any = Counting()
    assert attribute_rows(attributor, FRAME.iloc[:0]).shape == (0, 2)
