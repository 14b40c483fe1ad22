"""The gate: whether a challenger may become champion, decided on customers of whom neither model saw a row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from churn.config.params import Params, ProfitParams
from churn.contract import Contract
from churn.customers.frame import frame_digest
from churn.data.labelled import Labelled
from churn.evaluation.months import score_months
from churn.evaluation.paired import Answers
from churn.evaluation.profit import profits
from churn.evaluation.scorecard import evaluate
from churn.evaluation.slices import slices_of
from churn.evaluation.statistics import log_losses
from churn.evaluation.weights import repeated_size
from churn.fairness.gaps import groups_of
from churn.lifecycle.calibration_check import calibrated
from churn.lifecycle.gap_check import no_gap_widens
from churn.lifecycle.gate_checks import (
    Check,
    ServingCheck,
    better_log_loss,
    enough_evidence,
    fast_enough,
    no_slice_falls,
    profit_not_worse,
    served_alike,
    unbiased,
)
from churn.modeling.model import Model

__all__ = ["GateDecision", "ServingCheck", "decide"]


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided, and on which evidence.

    Attributes
    ----------
    promote : bool
    reason : str
        One sentence with the numbers; where checks failed, one of each.
    evidence : dict
        JSON-ready and enough for an audit: models, customers and params, and each check by name with `passed`, `value`,
        `limit`, `sentence` and `detail`.
    """

    promote: bool
    reason: str
    evidence: dict[str, Any]


def decide(
    challenger: Model,
    champion: Model | None,
    fresh: Labelled,
    params: Params,
    contract: Contract,
    *,
    serving: ServingCheck | None,
    holdout: Labelled | None = None,
) -> GateDecision:
    """Decide whether a challenger may replace the champion.

    Its log loss must be lower beyond chance. It must not, beyond chance, lose profit, lose log loss in a slice, or be off the
    churn rate or its own calibration, each by more than a stated margin; no gap between groups of a sensitive column may be wider
    than the champion's by more than a stated margin; and it must be served as it is, fast enough.
    Of two equally good models, a challenger passes with probability 1 - confidence at most.

    Without a champion, the baseline is the constant churn rate of the fresh customers, and the more profitable of contacting
    everybody and nobody. The same holds for a champion that needs columns which the contract no longer has.

    Parameters
    ----------
    challenger, champion : Model
        Each is judged as it was before it was fitted anew on the reserved customers (`Model.judged`).
    fresh : Labelled
        Customers that neither was trained on. Where some have several rows, every check goes by customer.
    params : Params
        Of the gate, of profit, of slices and of fairness; its seed is that of the bootstrap.
    contract : Contract
        Names the slices' columns, and those that are sensitive.
    serving : ServingCheck or None
        None if the challenger will not be served (in a benchmark): then this is not checked.
    holdout : Labelled, optional
        Customers that neither was trained on and whose sensitive columns are known. Gaps between groups are judged on them where
        those of the fresh customers are not known, as they are not of traffic.

    Returns
    -------
    GateDecision
    """
    # As they were before they learned from the customers who judge them.
    challenger, champion = challenger.judged, champion and champion.judged
    # A champion that cannot be asked about these customers is none.
    able = champion if champion and set(champion.info.features) <= set(fresh.features.columns) else None
    evidence = _known_beforehand(challenger, champion, fresh, params, contract, serving) | {"baseline": _named(able)}
    first = [enough_evidence(fresh.outcome.to_numpy(), params.gate, fresh.customer)]
    if able and first[0].passed:
        first.append(never_trained_on(challenger, able))
    if not first[-1].passed:
        return _decision(first, evidence)

    new = challenger.predict_probability(fresh.features)
    old = able.predict_probability(fresh.features) if able else np.full(len(new), fresh.outcome.to_numpy().mean())
    better, *others = _quality_checks(challenger, able, fresh, new, old, params, contract)
    checks = [*first, better, *others]
    if contract.sensitive:
        checks.append(_fair(challenger, able, fresh, holdout, params, contract))
        evidence["params"] |= params.model_dump(mode="json", include={"fairness"})
    if serving:
        checks += [served_alike(serving), fast_enough(serving, params.gate)]
    evidence |= {"log_loss_gain": better.value, "interval": better.detail["interval"]}
    evidence |= _scores(challenger, able, fresh, new, old, params.profit)
    return _decision(checks, evidence, passed=better.sentence)


def _known_beforehand(
    challenger: Model,
    champion: Model | None,
    fresh: Labelled,
    params: Params,
    contract: Contract,
    serving: ServingCheck | None,
) -> dict[str, Any]:
    """Return the evidence that needs no prediction: customers, contract, models and params."""
    customer = fresh.customer
    return {
        "rows": len(fresh),
        "customers": len(fresh) if customer is None else len(np.unique(customer)),
        "churned": int(fresh.outcome.sum()),
        "fresh_digest": frame_digest(fresh.features.assign(**{"<outcome>": fresh.outcome})),
        "contract": {"name": contract.name, "digest": contract.digest},
        "confidence": params.gate.confidence,
        "models": {"challenger": _identity(challenger), "champion": _identity(champion) if champion else None},
        "params": params.model_dump(mode="json", include={"seed", "split", "gate", "profit", "evaluation"}),
        "serving": asdict(serving) if serving else None,
    }


def _quality_checks(
    challenger: Model,
    champion: Model | None,
    fresh: Labelled,
    new: np.ndarray,
    old: np.ndarray,
    params: Params,
    contract: Contract,
) -> list[Check]:
    """Check log loss (first), profit, slices and calibration, given both models' probabilities, each of shape (n,)."""
    y, customer = fresh.outcome.to_numpy(), fresh.customer
    gate, seed, slices = params.gate, params.seed, params.evaluation.slices
    earned = profits(y, new, challenger.info.threshold, params.profit)
    forgone = profits(y, old, champion.info.threshold, params.profit) if champion else _profits_without_model(y, params.profit)
    gain = log_losses(y, old) - log_losses(y, new)
    groups = slices_of(fresh, contract, slices)
    return [
        better_log_loss(gain, gate, seed, _named(champion), customer),
        profit_not_worse(earned - forgone, gate, seed, params.profit.currency, customer),
        no_slice_falls(gain, groups, gate, customer, original=fresh.original, enough=slices.min_rows),
        calibrated(y, new, gate, seed, customer),
        unbiased(y, new, gate, customer),
    ]


def _scores(
    challenger: Model, champion: Model | None, fresh: Labelled, new: np.ndarray, old: np.ndarray, profit: ProfitParams
) -> dict[str, Any]:
    """Return the scorecards of both models for the audit, and the challenger's scores by month."""
    y = fresh.outcome.to_numpy()
    size: dict[str, float | int | None] = (
        {} if fresh.original is None else {"effective_rows": round(repeated_size(fresh.original), 1)}
    )
    card = evaluate(y, new, challenger.info.threshold, profit=profit).report() | size
    champion_card = evaluate(y, old, champion.info.threshold, profit=profit).report() | size if champion else None
    return {"challenger": card, "champion": champion_card, "months": _months(fresh, new, old)}


def _fair(
    challenger: Model, champion: Model | None, fresh: Labelled, holdout: Labelled | None, params: Params, contract: Contract
) -> Check:
    """Check the gaps between groups: on the fresh customers or, where nothing sensitive is known of them, on the holdout."""
    where = ""
    if fresh.sensitive is None and holdout is not None and holdout.sensitive is not None:
        fresh, where = holdout, f"judged on the {len(holdout)} customers of the holdout, since traffic has no sensitive columns"
    groups, notes = groups_of(fresh, contract, params.evaluation.slices)
    notes = [*([where] if where else []), *notes]
    first, second = _answers(champion, fresh) if champion else None, _answers(challenger, fresh)
    y = fresh.outcome.to_numpy()
    return no_gap_widens(y, first, second, groups, notes, params.fairness, params.gate, params.seed, fresh.customer)


def _answers(model: Model, known: Labelled) -> Answers:
    return Answers(model.predict_probability(known.features), model.info.threshold)


def never_trained_on(challenger: Model, champion: Model) -> Check:
    """Check that the champion learned from none of the challenger's reserved customers: that one rule reserved them for both.

    Parameters
    ----------
    challenger, champion : Model

    Returns
    -------
    Check
        Its value is the share that was reserved when the champion was trained, its limit that of today.
    """
    then, today = champion.info, challenger.info
    passed = then.split_rule == today.split_rule and then.reserved >= today.reserved
    said = f"version {then.version}, as it was evaluated, was trained on none of the customers who are reserved today"
    if not passed:
        said = (
            f"version {then.version} may have been trained on these customers: others were reserved then (split.key, "
            "split.reserved, the pseudonym key, or the columns of customers without ids have changed); promote a challenger by "
            "hand: churn model promote"
        )
    return Check("never_trained_on", passed, then.reserved, today.reserved, said)


def _named(baseline: Model | None) -> str:
    return f"version {baseline.info.version}" if baseline else "no model at all"


def _months(fresh: Labelled, new: np.ndarray, old: np.ndarray) -> list[dict[str, Any]]:
    """Return the challenger's scores by month, with the baseline's log loss; empty where no times are known."""
    y = fresh.outcome.to_numpy()
    months = score_months(fresh.asked_at, y, new)
    months["baseline_log_loss"] = score_months(fresh.asked_at, y, old)["log_loss"]
    return [
        {str(name): None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in months.to_dict("records")
    ]


def _decision(checks: Sequence[Check], evidence: dict[str, Any], passed: str = "") -> GateDecision:
    """Promote if every check passed; `passed` is then the reason."""
    failed = [check.sentence for check in checks if not check.passed]
    return GateDecision(
        not failed, "; ".join(failed) or passed, {**evidence, "checks": {check.name: check.report() for check in checks}}
    )


def _identity(model: Model) -> dict[str, Any]:
    """Return what identifies a model in an audit; one that is not registered has no version yet."""
    kept = {
        "version",
        "run_id",
        "trained_at",
        "data_digest",
        "contract_digest",
        "reference_digest",
        "threshold",
        "split_rule",
        "reserved",
    }
    return model.info.model_dump(mode="json", include=kept)


def _profits_without_model(outcome: np.ndarray, params: ProfitParams) -> np.ndarray:
    """Return each customer's profit, shape (n,), if everybody is contacted, or nobody: whichever is worth more in total."""
    everybody = profits(outcome, np.ones(len(outcome)), 0.0, params)
    return everybody if everybody.mean() > 0 else np.zeros(len(outcome))
