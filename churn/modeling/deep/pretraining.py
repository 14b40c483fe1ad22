"""Pretrain a network on other customers: simulated ones, of whom there are as many as one likes."""

from __future__ import annotations

from collections.abc import Sequence

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from churn.data.labelled import Labelled


def pretrain(pipeline: Pipeline, customers: Labelled, columns: Sequence[str]) -> Pipeline:
    """Fit a pipeline on other customers, and let a new one start from the layers of its network.

    Parameters
    ----------
    pipeline : sklearn.pipeline.Pipeline
        Of form `deep`.
    customers : Labelled
    columns : sequence of str
        Those that the pipeline reads.

    Returns
    -------
    sklearn.pipeline.Pipeline
        Unfitted: its features, imputer and scaler learn from the customers that it is given.
    """
    taught = clone(pipeline).fit(customers.features[list(columns)], customers.outcome)
    return clone(pipeline).set_params(network__pretrained=taught.named_steps["network"].layers_)
