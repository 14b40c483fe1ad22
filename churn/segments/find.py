"""Find the segments of the customers that a model was trained on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.contract import Contract
from churn.segments.clustering import stable_clusters
from churn.segments.naming import name_segments
from churn.segments.segments import EVERYBODY, Nearest, Segments, bounded

Floats = NDArray[np.float64]
# So many customers show the groups; k-means on more takes seconds.
MAX_CUSTOMERS = 4_000


def draw_sample(features: pd.DataFrame) -> pd.DataFrame:
    """Return at most `MAX_CUSTOMERS` customers by what they are, in an order that does not depend on how they came.

    Parameters
    ----------
    features : pandas.DataFrame

    Returns
    -------
    pandas.DataFrame
        Numbered anew.
    """
    hashes = pd.util.hash_pandas_object(features, index=False).to_numpy()
    # Equal hashes are equal customers: it does not matter which of them comes first.
    return features.iloc[np.argsort(hashes, kind="stable")[:MAX_CUSTOMERS]].reset_index(drop=True)


def find_segments(features: pd.DataFrame, contributions: Floats, contract: Contract, seed: int) -> Segments:
    """Group customers by the reasons of their predictions.

    The number of segments follows `churn.segments.clustering`; segments that the contract's words do not tell apart are not
    two. Where that leaves none (too few customers, equal contributions, no groups), there is one, with the name `EVERYBODY`.

    Parameters
    ----------
    features : pandas.DataFrame, shape (n, n_columns)
        The columns that the model reads, as `draw_sample` gives them: never sensitive ones, which no model reads.
    contributions : array of float, shape (n, n_columns)
        In log-odds.
    contract : Contract
    seed : int

    Returns
    -------
    Segments
        The same for the same customers, bit for bit.
    """
    columns, points = [str(name) for name in features.columns], bounded(contributions)
    for found in stable_clusters(points, seed):
        unnamed = Segments(
            columns=columns,
            names=[str(at) for at in range(len(found.centres))],
            centres=found.centres.tolist(),
            shares=[0.0] * len(found.centres),
            stability=round(found.stability, 4),
        )
        nearest = Nearest(unnamed)
        members = np.array([nearest.of(row) for row in points])
        sizes = np.bincount(members, minlength=len(found.centres))
        names = name_segments(features, points, members, contract) if sizes.all() else None
        if names is not None:
            shares = (sizes / len(points)).round(4).tolist()
            return unnamed.model_copy(update={"names": names, "shares": shares})
    return Segments(columns=columns, names=[EVERYBODY], centres=[[0.0] * len(columns)], shares=[1.0])
