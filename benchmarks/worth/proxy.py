"""Whether the score that decides offline (log loss) goes with what a campaign earns later, among customers nobody has seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import stats

from churn.config.params import Form, Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.profit import break_even
from churn.evaluation.scorecard import evaluate
from churn.modeling.model import build_pipeline, columns_read
from churn.simulation.simulate import simulate

FORMS: tuple[Form, ...] = ("plain", "terms")
# From hopeless to good: how much each model has learned from, and whether it may look for terms.
MODELS: tuple[tuple[Form, int], ...] = tuple((form, rows) for form in FORMS for rows in (150, 300, 600, 1_200, 2_400))
SHORT_MODELS: tuple[tuple[Form, int], ...] = (("plain", 150), ("plain", 2_400), ("terms", 600), ("terms", 2_400))
HOLDOUT_ROWS, TRAFFIC_ROWS = 1_500, 20_000


def offline_and_online(
    contract: Contract, params: Params, seed: int, done: Callable[[], None], models: tuple[tuple[Form, int], ...] = MODELS
) -> dict[str, Any]:
    """Train models of very different quality, score them on one holdout, then let each run a campaign among new customers.

    The campaign is played, not computed: everybody above the break-even probability is contacted, and each of them who would
    leave takes the offer with the probability that `params.profit` says.

    Returns
    -------
    dict
        models: form, rows, log_loss on the holdout (nats), earned online (currency per customer) and brier online;
        correlation: Spearman's, between offline log loss and money earned (-1: the better score always earns more), with p.
    """
    holdout, traffic = simulate(contract, HOLDOUT_ROWS, seed + 1), simulate(contract, TRAFFIC_ROWS, seed + 2)
    accepts = np.random.default_rng(seed).random(TRAFFIC_ROWS) < params.profit.acceptance
    leaves = traffic.labelled.to_numpy() == 1
    saved = np.where(leaves & accepts, params.profit.customer_value - params.profit.cost_of_offer, 0.0)
    gifts = np.where(~leaves, params.profit.cost_of_offer, 0.0)
    rows: list[dict[str, Any]] = []
    for number, (form, size) in enumerate(models):
        known = simulate(contract, size, seed + 10 + number)
        columns = columns_read(form, contract)
        pipeline = build_pipeline(seed, form=form, contract=contract).fit(known.features[columns], known.labelled)

        def probability(asked: Labelled, pipeline: Any = pipeline, columns: list[str] = columns) -> np.ndarray:
            return np.asarray(pipeline.predict_proba(asked.features[columns])[:, 1])

        threshold = break_even(params.profit)
        held = Labelled(holdout.features, holdout.labelled)
        offline = evaluate(held.outcome.to_numpy(), probability(held), threshold)
        met = Labelled(traffic.features, traffic.labelled)
        answers = probability(met)
        earned = np.where(answers >= threshold, saved - gifts - params.profit.cost_of_contact, 0.0)
        online = evaluate(met.outcome.to_numpy(), answers, threshold)
        figures = {"log_loss": offline.log_loss, "earned": float(earned.mean()), "brier_online": online.brier}
        rows.append({"form": form, "rows": size, **figures})
        done()
    found = stats.spearmanr([row["log_loss"] for row in rows], [row["earned"] for row in rows])
    return {"models": rows, "correlation": float(found.statistic), "p": float(found.pvalue)}
