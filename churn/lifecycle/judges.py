"""Who of the gate's customers judges a model that learned from the newest customers alone: those of its time."""

from __future__ import annotations

import numpy as np

from churn.config.params import GateParams
from churn.data.labelled import Labelled
from churn.lifecycle.gate_checks import enough_evidence


def judges_of(fresh: Labelled, learned: Labelled, params: GateParams) -> Labelled:
    """Choose the gate's customers of the time that a model learned from.

    Before a change, what the model says was not true. Who is reserved had no part in finding the change, so an equally good model
    passes as seldom as it did.

    Parameters
    ----------
    fresh : Labelled
        The gate's customers.
    learned : Labelled
        Those learned from.
    params : GateParams
        `min_fresh_rows`, and `min_class_rows` of each class, are enough.

    Returns
    -------
    Labelled
        All of `fresh`, where it is not known of each learned row when it was asked about, or later ones are not enough.
    """
    if fresh.asked_at is None or learned.asked_at is None or learned.asked_at.isna().any():
        return fresh
    later = np.flatnonzero(fresh.asked_at >= learned.asked_at.min())
    judges = fresh.take(later)
    enough = len(later) >= params.min_fresh_rows and enough_evidence(judges.outcome.to_numpy(), params, judges.customer).passed
    return judges if enough else fresh
