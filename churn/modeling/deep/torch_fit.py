"""Train the layers of a network with PyTorch, through skorch. The only module that imports either.

He initialisation: He, Zhang, Ren and Sun, "Delving Deep into Rectifiers", ICCV 2015, doi:10.1109/ICCV.2015.123. Lower layers that
stay frozen at first: Yosinski et al., "How transferable are features in deep neural networks?", NIPS 2014.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from skorch import NeuralNetBinaryClassifier
from skorch.callbacks import EarlyStopping, Freezer, GradientNormClipping, Unfreezer
from skorch.dataset import Dataset
from skorch.helper import predefined_split

from churn.errors import InputError
from churn.modeling.deep.forward import forward

Floats = NDArray[np.float64]
# Share of the customers by whom the epoch is chosen at which training ends.
ASIDE = 0.2
# Longer gradients are cut to this: a step may not undo all others.
MAX_GRADIENT = 5.0
# What the arrays answer may differ by from what PyTorch answers.
TOLERANCE = 1e-6


class Parameters(Protocol):
    """How a network is trained: what `churn.modeling.deep.network.DenseNetwork` is given."""

    learning_rate: float
    momentum: float
    weight_decay: float
    batch_size: int
    max_epochs: int
    patience: int
    frozen_epochs: int
    pretrained: list[Floats] | None
    seed: int


def fit_layers(x: Floats, y: NDArray[np.int64], sizes: Sequence[int], network: Parameters) -> list[Floats]:
    """Train a network. The same arguments give the same layers on one machine.

    Parameters
    ----------
    x : array of float64, shape (n, n_inputs)
    y : array of 0 and 1, shape (n,)
    sizes : sequence of int
        Number of inputs, of the units of each hidden layer, and 1.
    network : Parameters

    Returns
    -------
    list of array of float64
        As `DenseNetwork.layers_`.

    Raises
    ------
    InputError
        If the weights grow beyond all bounds.
    """
    with _repeatable(network.seed):
        module, transferred = _start(sizes, network.pretrained)
        learn, aside = _set_aside(y, network.seed)
        callbacks: list[Any] = [
            ("clipping", GradientNormClipping(MAX_GRADIENT)),
            ("stopping", EarlyStopping(patience=network.patience, load_best=True, sink=_silent)),
        ]
        if transferred and network.frozen_epochs:
            lower = _lower(module)
            callbacks += [("freezer", Freezer(lower)), ("unfreezer", Unfreezer(lower, at=network.frozen_epochs + 1))]
        outcome = y.astype(np.float64)
        net = NeuralNetBinaryClassifier(
            module,
            optimizer=torch.optim.SGD,
            optimizer__momentum=network.momentum,
            optimizer__weight_decay=network.weight_decay,
            lr=network.learning_rate,
            batch_size=network.batch_size,
            max_epochs=network.max_epochs,
            iterator_train__shuffle=True,
            train_split=predefined_split(Dataset(x[aside], outcome[aside])),
            callbacks=callbacks,
            callbacks__valid_acc=None,
            callbacks__print_log=None,
            verbose=0,
        ).fit(x[learn], outcome[learn])
        layers = [part.detach().numpy().copy() for part in net.module_.parameters()]
        if not all(np.isfinite(part).all() for part in layers):
            raise InputError("the network's weights grow beyond all bounds: lower network__learning_rate")
        difference = float(np.abs(net.predict_proba(x)[:, 1] - expit(forward(layers, x))).max())
    if not difference <= TOLERANCE:
        raise InputError(f"the network's weights answer {difference:.2g} off what PyTorch answers")
    return layers


@contextmanager
def _repeatable(seed: int) -> Iterator[None]:
    """Draw and add up in one order; what was set before is set again."""
    threads, strict = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(strict)


def _start(sizes: Sequence[int], pretrained: Sequence[Floats] | None) -> tuple[torch.nn.Sequential, bool]:
    """Return the network before training, and whether its first layer is a pretrained one."""
    parts: list[torch.nn.Module] = []
    given = list(pretrained or ())
    transferred = False
    for place, (n_in, n_out) in enumerate(pairwise(sizes)):
        layer = torch.nn.Linear(n_in, n_out, dtype=torch.float64)
        torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        torch.nn.init.zeros_(layer.bias)
        known = given[2 * place : 2 * place + 2]
        if known and known[0].shape == (n_out, n_in):
            with torch.no_grad():
                layer.weight.copy_(torch.from_numpy(known[0]))
                layer.bias.copy_(torch.from_numpy(known[1]))
            transferred = transferred or place == 0
        parts += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1]), transferred


def _lower(module: torch.nn.Sequential) -> list[str]:
    """Return the names of all parameters but those of the last layer."""
    names = [name for name, _ in module.named_parameters()]
    return names[:-2]


def _set_aside(y: NDArray[np.int64], seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which customers are learned from, and which are kept aside: of each class the same share."""
    rng = np.random.default_rng(seed)
    aside = np.zeros(len(y), dtype=np.bool_)
    for outcome in (0, 1):
        rows = rng.permutation(np.flatnonzero(y == outcome))
        # Of a class of one, that one is learned from; nobody is kept aside then.
        aside[rows[: round(ASIDE * len(rows))]] = True
    if not aside.any():
        aside[rng.integers(len(y))] = True
    return np.flatnonzero(~aside), np.flatnonzero(aside)


def _silent(_text: str) -> None:
    """Say nothing."""
