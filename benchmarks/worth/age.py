"""What a model loses with age, in a conditions that moves a little every month."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from churn.config.params import Params
from churn.contract import Contract
from churn.evaluation.profit import break_even, profits
from churn.evaluation.scorecard import evaluate
from churn.modeling.model import build_pipeline
from churn.simulation.mechanism import Condition, Rule
from churn.simulation.shift import Drift, Shift
from churn.simulation.simulate import simulate

ROWS, TRAINING_ROWS = 4_000, 2_500
# A month: the plan for calls abroad finds more customers, and a competitor makes smaller bills a reason to leave.
PLAN_START, PLAN_STEP = 0.1, 0.03
BILL_START, BILL_STEP = 74.0, 1.5


def conditions(month: int) -> tuple[Shift, Drift]:
    """Give what is different from the declared population after so many months; nothing much at 0.

    Examples
    --------
    >>> shift, drift = conditions(6)
    >>> round(shift.share["international_plan"], 2), drift.rules["big-bill"].when["total_charge"].above
    (0.28, 65.0)
    """
    bill = Condition(above=BILL_START - BILL_STEP * month)
    rule = Rule(probability=0.9, when={"total_charge": bill, "voice_mail_plan": Condition(flag=False)})
    return Shift(share={"international_plan": PLAN_START + PLAN_STEP * month}), Drift(rules={"big-bill": rule})


def loss_by_age(
    contract: Contract, params: Params, seed: int, months: tuple[int, ...], done: Callable[[], None]
) -> list[dict[str, Any]]:
    """Compare the model of month 0, each month, with one trained on the month before.

    Returns
    -------
    list of dict
        month; for `old` and `fresh` the log loss (nats), ROC AUC and profit (currency per customer) among that month's customers.
    """

    def trained(month: int, rows_seed: int) -> Any:
        shift, drift = conditions(month)
        known = simulate(contract, TRAINING_ROWS, rows_seed, shift=shift, drift=drift)
        return build_pipeline(seed, form="terms", contract=contract).fit(known.features[contract.feature_names], known.labelled)

    old, threshold = trained(0, seed), break_even(params.profit)
    rows = []
    for month in months:
        shift, drift = conditions(month)
        asked = simulate(contract, ROWS, seed + 100 + month, shift=shift, drift=drift)
        row: dict[str, Any] = {"month": month}
        for name, pipeline in {"old": old, "fresh": trained(max(month - 1, 0), seed + 200 + month)}.items():
            answers = np.asarray(pipeline.predict_proba(asked.features[contract.feature_names])[:, 1])
            card = evaluate(asked.labelled.to_numpy(), answers, threshold)
            earned = float(profits(asked.labelled.to_numpy(), answers, threshold, params.profit).mean())
            row[name] = {"log_loss": card.log_loss, "roc_auc": card.roc_auc, "profit": earned}
        rows.append(row)
        done()
    return rows
