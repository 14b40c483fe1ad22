"""Which kind of compiled model a pipeline or a document is."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from sklearn.preprocessing import MinMaxScaler

from churn.inference.compiled import CompiledModel
from churn.inference.kinds import compile_model, probabilities, read_document
from churn.inference.network import CompiledNetwork
from churn.simulation.simulate import simulate
from tests.unit.churn.inference.test_compiled import columns_of
from tests.unit.churn.inference.test_network import COLUMNS, CONTRACT
from tests.unit.churn.networks import hand_made
from tests.unit.service.fakes import make_model


def compiled(kind: str) -> Any:
    if kind == "network":
        return compile_model(hand_made(CONTRACT, rows=100), COLUMNS, CONTRACT)
    model = make_model()
    return compile_model(model.pipeline, model.info.features, CONTRACT)


@pytest.mark.parametrize(("kind", "expected"), [("sum", CompiledModel), ("network", CompiledNetwork)])
def test_a_document_is_read_as_the_kind_that_wrote_it_and_answers_the_same(kind: str, expected: type) -> None:
    model = compiled(kind)
    again = read_document(model.to_document())
    assert type(model) is type(again) is expected
    columns = columns_of(simulate(CONTRACT, 20, 1).features)
    np.testing.assert_array_equal(probabilities(model, columns), probabilities(again, columns))


def test_what_is_neither_kind_is_not_compiled() -> None:
    model = make_model()
    foreign = deepcopy(model.pipeline)  # other tests are given the same one
    foreign.steps[1] = ("scaler", MinMaxScaler())
    assert compile_model(foreign, model.info.features, CONTRACT) is None
