"""Labelled customers, and what a fair model says of them."""

from __future__ import annotations

import numpy as np
import pytest

from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.simulation.simulate import simulate


@pytest.fixture(scope="package")
def known(contract: Contract) -> Labelled:
    customers = simulate(contract, 600, seed=1)
    return Labelled(customers.features, customers.labelled)


@pytest.fixture(scope="package")
def probability(known: Labelled) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 1.5, len(known))
    return np.asarray(1 / (1 + np.exp(-(4 * known.outcome.to_numpy() - 3 + noise))))
