"""The quality sections of a model card: scores, groups, threshold, calibration, and what the gate found. Markdown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from churn.config.params import Params, ProfitParams, ThresholdParams
from churn.model_card.markdown import interval, line, number, table
from churn.modeling.model_info import ModelInfo

UNKNOWN = "Not recorded."
# Named first, in this order; whatever else was measured follows.
HEADLINE = ("roc_auc", "pr_auc", "brier", "log_loss", "ece", "profit", "empc", "precision", "recall", "f1", "top_decile_lift")
NO_SCORES = frozenset({"rows", "threshold", "churn_rate"})
PER_CUSTOMER = frozenset({"profit", "empc"})
SLICE_COLUMNS = {
    **{"column": "column", "level": "level", "rows": "customers", "churned": "churned", "churn_rate": "churn rate"},
    **{"roc_auc": "ROC AUC", "log_loss": "log loss", "recall": "recall", "calibration_gap": "calibration gap"},
}
GAP_COLUMNS = {
    **{"column": "column", "levels": "levels", "churn_rate": "churn rate", "selection_rate": "selection rate"},
    "recall": "recall",
}
MONTH_COLUMNS = {
    **{"month": "month", "rows": "rows", "churn_rate": "churn rate", "mean_probability": "mean probability"},
    **{"roc_auc": "ROC AUC", "log_loss": "log loss", "baseline_log_loss": "log loss before"},
}
# As `Evaluation.report()` and the gate's evidence have them: JSON-ready.
Report = Mapping[str, Any]


def paired(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Bring a tracker's flat names (`x`, `x_low`, `x_high`) into the form of `Evaluation.report()`."""
    sides = {name: name.rpartition("_") for name in metrics}
    bounds = {name for name, (of, _, side) in sides.items() if side in {"low", "high"} and of in metrics}
    paired = {name: {"value": value} for name, value in metrics.items() if name not in bounds}
    for name in bounds:
        of, _, side = sides[name]
        paired[of][side] = metrics[name]
    return paired


def metrics_section(measured: Report, evaluation: Report | None) -> str:
    """Describe the scores with their intervals, the headline scores first.

    Parameters
    ----------
    measured : mapping
        Name to value, low and high.
    evaluation : mapping or None
        `Evaluation.report()`.

    Returns
    -------
    str
        Markdown.
    """
    if not measured:
        return UNKNOWN
    names = [name for name in HEADLINE if name in measured] + sorted(set(measured) - set(HEADLINE) - NO_SCORES)
    confidence = f"{evaluation['confidence']:.0%} interval" if evaluation else "interval"
    unit = f" ({evaluation['currency']} per customer)" if evaluation else ""
    rows = [
        (name + (unit if name in PER_CUSTOMER else ""), number(measured[name].get("value")), interval(measured[name]))
        for name in names
    ]
    text = "On customers held out of the training" + (", with bootstrap intervals over customers." if evaluation else ".")
    return f"{text}\n\n{table(('measure', 'value', confidence), rows)}"


def slices_section(evaluation: Report | None) -> str:
    """Describe the slices, the gaps between them, and customers in no slice."""
    if evaluation is None:
        return UNKNOWN
    parts = []
    if evaluation["slices"]:
        rows = [[_cut(row, name) for name in SLICE_COLUMNS] for row in evaluation["slices"]]
        parts.append(table(SLICE_COLUMNS.values(), rows))
    else:
        parts.append("No group is large enough to be looked at on its own.")
    if evaluation["gaps"]:
        rows = [[number(row.get(name)) for name in GAP_COLUMNS] for row in evaluation["gaps"]]
        parts += ["Gaps: the largest value of a column's levels minus the smallest.", table(GAP_COLUMNS.values(), rows)]
    if evaluation["notes"]:
        parts.append("\n".join(f"- {line(note)}" for note in evaluation["notes"]))
    return "\n\n".join(parts)


def _cut(row: Report, name: str) -> str:
    bounds = {side: row.get(f"{name}_{side}") for side in ("low", "high")}
    return " ".join(part for part in (number(row.get(name)), interval(bounds)) if part)


def threshold_section(info: ModelInfo, params: Params | None) -> str:
    """Describe the threshold and how it was chosen.

    Parameters
    ----------
    info : ModelInfo
    params : Params or None

    Returns
    -------
    str
        Markdown.
    """
    how = _how_chosen(params.threshold, params.profit) if params else "How it was chosen is not recorded."
    return f"A churn probability of **{info.threshold:.4f}** or more is answered as churn. {how}"


def _how_chosen(threshold: ThresholdParams, profit: ProfitParams) -> str:
    match threshold.method:
        case "profit":
            return (
                "It is the one of the highest expected profit on out-of-fold probabilities: a customer who stays is worth "
                f"{profit.customer_value:g} {profit.currency}, a contact costs {profit.cost_of_contact:g}, an accepted offer "
                f"{profit.cost_of_offer:g}, and {profit.acceptance:.0%} of those about to leave accept."
            )
        case "top_k":
            budget = threshold.budget
            whom = f"{budget:.0%} of the customers" if isinstance(budget, float) else f"{budget:,} customers"
            return f"It is the one that reaches the {whom} with the highest out-of-fold probabilities: a budget, not an optimum."
        case "f1":
            return "It is the one of the highest F1 on out-of-fold probabilities."
        case "fixed":
            return "It was fixed beforehand, in params.yaml."


def calibration_section(measured: Report) -> str:
    """Describe the calibration of the probabilities."""
    meanings = {
        "ece": "mean distance between probability and churn rate, over tenths of the customers (ECE)",
        "calibration_gap": "churn rate minus mean probability: above 0 it says too little",
        "brier": "mean squared error of the probability (Brier score)",
        "log_loss": "log loss, in nats",
    }
    rows = [
        (meaning, number(measured[name].get("value")), interval(measured[name]))
        for name, meaning in meanings.items()
        if name in measured
    ]
    return table(("measure", "value", "interval"), rows) if rows else UNKNOWN


def curves_section(curves: Report | None) -> str:
    """Describe what learning and validation curves say, one sentence each."""
    if curves is None:
        return UNKNOWN
    simple = [line(sentence) for sentence in curves["too_simple"]]
    if not simple:
        simple = ["Not known: the search tried one value of each number."]
    said = "\n".join(f"- {sentence}" for sentence in simple)
    where = "The pictures are in the MLflow run, under `plots/`."
    return f"Would more customers help? {line(curves['more_customers'])}\n\nIs the model too simple?\n\n{said}\n\n{where}"


def gate_section(gate: Report | None) -> str:
    """Describe the gate's decision and the result of each check."""
    if gate is None:
        return UNKNOWN
    text = f"**{'Passed' if gate['promote'] else 'Did not pass'}**: {line(gate['reason'])}"
    checks = gate.get("checks") or {}
    rows = [
        (name, "yes" if passed else "**no**", sentence)
        for name, (passed, sentence) in ((n, _check(c)) for n, c in checks.items())
    ]
    parts = [text, *([table(("check", "passed", "what was found"), rows)] if rows else [])]
    if gate.get("months"):
        months = [[number(month.get(name)) for name in MONTH_COLUMNS] for month in gate["months"]]
        parts += ["By the month in which customers were asked about:", table(MONTH_COLUMNS.values(), months)]
    if labels := (gate.get("labels") or {}).get("sentence"):
        parts.append(f"Labels: {line(labels)}.")
    return "\n\n".join(parts)


def _check(check: Any) -> tuple[bool, str]:
    return (bool(check["passed"]), str(check["sentence"])) if isinstance(check, Mapping) else (bool(check), "")
