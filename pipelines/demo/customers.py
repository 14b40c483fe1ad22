"""The customers of the demo: real ones, dealt out so that nobody appears twice."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import InputError

PLAN = "international_plan"
CALM_WINDOWS, MIXED_WINDOWS = 3, 4
WINDOW, PLAN_IN_WINDOW = 250, 80
MIN_TRAINING = 1_000


@dataclass(frozen=True)
class Cast:
    """The customers of the demo, dealt out without overlap.

    Attributes
    ----------
    training : Dataset
        Without the international plan: it has not been launched yet.
    calm : list of Dataset
        Windows of ordinary traffic, without the plan.
    mixed : list of Dataset
        Windows in which customers with the plan arrive among the others. The last is kept for the model that takes over.
    """

    training: Dataset
    calm: list[Dataset]
    mixed: list[Dataset]


def deal_out(dataset: Dataset, seed: int) -> Cast:
    """Deal the customers out at random.

    Parameters
    ----------
    dataset : Dataset
    seed : int

    Returns
    -------
    Cast

    Raises
    ------
    InputError
        If the contract has no international plan, or there are too few customers with or without it.
    """
    if PLAN not in dataset.features:
        raise InputError(f"the demo launches the {PLAN!r}, which this contract does not have; run it with CHURN_CONTRACT=telecom")
    rng = np.random.default_rng(seed)
    has_plan = dataset.features[PLAN] == 1
    plan, others = (list(rng.permutation(np.flatnonzero(mask))) for mask in (has_plan, ~has_plan))
    with_plan = MIXED_WINDOWS * PLAN_IN_WINDOW
    without = CALM_WINDOWS * WINDOW + MIXED_WINDOWS * (WINDOW - PLAN_IN_WINDOW) + MIN_TRAINING
    if len(plan) < with_plan or len(others) < without:
        raise InputError(f"{dataset.source}: the demo needs {with_plan} customers with the plan and {without} without")

    def deal(pile: list[int], count: int) -> list[int]:
        dealt, pile[:count] = pile[:count], []
        return dealt

    calm = [_take(dataset, deal(others, WINDOW)) for _ in range(CALM_WINDOWS)]
    mixed = [
        _take(dataset, list(rng.permutation(deal(plan, PLAN_IN_WINDOW) + deal(others, WINDOW - PLAN_IN_WINDOW))))
        for _ in range(MIXED_WINDOWS)
    ]
    return Cast(_take(dataset, sorted(others)), calm, mixed)


def shorten(cast: Cast) -> Cast:
    """Leave one ordinary window and one in which the plan is launched, of twice the size, and one for the model that takes over.

    With fewer, a quarter of the customers would not be enough for the gate.

    Parameters
    ----------
    cast : Cast

    Returns
    -------
    Cast
    """
    first, second, third = cast.mixed[:3]
    return replace(cast, calm=[_join(*cast.calm[:2])], mixed=[_join(first, second), third])


def _join(first: Dataset, second: Dataset) -> Dataset:
    features = pd.concat([first.features, second.features], ignore_index=True)
    outcome = pd.concat([first.labelled, second.labelled], ignore_index=True)
    ids = [part.customer_id for part in (first, second) if part.customer_id is not None]
    return replace(first, features=features, outcome=outcome, customer_id=pd.concat(ids, ignore_index=True) if ids else None)


def _take(dataset: Dataset, dealt: list[int]) -> Dataset:
    rows = np.asarray(dealt, dtype=np.intp)
    return Dataset(
        dataset.features.iloc[rows].reset_index(drop=True),
        dataset.labelled.iloc[rows].reset_index(drop=True),
        customer_id=pd.Series([f"customer-{row:06d}" for row in rows]),
        source=dataset.source,
        simulated=dataset.simulated,
    )


def population(contract: Contract, source: Dataset | None, seed: int) -> Dataset:
    """Return the real customers or, where there are none, as many invented ones.

    Parameters
    ----------
    contract : Contract
    source : Dataset, optional
        The real ones.
    seed : int

    Returns
    -------
    Dataset
    """
    if source is not None:
        return source
    from churn.simulation.simulate import simulate

    return simulate(contract, 4_000, seed)
