"""The simulated customers on whom a network is pretrained."""

from __future__ import annotations

from zlib import crc32

from churn.config.params import Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.simulation.simulate import simulate


def pretraining_customers(contract: Contract, params: Params) -> Labelled | None:
    """Simulate customers for the pretraining of a network.

    Parameters
    ----------
    contract : Contract
    params : Params
        Form, seed, and how many.

    Returns
    -------
    Labelled or None
        None for another form, for 0 customers, and where the contract declares no population: a generic one teaches nothing
        about who leaves.
    """
    rows = params.model.pretraining_rows
    if params.model.form != "deep" or not rows or contract.population is None:
        return None
    # Whoever trains on simulated customers has a small seed: these are not the same people.
    drawn = simulate(contract, rows, crc32(f"pretraining {params.seed}".encode()))
    return Labelled(drawn.features, drawn.labelled)
