"""The two scorers: the compiled model and, for a pipeline that cannot be compiled, the pipeline itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from churn.contract import Contract
from churn.customers.columns import CustomerColumns
from churn.inference.kinds import probabilities

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from churn.inference.kinds import Compiled

Floats = NDArray[np.float64]
Path = Literal["compiled", "pipeline"]


class Scorer(Protocol):
    """What a model in service needs to predict."""

    path: Path

    def values(self, features: Sequence[Any], /) -> Sequence[Any]:
        """Return the values that the model reads, in its order, from one value per feature in the contract's order."""

    def one(self, values: Sequence[Any], /) -> float:
        """Return one customer's probability, from one value per feature in the contract's order, None where missing."""

    def many(self, customers: CustomerColumns, /) -> Floats:
        """Return many customers' probabilities, shape (n,)."""


class CompiledScorer:
    """Scores by the compiled model: plain numbers, a sum of terms or a network."""

    path: Path = "compiled"

    def __init__(self, compiled: Compiled, contract: Contract) -> None:
        self.compiled = compiled
        self.values = _picker(compiled.columns, contract)

    def one(self, values: Sequence[Any], /) -> float:
        """See `Scorer`. A few microseconds for a sum of terms."""
        return self.compiled.probability(self.values(values))

    def many(self, customers: CustomerColumns, /) -> Floats:
        """See `Scorer`."""
        return probabilities(self.compiled, customers.values)


class PipelineScorer:
    """Scores by the pipeline itself, through a data frame: some milliseconds a request."""

    path: Path = "pipeline"

    def __init__(self, pipeline: Pipeline, columns: Sequence[str], contract: Contract) -> None:
        self._pipeline, self._columns, self._contract = pipeline, list(columns), contract
        self.values = _picker(columns, contract)

    def one(self, values: Sequence[Any], /) -> float:
        """See `Scorer`."""
        return float(self.many(one_customer(values, self._contract))[0])

    def many(self, customers: CustomerColumns, /) -> Floats:
        """See `Scorer`."""
        frame = customers.frame(self._contract)[self._columns]
        return np.asarray(self._pipeline.predict_proba(frame)[:, 1], dtype=np.float64)


def _picker(columns: Sequence[str], contract: Contract) -> Callable[[Sequence[Any]], Sequence[Any]]:
    names = contract.feature_names
    places = [names.index(name) for name in columns]
    if places == list(range(len(names))):
        return lambda features: features
    return itemgetter(*places) if len(places) > 1 else lambda features: (features[places[0]],)


def one_customer(values: Sequence[Any], contract: Contract) -> CustomerColumns:
    """Return one customer as columns of length one.

    Parameters
    ----------
    values : sequence
        One value per feature, in the contract's order.
    contract : Contract

    Returns
    -------
    CustomerColumns
    """
    columns: dict[str, NDArray[Any]] = {}
    for column, value in zip(contract.features, values, strict=True):
        if column.is_numeric:
            columns[column.name] = np.array([np.nan if value is None else float(value)])
        else:
            columns[column.name] = np.array([-1 if value is None else column.levels.index(value)], dtype=np.int32)
    return CustomerColumns(columns)
