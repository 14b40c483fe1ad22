"""Training by PyTorch. Each test says how to get it where it is not there."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from churn.config.params import ModelParams, Params, TuningParams
from churn.contract import Contract
from churn.errors import InputError
from churn.modeling.deep import network as module
from churn.modeling.deep.network import DenseNetwork
from churn.modeling.training import train
from churn.modeling.training_set import assemble
from churn.registry.serialization import dump_pipeline
from churn.simulation.pretraining import pretraining_customers
from churn.simulation.simulate import simulate

torch = pytest.importorskip("torch", reason="needs the extra `deep`: pip install --editable '.[deep]'")
pytest.importorskip("skorch", reason="needs the extra `deep`: pip install --editable '.[deep]'")

RNG = np.random.default_rng(1)
X = RNG.normal(size=(600, 3))
# No line separates these.
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def fitted(**named: Any) -> DenseNetwork:
    x, y = named.pop("x", X), named.pop("y", Y)
    return DenseNetwork(**{"width": 16, "seed": 3, **named}).fit(x, y)


def test_it_learns_what_no_line_separates() -> None:
    network = fitted()
    assert [part.shape for part in network.layers_] == [(16, 3), (16,), (8, 16), (8,), (1, 8), (1,)]
    assert np.mean(network.predict(X) == Y) > 0.9
    assert not any("torch" in type(value).__module__ for value in vars(network).values())


def test_the_same_seed_gives_the_same_weights_and_another_others() -> None:
    before = torch.random.get_rng_state()
    first, again, other = (fitted(max_epochs=3, seed=seed).layers_ for seed in (3, 3, 4))
    assert all((one == same).all() for one, same in zip(first, again, strict=True))
    assert not (first[0] == other[0]).all()
    # Nothing of this is left behind for others in the process.
    assert (torch.random.get_rng_state() == before).all()
    assert not torch.are_deterministic_algorithms_enabled()


def test_lower_layers_are_frozen_at_first_and_then_learn_too() -> None:
    start = fitted(max_epochs=5).layers_
    y = 1 - Y
    frozen = fitted(y=y, pretrained=start, frozen_epochs=4, max_epochs=4).layers_
    assert all((frozen[at] == start[at]).all() for at in range(4))
    assert not (frozen[4] == start[4]).all()
    free = fitted(y=y, pretrained=start, frozen_epochs=1, max_epochs=4).layers_
    assert not (free[0] == start[0]).all()


def test_layers_of_another_shape_start_at_random() -> None:
    start = fitted(max_epochs=2).layers_
    wider = fitted(pretrained=start, width=32, max_epochs=1).layers_
    assert wider[0].shape == (32, 3)
    # Nothing was transferred to the first layer, so nothing is frozen.
    assert all((one == same).all() for one, same in zip(wider, fitted(width=32, max_epochs=1).layers_, strict=True))


def test_it_ends_when_those_kept_aside_get_no_better() -> None:
    noise = RNG.integers(0, 2, len(X))
    early = fitted(y=noise, patience=3, max_epochs=500)
    late = fitted(y=noise, patience=500, max_epochs=150)
    # What stays is the best epoch of each, and that comes early.
    assert np.abs(early.decision_function(X)).mean() < 0.5
    assert np.abs(late.decision_function(X)).mean() < 0.5


@pytest.mark.parametrize("y", [np.ones(8), np.zeros(8)])
def test_one_class_is_refused(y: Any) -> None:
    with pytest.raises(InputError, match="customers who left and customers who stayed"):
        DenseNetwork().fit(np.zeros((8, 2)), y)


def test_weights_without_bounds_are_refused() -> None:
    with pytest.raises(InputError, match="lower network__learning_rate"):
        fitted(learning_rate=1e200, max_epochs=5)


def test_arrays_that_answer_otherwise_than_pytorch_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    right = module.forward
    monkeypatch.setattr("churn.modeling.deep.torch_fit.forward", lambda layers, x: right(layers, x) + 1e-5)
    with pytest.raises(InputError, match="off what PyTorch answers"):
        fitted(max_epochs=1)


@pytest.mark.parametrize("rows", [2, 5, 40])
def test_a_handful_of_customers_is_enough(rows: int) -> None:
    y = np.arange(rows) % 2
    network = fitted(x=X[:rows], y=y, max_epochs=2)
    assert np.isfinite(network.predict_proba(X)).all()


def test_training_starts_from_simulated_customers_and_is_repeatable(contract: Contract) -> None:
    model = ModelParams(form="deep", pretraining_rows=400)
    params = Params(model=model, tuning=TuningParams(folds=2, grid={"network__max_epochs": [2]}))
    data = simulate(contract, 400, 5)
    others = pretraining_customers(contract, params)
    assert others is not None
    parts = assemble(data, None, contract, params)
    first, again = (train(parts, contract, params, name="churn", trigger="t", pretraining=others) for _ in range(2))
    assert dump_pipeline(first.model.pipeline) == dump_pipeline(again.model.pipeline)
    assert (first.model.info.form, first.model.info.pretrained_on) == ("deep", 400)
    scratch = train(parts, contract, params, name="churn", trigger="t")
    assert scratch.model.info.pretrained_on == 0
    assert dump_pipeline(scratch.model.pipeline) != dump_pipeline(first.model.pipeline)
