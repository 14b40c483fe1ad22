"""The network as a scikit-learn estimator: fitted by PyTorch, kept and evaluated as plain arrays of NumPy."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from churn.errors import InputError
from churn.modeling.deep.forward import forward

Floats = NDArray[np.float64]
NEEDED = ("torch", "skorch")


class DenseNetwork(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A network of dense layers with rectified linear units, whose last layer gives the log-odds of the second class.

    Fitting needs the extra `deep`; everything else does not.

    Parameters
    ----------
    width : int
        Units of the first hidden layer; each further one has half of the one before.
    depth : int
        Number of hidden layers.
    learning_rate, momentum, weight_decay : float
        Of stochastic gradient descent; `weight_decay` is the penalty on squared weights.
    batch_size : int
        Customers of a step.
    max_epochs, patience : int
        Training ends when the loss on a fifth of the customers, kept aside, was not better for `patience` epochs; the best
        epoch's weights stay.
    frozen_epochs : int
        Where it starts from pretrained layers, all but the last stay as they are for so many epochs.
    pretrained : list of array, optional
        `layers_` of a network with the same inputs. Layers of another shape start at random, as all do without it.
    seed : int

    Attributes
    ----------
    layers_ : list of array of float64
        Weights of shape (n_out, n_in), then biases of shape (n_out,), layer by layer.
    classes_ : array of int64
        0 and 1.
    """

    def __init__(
        self,
        width: int = 32,
        depth: int = 2,
        learning_rate: float = 0.05,
        momentum: float = 0.9,
        weight_decay: float = 1e-3,
        batch_size: int = 128,
        max_epochs: int = 100,
        patience: int = 10,
        frozen_epochs: int = 5,
        pretrained: list[Floats] | None = None,
        seed: int = 0,
    ) -> None:
        self.width = width
        self.depth = depth
        self.learning_rate = learning_rate
        self.momentum = momentum
        self.weight_decay = weight_decay
        self.batch_size = batch_size
        self.max_epochs = max_epochs
        self.patience = patience
        self.frozen_epochs = frozen_epochs
        self.pretrained = pretrained
        self.seed = seed

    def fit(self, x: Floats, y: Any) -> Self:
        """Train the network.

        Parameters
        ----------
        x : array of float64, shape (n, n_inputs)
            Of mean 0 and variance 1.
        y : array of 0 and 1, shape (n,)

        Returns
        -------
        DenseNetwork
            Itself, fitted.

        Raises
        ------
        InputError
            If PyTorch is not installed, there is one class only, or the weights grow beyond all bounds.
        """
        check_installed()
        from churn.modeling.deep.torch_fit import fit_layers

        outcome = np.asarray(y, dtype=np.int64)
        if set(np.unique(outcome)) != {0, 1}:
            raise InputError("a network needs customers who left and customers who stayed")
        values = np.asarray(x, dtype=np.float64)
        sizes = [values.shape[1], *(max(1, self.width >> level) for level in range(self.depth)), 1]
        self.layers_ = fit_layers(values, outcome, sizes, self)
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = values.shape[1]
        return self

    @property
    def intercept_(self) -> Floats:
        """Return what the log-odds are shifted by: the last layer's bias, shape (1,)."""
        check_is_fitted(self, "layers_")
        return self.layers_[-1]

    @intercept_.setter
    def intercept_(self, shifted: Floats) -> None:
        self.layers_[-1] = shifted

    def decision_function(self, x: Floats) -> Floats:
        """Return the log-odds of the second class, shape (n,)."""
        check_is_fitted(self, "layers_")
        return forward(self.layers_, np.asarray(x, dtype=np.float64))

    def predict_proba(self, x: Floats) -> Floats:
        """Return the probabilities of both classes.

        Parameters
        ----------
        x : array of float64, shape (n, n_inputs)

        Returns
        -------
        numpy.ndarray of float64, shape (n, 2)
        """
        second = expit(self.decision_function(x))
        return np.column_stack([1 - second, second])

    def predict(self, x: Floats) -> NDArray[np.int64]:
        """Return the likelier class, shape (n,)."""
        return (self.decision_function(x) > 0).astype(np.int64)


def check_installed() -> None:
    """Raise InputError if what trains a network is not installed."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        remedy = "in the checkout: pip install --editable '.[deep]'"
        raise InputError(f"form deep needs the extra `deep`, and {missing[0]} is not here; {remedy}")
