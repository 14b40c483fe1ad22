"""The two kinds of compiled models: sums of terms, and networks. A network's code is imported only where there is one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from churn.contract import Contract
from churn.inference import vectorized
from churn.inference.compiled import CompiledModel

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from churn.inference.network import CompiledNetwork

    Compiled = CompiledModel | CompiledNetwork


def compile_model(pipeline: Pipeline, columns: Sequence[str], contract: Contract) -> Compiled | None:
    """Compile a fitted pipeline of either kind. This needs scikit-learn.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
    columns : sequence of str
        The features that it reads, in order.
    contract : Contract

    Returns
    -------
    CompiledModel, CompiledNetwork or None
        None if it is neither.
    """
    from churn.inference.compiler import compile_pipeline
    from churn.inference.network_compiler import compile_network

    found = compile_pipeline(pipeline, columns, contract)
    return compile_network(pipeline, columns, contract) if found is None else found


def read_document(document: Mapping[str, Any]) -> Compiled:
    """Read a document that `to_document` of either kind returned.

    Raises
    ------
    ValueError, TypeError, KeyError, IndexError, AttributeError
        If the document is something else.
    """
    if "layers" not in document:
        return CompiledModel.from_document(document)
    from churn.inference.network import CompiledNetwork

    return CompiledNetwork.from_document(document)


def probabilities(model: Compiled, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Return many customers' probabilities of churn.

    Parameters
    ----------
    model : CompiledModel or CompiledNetwork
    columns : mapping of str to array, each of shape (n,)
        As in `churn.inference.vectorized.logits`.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In [0, 1].
    """
    return vectorized.probabilities(model, columns) if isinstance(model, CompiledModel) else model.probabilities(columns)
