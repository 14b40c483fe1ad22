from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.pipeline import Pipeline

from churn.contract import load_contract
from churn.inference.compiled import CompiledModel
from churn.inference.compiler import compile_pipeline
from churn.inference.kinds import compile_model, probabilities, read_document
from churn.inference.network import CompiledNetwork
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate
from tests.checkout import CHECKOUT
from tests.unit.churn.inference.test_compiled import asked, columns_of, rows_of
from tests.unit.churn.networks import hand_made

CONTRACT = load_contract()
COLUMNS = CONTRACT.feature_names


@pytest.fixture(scope="module")
def pipeline() -> Pipeline:
    return hand_made(CONTRACT)


@pytest.fixture(scope="module")
def network(pipeline: Pipeline) -> CompiledNetwork:
    found = compile_model(pipeline, COLUMNS, CONTRACT)
    assert isinstance(found, CompiledNetwork)
    return found


def test_it_answers_what_the_pipeline_answers(pipeline: Pipeline, network: CompiledNetwork) -> None:
    frame = asked(1_000)
    own = pipeline.predict_proba(frame[COLUMNS])[:, 1]
    assert own.std() > 0.02
    many = probabilities(network, columns_of(frame))
    assert np.abs(many - own).max() < 1e-12
    one = [network.probability(row) for row in rows_of(frame.iloc[:200], network.columns)]
    assert np.abs(one - own[:200]).max() < 1e-12


def test_an_answer_is_the_same_bits_alone_and_among_others(network: CompiledNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = asked(60)
    many = network.logits(columns_of(frame))
    assert [network.logit(row) for row in rows_of(frame, network.columns)] == many.tolist()
    monkeypatch.setattr("churn.inference.network.BLOCK", 7)
    assert network.logits(columns_of(frame)).tolist() == many.tolist()


def test_it_is_the_same_after_a_document(network: CompiledNetwork) -> None:
    read = read_document(json.loads(json.dumps(network.to_document())))
    assert isinstance(read, CompiledNetwork)
    columns = columns_of(asked(100))
    assert read.logits(columns).tolist() == network.logits(columns).tolist()
    assert (read.columns, read.typical, read.relations) == (network.columns, network.typical, network.relations)


def test_a_level_that_nobody_had_makes_no_difference() -> None:
    pipeline = hand_made(CONTRACT, rows=300)  # of each state less than 20
    network = compile_model(pipeline, COLUMNS, CONTRACT)
    assert network is not None
    typical: list[Any] = [network.typical[name] for name in network.columns]
    place = network.columns.index("state")
    assert {network.logit([*typical[:place], state, *typical[place + 1 :]]) for state in ("OH", "WV", None)} == {
        network.logit(typical)
    }


def test_beyond_the_usual_range_a_number_counts_as_its_end(network: CompiledNetwork) -> None:
    typical: list[Any] = [network.typical[name] for name in network.columns]
    place = network.columns.index("total_day_calls")
    far = [network.logit([*typical[:place], value, *typical[place + 1 :]]) for value in (1e4, 1e300)]
    assert far[0] == far[1] != network.logit(typical)


def test_a_sum_of_terms_stays_one_and_a_network_is_none(pipeline: Pipeline) -> None:
    data = simulate(CONTRACT, 300, seed=3)
    plain = build_pipeline(3).fit(data.features[CONTRACT.numeric_features], data.outcome)
    found = compile_model(plain, CONTRACT.numeric_features, CONTRACT)
    assert isinstance(found, CompiledModel)
    read = read_document(found.to_document())
    assert isinstance(read, CompiledModel)
    columns = columns_of(asked(20))
    assert probabilities(found, columns).tolist() == probabilities(read, columns).tolist()
    # So `churn model sql` refuses it, and `churn model diff` says that it has no terms to compare.
    assert compile_pipeline(pipeline, COLUMNS, CONTRACT) is None


def test_layers_that_do_not_fit_are_refused(network: CompiledNetwork) -> None:
    (first, second, third) = network.layers
    for layers in ((), (second, third), (first, third), (first, second), ((first[0], first[1][1:]), second, third)):
        with pytest.raises(ValueError, match="network"):
            replace(network, layers=layers)


def test_to_answer_neither_pytorch_nor_sklearn_is_loaded_and_without_a_network_none_of_its_code(network: CompiledNetwork) -> None:
    program = """
import json, sys
from churn.inference.kinds import read_document
assert "churn.inference.network" not in sys.modules
model = read_document(json.loads(sys.stdin.read()))
model.logit([model.typical[name] for name in model.columns])
print({"torch", "skorch", "sklearn", "pandas", "scipy"} & {name.partition(".")[0] for name in sys.modules})
"""
    asked_for = json.dumps(network.to_document())
    done = subprocess.run(
        [sys.executable, "-c", program], input=asked_for, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout == "set()\n", done.stderr
