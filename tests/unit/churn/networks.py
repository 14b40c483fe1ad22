"""Networks made by hand: no PyTorch is needed for them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from sklearn.pipeline import Pipeline

from churn.contract import Contract
from churn.modeling.model import build_pipeline
from churn.simulation.simulate import simulate


def hand_made(contract: Contract, *, rows: int = 1_500, seed: int = 3) -> Pipeline:
    """A pipeline of form `deep`: the steps before the network fitted on simulated customers, its weights drawn at random."""
    frame = simulate(contract, rows, seed).features
    frame.iloc[::7, 5] = np.nan
    pipeline = build_pipeline(seed, form="deep", contract=contract)
    pipeline[:-1].fit(frame)
    rng = np.random.default_rng(seed)
    sizes = [len(pipeline[0].bounds_), 8, 4, 1]
    network = pipeline[-1]
    network.layers_ = []
    for n_in, n_out in pairwise(sizes):
        network.layers_ += [rng.normal(0, (2 / n_in) ** 0.5, (n_out, n_in)), rng.normal(0, 0.1, n_out)]
    network.classes_, network.n_features_in_ = np.array([0, 1]), sizes[0]
    return pipeline
