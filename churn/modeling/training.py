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
from churn.data.labelled import Labelled
from churn.data.many_rows import count_folds
from churn.data.row_time import MONTH, months_of
from churn.evaluation.report import Evaluation, assess
from churn.evaluation.scorecard import Scorecard
from churn.fairness.reweighing import Fit, Reweighing, consider
from churn.modeling.deep.pretraining import pretrain
from churn.modeling.folds import folds_of
from churn.modeling.model import Model, ModelInfo, build_pipeline, columns_read
from churn.modeling.search.candidates import OnScore
from churn.modeling.search.refit import refit, reserved_since
from churn.modeling.threshold import choose_threshold
from churn.modeling.training_set import TrainingSet, digest_customers
from churn.modeling.training_window import train_on_what_holds
from churn.modeling.tuning import Tuned, tune


@dataclass(frozen=True)
class Trained:
    """A fitted model, with everything that is logged about it.

    Attributes
    ----------
    model : Model
        Fitted anew on the reserved customers too, after the evaluation; `model.judged` is what was evaluated.
    tuned : Tuned
    evaluation : Evaluation
        Of `model.judged`, on customers it was not trained on.
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
    """Tune, fit, choose the threshold, evaluate on the holdout, and fit anew on everybody. The same input gives the same model.

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

    held = training_set.holdout
    tuned, threshold, reweighing = _choose_weights(tuned, known, held, features, contract, params)
    info = ModelInfo(
        name=name,
        trained_at=now(),
        trigger=trigger,
        data_digest=digest_customers(known, sensitive=bool(reweighing and reweighing.taken)),
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
    evaluation = assess(held, Model(tuned.served, info).predict_probability(held.features), threshold, contract, params)
    served, refitted_on = tuned.served, 0
    if not (reweighing and reweighing.taken):  # of traffic nothing sensitive is known, by which it could be weighed
        served, refitted_on = refit(tuned, known, reserved_since(training_set.judges, known), features, form)
    model = Model(served, info.model_copy(update={"refitted_on": refitted_on}), evaluated=tuned.served if refitted_on else None)
    reference = _make_reference(model, tuned, training_set)
    found = {"metrics": evaluation.card.metrics(), "reference_digest": frame_digest(reference)}
    model = replace(model, info=model.info.model_copy(update=found))
    return Trained(model, tuned, evaluation, reference, known, digest_customers(held), reweighing)


def _choose_weights(
    tuned: Tuned, known: Labelled, held: Labelled, features: list[str], contract: Contract, params: Params
) -> tuple[Tuned, float, Reweighing | None]:
    """Choose the threshold, and whether customers weigh by their group where a sensitive column is declared.

    Returns
    -------
    Tuned
        What was found, or the same with reweighed customers.
    float
        Its threshold.
    Reweighing or None
        What became of the candidate with reweighed customers; None if there was none.
    """
    outcome = known.outcome.to_numpy()

    def threshold_for(probability: NDArray[np.float64]) -> float:
        return choose_threshold(outcome, probability, params.threshold, params.profit)

    threshold = threshold_for(tuned.out_of_fold)
    if not contract.sensitive or params.fairness.reweigh == "never":
        return tuned, threshold, None
    plain = Fit(tuned.pipeline, tuned.out_of_fold, threshold, tuned.score)
    folds = folds_of(known, count_folds(outcome, params.tuning.folds, len(features)), params.seed)
    fit, reweighing = consider(plain, known, held, features, folds, threshold_for, contract, params)
    weighed = {"reweighed_by": ", ".join(reweighing.columns)} if reweighing.taken else {}
    chosen = replace(tuned, pipeline=fit.pipeline, best=tuned.best | weighed, out_of_fold=fit.out_of_fold, score=fit.score)
    return chosen, fit.threshold, reweighing


def _make_reference(model: Model, tuned: Tuned, training_set: TrainingSet) -> pd.DataFrame:
    """Return what the monitor compares windows with; see `Trained.reference`."""
    known = training_set.train
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
    return reference
