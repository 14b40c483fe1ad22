"""A neural network as plain numbers: bounded inputs of a customer, then dense layers. It needs NumPy alone.

Layers are added up input by input, not by a library for matrices: so an answer is the same bits alone and among others, and on
whatever processor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from churn.inference.compiled import CompiledModel, expit
from churn.inference.vectorized import clipped_inputs, to_probabilities

Floats = NDArray[np.float64]
# Rows of a block: what the layers need of them stays in the processor's cache.
BLOCK = 2_048


@dataclass(frozen=True, eq=False)
class CompiledNetwork:
    """The log-odds of churn as the output of a network with rectified linear units.

    Attributes
    ----------
    inputs : CompiledModel
        Whose ramps are the inputs of the first layer; their weights do not count.
    layers : tuple of (array, array)
        Weights of shape (n_out, n_in) and biases of shape (n_out,); the last layer has one output.
    """

    inputs: CompiledModel
    layers: tuple[tuple[Floats, Floats], ...]

    def __post_init__(self) -> None:
        width = len(self.inputs.ramps)
        for weights, biases in self.layers:
            if weights.ndim != 2 or weights.shape[1] != width or biases.shape != weights.shape[:1]:
                raise ValueError("the layers of the network do not fit")
            width = len(biases)
        if width != 1 or not self.layers:
            raise ValueError("the network has not one output")

    def to_document(self) -> dict[str, Any]:
        """Return the network as a JSON document."""
        layers = [[weights.tolist(), biases.tolist()] for weights, biases in self.layers]
        return {"inputs": self.inputs.to_document(), "layers": layers}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a document that `to_document` returned.

        Raises
        ------
        ValueError, TypeError, KeyError, IndexError, AttributeError
            If the document is something else.
        """
        layers = tuple((np.array(weights, np.float64), np.array(biases, np.float64)) for weights, biases in document["layers"])
        return cls(CompiledModel.from_document(document["inputs"]), layers)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the model reads, in order."""
        return self.inputs.columns

    @property
    def typical(self) -> dict[str, float | str | None]:
        """The value of the typical customer, by column."""
        return self.inputs.typical

    @property
    def relations(self) -> dict[str, tuple[str, float]]:
        """Number to the other number that it is computed from where it is missing, and the factor."""
        return self.inputs.relations

    def probability(self, values: Sequence[Any]) -> float:
        """Return one customer's probability of churn; `values` as in `CompiledModel.logit`."""
        return expit(self.logit(values))

    def logit(self, values: Sequence[Any]) -> float:
        """Return one customer's log-odds of churn; `values` as in `CompiledModel.logit`."""
        found = np.array(self.inputs.clipped(values), np.float64)
        for place, (weights, biases) in enumerate(self.layers):
            # In the order of `_forward`: one input after another.
            found = np.add.accumulate(np.vstack([biases, (weights * found).T]))[-1]
            if place < len(self.layers) - 1:
                found = np.maximum(found, 0.0)
        return float(found[0])

    def encode(self, name: str, value: Any) -> float | int:
        """Return a value as `logits` reads it.

        Parameters
        ----------
        name : str
            The column.
        value : float, bool, str or None

        Returns
        -------
        float or int
            A number, NaN where it is missing; of a category the level's position, -1 where it is missing.
        """
        if name in self._codes:
            return self._codes[name].get(value, -1)
        return np.nan if value is None else float(value)

    def probabilities(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Return many customers' probabilities of churn; `columns` as in `churn.inference.vectorized.logits`."""
        return to_probabilities(self.logits(columns))

    def logits(self, columns: Mapping[str, NDArray[Any]]) -> Floats:
        """Return many customers' log-odds of churn; `columns` as in `churn.inference.vectorized.logits`."""
        rows = len(columns[self.columns[0]])
        found = np.empty(rows)
        for start in range(0, rows, BLOCK):
            block = {name: columns[name][start : start + BLOCK] for name in self.columns}
            found[start : start + BLOCK] = self._forward(clipped_inputs(self.inputs, block))
        return found

    def _forward(self, values: Floats) -> Floats:
        """Return the output, shape (n,), for inputs of shape (n_inputs, n)."""
        for place, (weights, biases) in enumerate(self.layers):
            sums = np.repeat(biases[:, np.newaxis], values.shape[1], axis=1)
            for weight, value in zip(weights.T, values, strict=True):
                sums += weight[:, np.newaxis] * value
            values = sums if place == len(self.layers) - 1 else np.maximum(sums, 0.0, out=sums)
        return np.asarray(values[0])

    @cached_property
    def _codes(self) -> dict[str, dict[Any, int]]:
        levels = self.inputs.category_levels
        return {name: {level: code for code, level in enumerate(known)} for name, known in levels.items()}
