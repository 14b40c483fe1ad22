"""Which networks are compiled, and which are not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from churn.inference.kinds import compile_model
from churn.modeling.deep.network import DenseNetwork
from tests.unit.churn.inference.test_network import COLUMNS, CONTRACT
from tests.unit.churn.networks import hand_made


@pytest.mark.parametrize("harm", ["scaler", "network", "order", "columns", "classes", "text"])
def test_what_it_does_not_know_is_not_compiled(harm: str) -> None:
    class Other(DenseNetwork):
        pass

    pipeline, columns = hand_made(CONTRACT, rows=100), COLUMNS
    if harm == "scaler":
        pipeline.steps[2] = ("scaler", MinMaxScaler())
    elif harm == "network":
        other = Other()
        vars(other).update(vars(pipeline[-1]))
        pipeline.steps[-1] = ("network", other)
    elif harm == "order":
        columns = COLUMNS[::-1]
    elif harm == "columns":
        columns = ["unheard_of", *COLUMNS[1:]]
    elif harm == "classes":
        pipeline[-1].classes_ = np.array([1, 2])
    else:
        pipeline[1].add_indicator = True
    assert compile_model(pipeline, columns, CONTRACT) is None
