"""The output of a network of dense layers, in NumPy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def forward(layers: list[Floats], values: Floats) -> Floats:
    """Return the output of a network.

    Parameters
    ----------
    layers : list of array
        As `DenseNetwork.layers_`.
    values : array of float64, shape (n, n_inputs)

    Returns
    -------
    numpy.ndarray of float64, shape (n,)

    Examples
    --------
    >>> layers = [np.array([[1.0, -1.0]]), np.array([0.5]), np.array([[2.0]]), np.array([1.0])]
    >>> forward(layers, np.array([[3.0, 1.0], [0.0, 9.0]]))
    array([6., 1.])
    """
    for weights, biases in zip(layers[:-2:2], layers[1:-2:2], strict=True):
        values = np.maximum(values @ weights.T + biases, 0.0)
    return np.asarray(values @ layers[-2].T + layers[-1])[:, 0]
