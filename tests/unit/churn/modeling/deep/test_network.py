"""The network as an estimator, where PyTorch is not there."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from churn.contract import Contract
from churn.data.many_rows import restore_churn_rate
from churn.errors import InputError
from churn.modeling.deep import network as module
from churn.modeling.deep.network import DenseNetwork
from churn.modeling.model import Model
from churn.registry.artifact import INFO_FILE, PIPELINE_FILE, load_folder
from churn.registry.serialization import dump_pipeline
from churn.simulation.simulate import simulate
from tests.unit.churn.networks import hand_made
from tests.unit.service.fakes import make_info


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("torch", "skorch"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(module, "find_spec", lambda _name: None)


@pytest.mark.usefixtures("no_torch")
def test_without_pytorch_nothing_is_fitted_and_one_line_says_what_to_install() -> None:
    with pytest.raises(InputError, match=r"torch is not here; in the checkout: pip install --editable '.\[deep\]'"):
        DenseNetwork().fit(np.zeros((4, 1)), [0, 1, 0, 1])


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: name == "torch" or None)
    with pytest.raises(InputError, match="and skorch is not here"):
        module.check_installed()


@pytest.mark.usefixtures("no_torch")
def test_what_is_registered_is_loaded_by_trusted_types_and_answers_without_pytorch(contract: Contract, tmp_path: Path) -> None:
    pipeline = hand_made(contract, rows=300)
    pipeline.set_params(network__pretrained=[part + 1 for part in pipeline[-1].layers_])
    (tmp_path / PIPELINE_FILE).write_bytes(dump_pipeline(pipeline))
    (tmp_path / INFO_FILE).write_text(make_info("1", contract.feature_names).model_dump_json())
    model: Model = load_folder(tmp_path, "1")
    frame = simulate(contract, 50, 9).features
    assert model.pipeline.predict_proba(frame).tolist() == pipeline.predict_proba(frame).tolist()
    assert dump_pipeline(model.pipeline) == dump_pipeline(pipeline)


def test_the_likelier_class_is_the_answer(contract: Contract) -> None:
    pipeline = hand_made(contract, rows=300)
    frame = simulate(contract, 50, 9).features
    both = pipeline.predict_proba(frame)
    assert np.abs(both.sum(axis=1) - 1).max() < 1e-12
    assert both[:, 1].std() > 0
    assert (pipeline.predict(frame) == (both[:, 1] > 0.5)).all()


def test_it_is_cloned_with_what_it_starts_from() -> None:
    start = [np.ones((2, 3)), np.zeros(2), np.ones((1, 2)), np.zeros(1)]
    copy = clone(DenseNetwork(width=2, depth=1, pretrained=start))
    assert [part.tolist() for part in copy.pretrained] == [part.tolist() for part in start]
    assert copy.pretrained[0] is not start[0]


def test_its_log_odds_are_shifted_as_those_of_a_logistic_regression_are() -> None:
    """So a network of a sample by class gets the churn rate of all."""
    network = DenseNetwork()
    network.layers_ = [np.array([[1.0, -1.0]]), np.array([0.5]), np.array([[2.0]]), np.array([1.0])]
    x = np.array([[3.0, 1.0], [0.0, 9.0]])
    restore_churn_rate(Pipeline([("network", network)]), np.array([0, 1]), np.array([0, 0, 0, 1]))
    np.testing.assert_allclose(network.decision_function(x), np.array([6.0, 1.0]) - np.log(3))
