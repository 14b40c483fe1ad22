"""The model card of one version: what it is for, what it was made from, how good it is and for whom, and its limits. Markdown.

Everything but `ModelInfo` may be unknown, as it is of a version registered before there were cards: then the card says so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template

import yaml

from churn.config.params import Params
from churn.contract import Column, Contract
from churn.model_card.fairness import fairness_section
from churn.model_card.markdown import code, facts, line, number, table
from churn.model_card.quality import (
    UNKNOWN,
    Report,
    calibration_section,
    curves_section,
    gate_section,
    metrics_section,
    paired,
    slices_section,
    threshold_section,
)
from churn.model_card.segments import segments_section
from churn.modeling.model_info import ModelInfo

SIMULATED = (
    "> **WARNING: TRAINED ON SIMULATED CUSTOMERS.** Nobody in its data exists. Do not use its answers about real people.\n\n"
)
LEAKS = (
    "> **WARNING: A COLUMN MAY BE KNOWN ONLY AFTER A CUSTOMER HAS LEFT.** Then every score below is too good, and the model is "
    "of no use for customers who are still there. Ask where the column comes from; give it `role: ignored`, and train again.\n"
)
SUMMARY = "Probability that "


def render_card(
    info: ModelInfo,
    *,
    contract: Contract | None = None,
    params: Params | None = None,
    evaluation: Report | None = None,
    gate: Report | None = None,
    churn_rate: float | None = None,
    curves: Report | None = None,
    reweighing: Report | None = None,
    reduced: Sequence[str] = (),
    telling: Mapping[str, str] | None = None,
) -> str:
    """Write the card of a version.

    Parameters
    ----------
    info : ModelInfo
    contract : Contract, optional
        The one it was trained under; another one (by digest) is left aside.
    params : Params, optional
        All of params.yaml, as it was trained with.
    evaluation : mapping, optional
        `Evaluation.report()` on the holdout. If None, what `info.metrics` knows.
    gate : mapping, optional
        promote, reason, and the checks of the gate's evidence.
    churn_rate : float, optional
        Of the customers trained on, in [0, 1].
    curves : mapping, optional
        `more_customers` and `too_simple`, as `churn.diagnostics.curves.Curves.report()` has them.
    reweighing : mapping, optional
        `churn.fairness.reweighing.Reweighing.report()`, where a candidate was trained with reweighed customers.
    reduced : sequence of str
        What the search left out of very many customers or columns (`churn.modeling.search.tuned.Tuned`).
    telling : mapping of str to str, optional
        What single columns tell of the outcome, as `churn.data.doubts.telling_columns` found in the customers trained on.

    Returns
    -------
    str
        Markdown; tables as GitHub has them.
    """
    if contract is not None and contract.digest != info.contract_digest:
        contract = None
    measured = dict(evaluation["metrics"]) if evaluation else paired(info.metrics)
    text = Template(resources.files("churn.model_card").joinpath("template.md").read_text("utf-8")).substitute(
        name=line(info.name),
        warnings=(SIMULATED if info.simulated else "") + _leaks(telling or {}),
        summary=summary(info, contract),
        who=_who(contract),
        event=_event(contract),
        described=f" ({line(contract.description).rstrip('.')})" if contract and contract.description else "",
        contract=line(info.contract),
        model=_model(info),
        data=_data(info, contract, churn_rate, measured),
        features=_features(info, contract),
        kept_out=_kept_out(info, contract),
        metrics=metrics_section(measured, evaluation),
        slices="\n\n".join(filter(None, (slices_section(evaluation), fairness_section(reweighing, info.profit.currency)))),
        segments=segments_section(info, evaluation),
        threshold=threshold_section(info, params),
        calibration=calibration_section(measured),
        training=_training(info, params, reduced),
        curves=curves_section(curves),
        gate=gate_section(gate),
        limits=_limits(info, evaluation),
        reproduce=_reproduce(info, params),
    )
    return number_card(text, info)


def number_card(card: str, info: ModelInfo) -> str:
    """Put the version into a card's heading: the registry assigns it after the card is written.

    Parameters
    ----------
    card : str
        Markdown, as `render_card` returns it.
    info : ModelInfo

    Returns
    -------
    str
    """
    heading = f"# Model card: {line(info.name)}\n"
    if not info.version or not card.startswith(heading):
        return card
    return f"{heading.rstrip()}, version {info.version}\n{card.removeprefix(heading)}"


def summary(info: ModelInfo, contract: Contract | None = None) -> str:
    """Describe a version in one paragraph: the first of its card, and its description in the registry.

    Parameters
    ----------
    info : ModelInfo
    contract : Contract, optional
        Whose words are used for a customer, and for what is predicted.

    Returns
    -------
    str
    """
    kind = "**simulated** customers" if info.simulated else "customers"
    kind_of_model = "a small neural network" if info.form == "deep" else "a logistic regression"
    labels = {"roc_auc": "ROC AUC", "log_loss": "log loss", "ece": "calibration error"}
    scores = ", ".join(f"{label} {info.metrics[name]:.3f}" for name, label in labels.items() if name in info.metrics)
    return (
        f"{SUMMARY}{_who(contract)} {_event(contract)}, by {kind_of_model} on {len(info.features)} columns. Trained "
        f"{info.trained_at:%Y-%m-%d} ({line(info.trigger)}) on {info.rows:,} {kind} of {line(info.data_source)}. "
        + (f"On customers held out: {scores}." if scores else "No scores are recorded.")
    )


def summary_in(card: str) -> str:
    """Return the paragraph of a card that describes the version; empty if there is none."""
    return next((paragraph for paragraph in card.split("\n\n") if paragraph.startswith(SUMMARY)), "")


def _leaks(telling: Mapping[str, str]) -> str:
    if not telling:
        return ""
    return LEAKS + "".join(f"> - {code(name)}: {line(said)}\n" for name, said in telling.items()) + "\n"


def _who(contract: Contract | None) -> str:
    customer = line(contract.customer) if contract else "customer"
    return f"{'an' if customer[:1].lower() in 'aeiou' else 'a'} {customer}"


def _event(contract: Contract | None) -> str:
    return line(contract.target.event) if contract else "leaves"


def _model(info: ModelInfo) -> str:
    last = "neural network (plain numbers, trained by PyTorch)" if info.form == "deep" else "logistic regression"
    known = {
        "form": f"features → imputer → scaler → {last}, one scikit-learn pipeline stored by skops",
        "pretrained on": f"{info.pretrained_on:,} simulated customers" if info.pretrained_on else "",
        "reasons": "approximate: Shapley values by sampled orders of the columns" if info.form == "deep" else "",
        "trained at": f"{info.trained_at:%Y-%m-%d %H:%M} UTC",
        "trigger": info.trigger,
        "version": info.version,
        "MLflow run": code(info.run_id),
    }
    return facts(known)


def _data(info: ModelInfo, contract: Contract | None, churn_rate: float | None, measured: Report) -> str:
    held, held_rate = (measured.get(name, {}).get("value") for name in ("rows", "churn_rate"))
    known = {
        "source": info.data_source,
        "kind": "**SIMULATED: invented customers**" if info.simulated else "customers of the source, not simulated",
        "customers trained on": f"{info.rows:,}" + (f", of whom {churn_rate:.1%} left" if churn_rate is not None else ""),
        "customers held out": f"{held:,.0f}, of whom {held_rate:.1%} left" if held and held_rate is not None else "",
        "fitted anew on": f"{info.refitted_on:,} customers, once it was evaluated: those held out, too"
        if info.refitted_on
        else "",
        "digest of the training data": code(info.data_digest),
        "digest of the drift reference": code(info.reference_digest),
        "contract": f"`{line(info.contract)}` (digest {code(info.contract_digest)})",
        "outcome": f"`{contract.target.column}`: {contract.target.true_level} or {contract.target.false_level}"
        if contract
        else "",
    }
    return facts(known)


def _features(info: ModelInfo, contract: Contract | None) -> str:
    known = {column.name: column for column in contract.columns} if contract else {}
    if not known:
        return ", ".join(code(name) for name in info.features)
    rows = [
        (code(name), column.kind, column.unit or "", _range(column), column.description)
        for name in info.features
        if (column := known.get(name)) is not None
    ]
    return table(("feature", "kind", "unit", "range or levels", "what"), rows)


def _range(column: Column) -> str:
    if column.kind == "flag":
        return f"{column.true_level}, {column.false_level}"
    if column.kind == "category":
        more = f" and {len(column.levels) - 5} more" if len(column.levels) > 5 else ""
        return ", ".join(column.levels[:5]) + more
    low, high = ("" if bound is None else f"{bound:g}" for bound in (column.minimum, column.maximum))
    return f"{low} to {high}" if low and high else f"from {low}" if low else f"up to {high}" if high else ""


def _kept_out(info: ModelInfo, contract: Contract | None) -> str:
    if contract is None:
        return UNKNOWN
    why = {
        "id": "names a customer",
        "ignored": "the contract ignores it",
        "value": "what a customer is worth: only campaigns are planned with it",
        "time": "the time that a row speaks of: it tells the monitor what months usually are",
        "sensitive": "sensitive: never given to a model, only used to compare groups",
        "feature": "a feature of the contract that this model does not read",
    }
    rows = [(code(c.name), c.role, why[c.role]) for c in contract.columns if c.role != "feature" or c.name not in info.features]
    return table(("column", "role", "why"), rows) if rows else "Nothing: the model reads every column of the contract."


def _training(info: ModelInfo, params: Params | None, reduced: Sequence[str]) -> str:
    chosen = facts({name: number(value) for name, value in info.params.items()}) if info.params else UNKNOWN
    if reduced:
        chosen += "\n\nTo train within minutes:\n\n" + "\n".join(f"- {line(said)}" for said in reduced)
    if info.refitted_on:
        chosen += (
            f"\n\nAll scores are of the pipeline that learned from {info.rows:,} customers. What is served is the same one, "
            f"with the same settings, fitted on {info.refitted_on:,}: those who judged it, too."
        )
    if params is None:
        return chosen
    what = "Chosen: the mean of the log-odds of" if "member_1" in info.params else "Chosen"
    return f"Searched by {params.tuning.folds}-fold cross-validation, scored by {params.tuning.scoring}. {what}:\n\n{chosen}"


def _limits(info: ModelInfo, evaluation: Report | None) -> str:
    limits = [
        "It knows what its columns say of one period: no history, no price of a competitor, no reason in words.",
        "What is missing in a request is filled in, which makes the answer more like everybody's; but where enough customers "
        "lacked a column in training, that it is missing may count by itself.",
        "A column that is kept out can still act through another that goes with it (a proxy). The gaps above are where to look.",
        "The intervals tell chance, not drift: they hold for customers like those held out.",
        "Using it changes the outcome it predicts: who is contacted and stays was not wrong to flag.",
    ]
    if info.pretrained_on:
        limits.insert(
            0,
            "**It started from simulated customers.** Where their population was made from the data that also judges the model, "
            "as that of the telecom contract was, its scores are too good; with `pretraining_rows: 0` they are honest.",
        )
    if info.simulated:
        limits.insert(0, "**Simulated data: none of its scores says anything about real customers.**")
    if evaluation is None:
        limits.append("This card was written after the fact, from what the version's record knows.")
    return "\n".join(f"- {limit}" for limit in limits)


def _reproduce(info: ModelInfo, params: Params | None) -> str:
    commit = f"Commit {code(info.git_commit)}" if info.git_commit else "The commit is not recorded"
    text = f"{commit}; training data with digest {code(info.data_digest)}; `churn train` (or `dvc repro`)."
    if params is None:
        return text
    dumped = yaml.safe_dump(params.model_dump(mode="json"), sort_keys=False, default_flow_style=None, width=120)
    return f"{text} The same data, params and seed give the same model, bit for bit.\n\n```yaml\n{dumped}```"
