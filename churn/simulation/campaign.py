"""Labelled customers after a campaign, and beside them the truth that no company sees: who would have left, and who was saved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.atomic_write import atomic_write
from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import InputError, unwritable
from churn.simulation.draws import generator
from churn.simulation.simulate import NO_DRIFT, NO_SHIFT, Drift, Shift, simulate_with_risk
from churn.simulation.treatment import USUAL_REACTION, Reaction, TreatedCustomers, treat

Whom = Literal["riskiest", "anybody"]


def simulate_campaign(
    contract: Contract,
    rows: int,
    seed: int,
    *,
    share: float,
    whom: Whom = "riskiest",
    reaction: Reaction = USUAL_REACTION,
    shift: Shift = NO_SHIFT,
    drift: Drift = NO_DRIFT,
) -> tuple[Dataset, TreatedCustomers]:
    """Simulate customers of whom a campaign contacts some.

    Parameters
    ----------
    contract, rows, seed
        See `churn.simulation.simulate.simulate`: untouched, the customers are the same, and do the same.
    share : float
        Of the customers who are contacted, in [0, 1].
    whom : {"riskiest", "anybody"}
        Those most likely to leave, as a perfect model would have it; or a random sample.
    reaction : Reaction
    shift, drift
        See there.

    Returns
    -------
    Dataset
        With the outcomes after the campaign.
    TreatedCustomers

    Raises
    ------
    InputError
        If a knob does not fit.
    """
    if not 0 <= share <= 1:
        raise InputError(f"simulation: the share of customers who are contacted must lie between 0 and 1 (found {share:g})")
    untouched, risk = simulate_with_risk(contract, rows, seed, shift=shift, drift=drift)
    order = generator(seed, 0, purpose="<whom>").permutation(rows)
    if whom == "riskiest":
        order = order[np.argsort(-risk[order], kind="stable")]
    contacted = np.zeros(rows, dtype=np.bool_)
    contacted[order[: round(share * rows)]] = True
    treated = treat(untouched.labelled.to_numpy() == 1, contacted, seed, reaction)
    return replace(untouched, outcome=pd.Series(treated.left.astype(np.int64))), treated


def write_truth(treated: TreatedCustomers, path: Path) -> None:
    """Write what happened to each customer and what would have, a line each, in the order of the customers.

    Parameters
    ----------
    treated : TreatedCustomers
    path : Path
        A CSV file; a reader never sees half of it.

    Raises
    ------
    InputError
        If it cannot be written.
    ChurnError
        If the disk is full or fails.
    """
    columns: dict[str, NDArray[np.bool_] | NDArray[np.float64]] = {
        "contacted": treated.contacted,
        "would_leave": treated.would_leave,
        "left": treated.left,
        "saved": treated.saved,
        "driven_away": treated.driven_away,
        "acceptance": treated.acceptance,
        "harm": treated.harm,
    }
    try:
        with atomic_write(path) as staging:
            pd.DataFrame(columns).to_csv(staging, index_label="row", lineterminator="\n")
    except OSError as error:
        raise unwritable(path, error) from error
