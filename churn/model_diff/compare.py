"""Compare two registered versions on labelled customers: `ModelDiff`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

from churn.config.params import Params
from churn.contract import Contract
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled
from churn.errors import InputError
from churn.evaluation.paired import Answers, paired_differences
from churn.evaluation.slices import find_slices
from churn.inference.compiler import compile_pipeline
from churn.model_diff.customers import CustomerChange, Named, count_named, largest_changes, named_by
from churn.model_diff.reasons import Reasons
from churn.model_diff.terms import TermChange, compare_terms
from churn.modeling.assignment import Source, assign, mostly_named
from churn.modeling.customer_keys import rule_digest
from churn.modeling.model import Model
from churn.modeling.split import take

MEASURES = ("roc_auc", "pr_auc", "brier", "log_loss", "ece", "profit", "precision", "recall", "selection_rate")
IDENTITY = ("version", "trained_at", "trigger", "data_source", "data_digest", "rows", "threshold", "contract_digest", "run_id")


@dataclass(frozen=True)
class Score:
    """A measure of both models, and the difference, second minus first, with its interval."""

    measure: str
    first: float
    second: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class SliceScore:
    """The log loss of both models in one slice, and the difference, second minus first, with its interval."""

    column: str
    level: str
    rows: int
    first: float
    second: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class ModelDiff:
    """The result of `compare`.

    Attributes
    ----------
    first, second : dict
        What identifies each version.
    source : str
        Whose customers they were compared on.
    labelled, held_out : int
        How many customers; scores and slices are of those held out, by-customer changes of all.
    confidence : float
        Of the intervals.
    scores : list of Score
    slices : list of SliceScore
    columns : dict of str to (float, float)
        Mean absolute contribution of each column in each model, in log-odds; those that moved most first.
    terms : list of TermChange
    named : Named
    changes : list of CustomerChange
    notes : list of str
        What could not be compared, and why.
    """

    first: dict[str, Any]
    second: dict[str, Any]
    source: str
    labelled: int
    held_out: int
    confidence: float
    scores: list[Score]
    slices: list[SliceScore]
    columns: dict[str, tuple[float, float]]
    terms: list[TermChange]
    named: Named
    changes: list[CustomerChange]
    notes: list[str]

    def report(self) -> dict[str, Any]:
        """Return everything, JSON-ready."""
        return asdict(self)


def compare(
    first: Model,
    second: Model,
    dataset: Dataset,
    contract: Contract,
    params: Params,
    pseudonym: Pseudonymiser,
    *,
    top: int = 10,
) -> ModelDiff:
    """Compare two versions of a model on labelled customers.

    Parameters
    ----------
    first, second : Model
    dataset : Dataset
        Labelled.
    contract : Contract
        The one that the dataset was read with.
    params : Params
        Of the split, of evaluation and profit; its seed.
    pseudonym : Pseudonymiser
        That of the store: with it customers are reserved.
    top : int
        How many customers are named whose probability changes most.

    Returns
    -------
    ModelDiff

    Raises
    ------
    InputError
        If both are one version, or one was trained under another contract.
    """
    check_comparable(first, second, contract)
    features = dataset.features[contract.feature_names]
    held, notes = _held_out(first, second, dataset, contract, params, pseudonym)
    outcome = dataset.labelled.to_numpy()
    answers = _answers(first, dataset.features), _answers(second, dataset.features)
    compiled = [compile_pipeline(model.pipeline, model.info.features, contract) for model in (first, second)]
    old, new = compiled
    reasons, terms, columns = None, [], {}
    if old is None or new is None:
        which = " and ".join(m.info.version for m, made in zip((first, second), compiled, strict=True) if made is None)
        notes.append(f"version {which} is no sum of terms: neither terms nor reasons can be compared")
    else:
        reasons = Reasons(old), Reasons(new)
        terms, columns = compare_terms(old, new, contract), _columns(reasons, features, params.seed)
    return ModelDiff(
        *(first.info.model_dump(mode="json", include=set(IDENTITY)), second.info.model_dump(mode="json", include=set(IDENTITY))),
        source=dataset.source,
        labelled=len(outcome),
        held_out=len(held),
        confidence=params.evaluation.confidence,
        scores=_scores(first.judged, second.judged, held, params),
        slices=_slices(first.judged, second.judged, held, contract, params),
        columns=columns,
        terms=terms,
        named=count_named(named_by(*answers), outcome),
        changes=largest_changes(features, _names(dataset), outcome, answers, reasons, top),
        notes=notes,
    )


def check_comparable(first: Model, second: Model, contract: Contract) -> None:
    """Make sure that there is something to compare.

    Parameters
    ----------
    first, second : Model
    contract : Contract

    Raises
    ------
    InputError
        As `compare`.
    """
    if first.info.version == second.info.version:
        raise InputError(f"both are version {first.info.version}: name two versions (churn model list)")
    for info in (first.info, second.info):
        lacking = sorted(set(info.features) - set(contract.feature_names))
        if info.contract != contract.name or lacking:
            why = f" reads {', '.join(lacking[:3])}, which contract {contract.name!r} lacks" if lacking else ""
            raise InputError(
                f"version {info.version} was trained under contract {info.contract!r}"
                + (f" and{why}" if why else f", and CHURN_CONTRACT names {contract.name!r}")
                + ": set CHURN_CONTRACT to the contract of both versions"
            )


def _held_out(
    first: Model, second: Model, dataset: Dataset, contract: Contract, params: Params, pseudonym: Pseudonymiser
) -> tuple[Labelled, list[str]]:
    """Return the customers on whom scores are compared, and notes on what speaks against these."""
    source = Source(dataset.features[contract.feature_names], dataset.customer_id)
    [who] = assign([source], params.split, pseudonym)
    rule = rule_digest(params.split.key, pseudonym, () if mostly_named(source) else contract.feature_names)
    held, notes = take(dataset, who, who.judges), _notes((first, second), contract, rule, params)
    if len(held) == 0 or held.outcome.nunique() < 2:
        notes.append("nobody, or one class only, is held out of the file: the scores are of all its customers")
        held = take(dataset, who, np.ones(len(who), dtype=np.bool_))
    return held, notes


def _names(dataset: Dataset) -> pd.Series:
    """Return what each customer is called: the id or, without one, the number of the row, from 1."""
    rows = pd.Series([f"row {row}" for row in range(1, len(dataset.features) + 1)])
    return rows if dataset.customer_id is None else dataset.customer_id.reset_index(drop=True).fillna(rows)


def _notes(models: tuple[Model, Model], contract: Contract, rule: str, params: Params) -> list[str]:
    notes = []
    for info in (model.info for model in models):
        if info.split_rule != rule or info.reserved < params.split.reserved:
            notes.append(
                f"version {info.version} may have been trained on some of those held out (other customers were reserved then): "
                "its scores may be too good"
            )
        if info.contract_digest != contract.digest:
            notes.append(f"version {info.version} was trained under another edition of contract {contract.name!r}")
    return notes


def _answers(model: Model, features: pd.DataFrame) -> Answers:
    return Answers(model.predict_probability(features), model.info.threshold)


def _scores(first: Model, second: Model, held: Labelled, params: Params) -> list[Score]:
    found = paired_differences(
        held.outcome.to_numpy(),
        _answers(first, held.features),
        _answers(second, held.features),
        params.evaluation,
        params.seed,
        profit=params.profit,
        customer=held.customer,
    )
    return [Score(name, *found[name]) for name in MEASURES if name in found]


def _slices(first: Model, second: Model, held: Labelled, contract: Contract, params: Params) -> list[SliceScore]:
    y = held.outcome.to_numpy()
    old, new = _answers(first, held.features), _answers(second, held.features)
    scores = []
    for part in find_slices(held, contract, params.evaluation.slices)[0]:
        rows = part.rows
        who = None if held.customer is None else held.customer[rows]
        found = paired_differences(
            y[rows],
            Answers(old.probability[rows], old.threshold),
            Answers(new.probability[rows], new.threshold),
            params.evaluation,
            params.seed,
            customer=who,
        )
        scores.append(SliceScore(part.column, part.level, int(rows.sum()), *found["log_loss"]))
    return scores


def _columns(reasons: tuple[Reasons, Reasons], customers: pd.DataFrame, seed: int) -> dict[str, tuple[float, float]]:
    old, new = (one.weight_of_columns(customers, seed) for one in reasons)
    both = {name: (old.get(name, 0.0), new.get(name, 0.0)) for name in {**old, **new}}
    return dict(sorted(both.items(), key=lambda item: (-abs(item[1][1] - item[1][0]), item[0])))
