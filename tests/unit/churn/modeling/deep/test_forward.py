"""The output of a network, worked out by hand."""

from __future__ import annotations

import numpy as np

from churn.modeling.deep.forward import forward


def test_hidden_layers_cut_off_below_zero_and_the_last_one_does_not() -> None:
    first = [np.array([[1.0, 0.0], [0.0, -1.0]]), np.array([1.0, 0.0])]
    second = [np.array([[1.0, 2.0]]), np.array([-1.0])]
    last = [np.array([[-3.0]]), np.array([0.5])]
    values = np.array([[2.0, -1.0], [-5.0, 4.0]])
    # First row: (3, 1), then 3 + 2 - 1 = 4, then -12 + .5. Second: (0, 0), then -1, cut off at 0.
    assert forward([*first, *second, *last], values).tolist() == [-11.5, 0.5]
    assert forward(last, np.array([[1.0], [-1.0]])).tolist() == [-2.5, 3.5]
