"""Train a model on labelled customers, and evaluate it on the holdout. Knows neither Prefect nor MLflow."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.clock import now
from churn.config.params import Params
from churn.contract import Contract
from churn.customers.frame import frame_digest
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import Dataset
from churn.data.labelled import Labelled, customer_numbers
from churn.data.many_rows import count_folds
from churn.data.row_time import MONTH, join_times, months_of
from churn.evaluation.report import Evaluation, assess
from churn.evaluation.scorecard import Scorecard
from churn.fairness.reweighing import Fit, Reweighing, consider
from churn.modeling.assignment import NO_PSEUDONYM, Assignment, Source, assign, mostly_named
from churn.modeling.customer_keys import rule_digest
from churn.modeling.deep.pretraining import pretrain
from churn.modeling.folds import folds_of
from churn.modeling.model import Model, ModelInfo, build_pipeline, columns_read
from churn.modeling.newest import newest_rows
from churn.modeling.search.candidates import OnScore
from churn.modeling.split import split
from churn.modeling.standing import Standing, repeated
from churn.modeling.threshold import choose_threshold
from churn.modeling.training_window import train_on_what_holds
from churn.modeling.tuning import Tuned, tune


@dataclass(frozen=True)
class TrainingSet:
    """The customers to train on, and those kept for evaluation and for the gate.

    Attributes
    ----------
    train : Labelled
        The data's training part, then the part of the labelled traffic that may be trained on.
    holdout : Labelled
        The data's holdout.
    fresh : Labelled
        The gate's customers: the newest traffic that no model was trained on or, where that is too little, the holdout.
    source : str
        Where the customers come from, for people.
    simulated : bool
    rule : str
        Digest of the rule by which customers were reserved.
    left_out : int
        Reserved customers who do not judge, since they were trained on under another key; see `churn.modeling.assignment`.
    dated : int
        How many of the last rows of `train` are traffic, in the order in which it was asked about.
    standing : Standing or None
        Where customers were acted on: who of the rows stands for how many. None if each stands for itself.
    """

    train: Labelled
    holdout: Labelled
    fresh: Labelled
    source: str
    simulated: bool
    fresh_is_traffic: bool = False
    rule: str = ""
    left_out: int = 0
    dated: int = 0
    standing: Standing | None = None

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that identify the customers trained on."""
        return _digest(self.train)


@dataclass(frozen=True)
class Trained:
    """A fitted model, with everything that is logged about it.

    Attributes
    ----------
    model : Model
    tuned : Tuned
    evaluation : Evaluation
        On customers it was not trained on.
    reference : pandas.DataFrame, shape (n_train, 3 + n_features)
        The monitor's reference: churn_probability (out-of-fold), churned (0 or 1), served_probability (this model's own), then
        the features. Where customers were acted on, each row once, with its weight before the features, and theirs too: with a
        weight of 0 and churned NaN. Where the data tell times, requested_month comes last (2026-03, else None).
    learned : Labelled
        The customers that it learned from: those of the training set, or the newest of them.
    held_out_digest : str
        Identifies the customers of the evaluation, as `TrainingSet.digest` does those learned from.
    reweighing : Reweighing or None
        What came of a candidate trained with reweighed customers; None if none was asked for, or nothing is sensitive.
    """

    model: Model
    tuned: Tuned
    evaluation: Evaluation
    reference: pd.DataFrame
    learned: Labelled
    held_out_digest: str = ""
    reweighing: Reweighing | None = None

    @property
    def holdout(self) -> Scorecard:
        """Return the scorecard of the holdout."""
        return self.evaluation.card


def assemble(
    dataset: Dataset, traffic: pd.DataFrame | None, contract: Contract, params: Params, pseudonym: Pseudonymiser = NO_PSEUDONYM
) -> TrainingSet:
    """Combine the data and the labelled traffic into a training set: who is reserved in one is so in the other.

    Where customers were acted on, rows of those who were not are repeated as often as their weights say, as rows of the same
    customer; see docs/adr/0025-what-may-be-learned-from.md.

    Parameters
    ----------
    dataset : Dataset
        Labelled.
    traffic : pandas.DataFrame or None
        Labelled predictions that are mature, as `churn.lifecycle.mature_traffic.read_mature_traffic` gives them.
    contract : Contract
    params : Params
    pseudonym : Pseudonymiser
        That of the store, by which the data's customers are known there.

    Returns
    -------
    TrainingSet
    """
    sources = [Source(dataset.features[contract.feature_names], dataset.customer_id)]
    if traffic is not None:
        sources.append(Source(traffic[contract.feature_names], traffic["customer_id"]))
    here, *there = assign(sources, params.split, pseudonym)
    train, holdout = split(dataset, here, params.split, folds=params.tuning.folds)
    rule = rule_digest(params.split.key, pseudonym, () if mostly_named(sources[0]) else contract.feature_names)
    if traffic is None or traffic.empty:
        return TrainingSet(train, holdout, holdout, dataset.source, dataset.simulated, rule=rule)
    who = there[0]
    weight = traffic["weight"].to_numpy(dtype=np.float64) if "weight" in traffic else None
    usable = np.ones(len(traffic), dtype=np.bool_) if weight is None else weight > 0
    judges = np.flatnonzero(who.judges & usable)
    newest = judges[newest_rows(traffic["requested_at"].iloc[judges], traffic["churned"].to_numpy()[judges], params.gate)]
    fresh = _labelled(traffic, contract, who, repeated(newest, weight))
    if weight is not None:
        fresh = replace(fresh, original=repeated(newest, weight).astype(np.int64))
    enough = len(newest) >= params.gate.min_fresh_rows and 0 < fresh.outcome.sum() < len(fresh)
    rows = np.flatnonzero(who.learns & usable)
    learned_rows = repeated(rows, weight)
    learned = _labelled(traffic, contract, who, learned_rows)
    return TrainingSet(
        train=Labelled(
            pd.concat([train.features, learned.features], ignore_index=True),
            pd.concat([train.outcome, learned.outcome], ignore_index=True),
            # The prediction log holds no sensitive columns.
            None if train.sensitive is None else train.sensitive.reindex(range(len(train) + len(learned))),
            customer_numbers(pd.Series(np.concatenate([here.customer[here.learns], who.customer[learned_rows]]))),
            np.concatenate([here.fold[here.learns], who.fold[learned_rows]]),
            asked_at=join_times(len(train), train.asked_at, traffic["requested_at"].iloc[learned_rows]),
        ),
        holdout=holdout,
        fresh=fresh if enough else holdout,
        source=f"{dataset.source} + {len(learned)} labelled predictions",
        simulated=dataset.simulated,
        fresh_is_traffic=enough,
        rule=rule,
        left_out=len(here.left_out | who.left_out),
        dated=len(learned),
        standing=None if weight is None else Standing.of(traffic[contract.feature_names], weight, who.learns),
    )


def _digest(known: Labelled, *, sensitive: bool = False) -> str:
    """Identify customers by what a model learns from: what is sensitive only where it weighs them."""
    weighed = known.sensitive.add_prefix("<sensitive> ") if sensitive and known.sensitive is not None else None
    return frame_digest(pd.concat([known.features.assign(**{"<outcome>": known.outcome}), weighed], axis=1))


def _labelled(traffic: pd.DataFrame, contract: Contract, who: Assignment, rows: NDArray[np.intp]) -> Labelled:
    taken = traffic.iloc[rows]
    return Labelled(
        taken[contract.feature_names].reset_index(drop=True),
        taken["churned"].astype(np.int64).reset_index(drop=True),
        customer=customer_numbers(pd.Series(who.customer[rows])),
        fold=who.fold[rows],
        asked_at=taken["requested_at"].reset_index(drop=True),
    )


def train(
    training_set: TrainingSet,
    contract: Contract,
    params: Params,
    *,
    name: str,
    trigger: str,
    git_commit: str = "",
    on_score: OnScore | None = None,
    pretraining: Labelled | None = None,
) -> Trained:
    """Tune, fit, choose the threshold, and evaluate on the holdout. The same input gives the same model, bit for bit.

    Where the newest traffic contradicts what all customers teach, only the newer ones are trained on
    (`churn.modeling.training_window`).

    Parameters
    ----------
    training_set : TrainingSet
    contract : Contract
    params : Params
    name : str
        Of the registered model.
    trigger : str
        Why it is trained.
    git_commit : str
        Of the code; empty if unknown.
    on_score : callable, optional
        Receives the tuning's progress, see `churn.modeling.tuning.tune`.
    pretraining : Labelled, optional
        Customers on whom a network is pretrained; other forms ignore them.

    Returns
    -------
    Trained
    """
    form = params.model.form
    features = columns_read(form, contract)
    pipeline = build_pipeline(params.seed, form=form, contract=contract)
    if form != "deep":
        pretraining = None
    elif pretraining is not None:
        pipeline = pretrain(pipeline, pretraining, features)

    def search(customers: Labelled) -> Tuned:
        return tune(pipeline, customers, features, params.tuning, params.seed, form=form, on_score=on_score)

    def ask(tuned: Tuned, customers: Labelled) -> NDArray[np.float64]:
        return np.asarray(tuned.pipeline.predict_proba(customers.features[features])[:, 1])

    known, tuned = train_on_what_holds(training_set.train, training_set.dated, search, ask)
    if len(known) < len(training_set.train):
        source = f"the newest {len(known)} of {training_set.source}"
        training_set = replace(training_set, train=known, dated=len(known), source=source)

    def threshold_for(probability: NDArray[np.float64]) -> float:
        return choose_threshold(known.outcome.to_numpy(), probability, params.threshold, params.profit)

    held, threshold, reweighing = training_set.holdout, threshold_for(tuned.out_of_fold), None
    if contract.sensitive and params.fairness.reweigh != "never":
        folds = folds_of(known, count_folds(known.outcome.to_numpy(), params.tuning.folds), params.seed)
        fit, reweighing = consider(
            *(Fit(tuned.pipeline, tuned.out_of_fold, threshold, tuned.score), known, held, features, folds, threshold_for),
            *(contract, params),
        )
        threshold, weighed = fit.threshold, {"reweighed_by": ", ".join(reweighing.columns)} if reweighing.taken else {}
        tuned = replace(tuned, pipeline=fit.pipeline, best=tuned.best | weighed, out_of_fold=fit.out_of_fold, score=fit.score)
    info = ModelInfo(
        name=name,
        trained_at=now(),
        trigger=trigger,
        data_digest=_digest(known, sensitive=bool(reweighing and reweighing.taken)),
        data_source=training_set.source,
        simulated=training_set.simulated,
        form=form,
        pretrained_on=0 if pretraining is None else len(pretraining),
        rows=len(known),
        contract=contract.name,
        contract_digest=contract.digest,
        features=features,
        threshold=threshold,
        profit=params.profit,
        params={key: value if isinstance(value, str) else float(str(value)) for key, value in tuned.best.items()},
        git_commit=git_commit,
        split_rule=training_set.rule,
        reserved=params.split.reserved,
    )
    model = Model(tuned.served, info)
    evaluation = assess(held, model.predict_probability(held.features), threshold, contract, params)
    reference = known.features.copy()
    reference.insert(0, "churn_probability", tuned.out_of_fold)
    reference.insert(1, "churned", known.outcome.to_numpy())
    # The monitor compares a window's predictions with those of this very model. Out-of-fold predictions come from other models,
    # whose thresholds lie elsewhere.
    reference.insert(2, "served_probability", model.predict_probability(known.features))
    file_rows = len(known) - training_set.dated
    if known.asked_at is not None and known.asked_at.iloc[:file_rows].notna().any():
        # Of the traffic's months some may hold what the monitor is to find.
        reference[MONTH] = months_of(known.asked_at.where(known.asked_at.index < file_rows)).to_numpy()
    if training_set.standing is not None:
        reference = training_set.standing.complete(reference, training_set.dated, model)
    found = {"metrics": evaluation.card.metrics(), "reference_digest": frame_digest(reference)}
    model = Model(tuned.served, info.model_copy(update=found))
    return Trained(model, tuned, evaluation, reference, known, _digest(held), reweighing)
