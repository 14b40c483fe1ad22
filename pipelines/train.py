"""The training flow: data → contract → split → tune + fit → evaluate → gate → registry."""

from __future__ import annotations

import subprocess
from typing import Any

import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from churn.card import render_card
from churn.contract import Contract, load_contract
from churn.data import Dataset, read_dataset
from churn.errors import NoModel
from churn.model import Model
from churn.params import Params, load_params
from churn.plots import draw_business, draw_quality, draw_slices
from churn.promotion import GateDecision, decide
from churn.records import Decision
from churn.registry import Registry
from churn.settings import Settings, load_settings
from churn.store import Store
from churn.takeover import identity, promote
from churn.training import Trained, TrainingSet, assemble, train
from churn.tuning import scores_to_come
from pipelines.cluster import spread
from pipelines.flow_ends import note_end
from pipelines.serving_check import check_serving
from pipelines.sources import find_data

TRIGGERS = ("schedule", "drift", "first model", "manual")


@task(cache_policy=NO_CACHE)
def read_customers(settings: Settings, contract: Contract) -> Dataset:
    """Read the labelled customers and hold them against the contract."""
    source = find_data(settings)
    return read_dataset(source.path, contract, simulated=source.simulated)


@task(cache_policy=NO_CACHE, retries=3, retry_delay_seconds=5)
def read_labelled_traffic(store: Store, contract: Contract, newest: int) -> pd.DataFrame:
    """Read what was predicted and has come true since, the newest so many."""
    return store.read_predictions(contract, after_outcome_seq=0, newest=newest)


@task(cache_policy=NO_CACHE)
def tune_and_fit(
    training_set: TrainingSet, contract: Contract, params: Params, name: str, trigger: str, scheduler: str = ""
) -> Trained:
    """Search the grid, fit the best, score it on the holdout; candidates and folds on a cluster, if there is a scheduler."""
    logger, total = get_run_logger(), scores_to_come(params.tuning, params.model.form)

    def tell(scores: int) -> None:
        if scores % params.tuning.folds == 0:
            logger.info("tuning: %d%s fits scored", scores, "" if total is None else f" of {total}")

    with spread(scheduler):
        # What is scored elsewhere is not heard of here.
        on_score = None if scheduler else tell
        return train(training_set, contract, params, name=name, trigger=trigger, git_commit=git_commit(), on_score=on_score)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def load_champion(registry: Registry) -> Model | None:
    """Load the model in service, if there is one."""
    try:
        return registry.load(registry.champion_version())
    except NoModel:
        return None


@task(cache_policy=NO_CACHE)
def judge(
    trained: Trained, champion: Model | None, training_set: TrainingSet, contract: Contract, params: Params
) -> GateDecision:
    """Let the gate compare challenger and champion on customers neither was trained on."""
    fresh = training_set.fresh
    serving = check_serving(trained.model, fresh.features, contract)
    return decide(trained.model, champion, fresh, params, contract, serving=serving)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def register(
    registry: Registry, trained: Trained, training_set: TrainingSet, decision: GateDecision, contract: Contract, params: Params
) -> Model:
    """Log the run with its pictures and its card, and register the version, not yet as champion."""
    held, info = training_set.holdout, trained.model.info
    probability, found = trained.model.predict_probability(held.features), trained.evaluation
    title = f"Holdout, {len(held)} customers"
    verdict = {"promote": decision.promote, "reason": decision.reason, **decision.evidence}
    files = {
        "plots/quality.png": draw_quality(held.outcome.to_numpy(), probability, info.threshold, title),
        "plots/business.png": draw_business(found, params.threshold.budget, params.profit, title),
        "plots/slices.png": draw_slices(found, title),
        **{f"curves/{name}.csv": curve for name, curve in found.curves.items()},
        "scorecard.json": found.report(),
        "slices.csv": found.slices,
        "tuning.csv": trained.tuned.candidates,
        "gate.json": verdict,
    }
    tags = {
        "trigger": info.trigger,
        "data_digest": info.data_digest,
        "data_source": info.data_source,
        "simulated": str(info.simulated).lower(),
        "mlflow.source.git.commit": info.git_commit,
    }
    left = float(training_set.train.outcome.mean())
    card = render_card(info, contract=contract, params=params, evaluation=found.report(), gate=verdict, churn_rate=left)
    return registry.register(trained, files, tags, card=card)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def record_verdict(store: Store, model: Model, decision: GateDecision) -> None:
    """Write down what the gate found, before anything follows from it."""
    verdict = "passed" if decision.promote else "rejected"
    store.write_decision(Decision("gate", verdict, "gate", decision.reason, model.info.version, _evidence(model, decision)))


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def conclude(store: Store, registry: Registry, model: Model, decision: GateDecision) -> dict[str, Any]:
    """Make the challenger champion if it passed, and write down what became of the training.

    Nothing says "promoted" before it is true. A process that dies on the way leaves the verdict, an open intent at most, and a
    version that nobody serves; the next training makes another.
    """
    info = model.info
    if decision.promote:
        promote(registry, store, info, actor="gate", reason=decision.reason, evidence=_evidence(model, decision))
    result = "promoted" if decision.promote else "rejected"
    store.write_decision(Decision("retrain", result, "train", decision.reason, info.version, _because(info.trigger)))
    return {"version": info.version, "promoted": decision.promote, "reason": decision.reason, "metrics": info.metrics}


def _evidence(model: Model, decision: GateDecision) -> dict[str, Any]:
    return {**identity(model.info), "version": model.info.version, **decision.evidence}


def _because(trigger: str) -> dict[str, str]:
    """Give the trigger and the word for it that metrics count by; what a person typed counts as manual."""
    return {"trigger": trigger, "reason": trigger if trigger in TRIGGERS else "manual"}


def record_failure(flow: Any, flow_run: Any, state: Any) -> None:
    """Write down that a training did not come to its end."""
    del flow
    settings = load_settings()
    store = Store.open(settings.store_url)
    try:
        trigger = str((flow_run.parameters or {}).get("trigger", "manual"))
        store.write_decision(Decision("retrain", "failed", "train", str(state.message or state.name), None, _because(trigger)))
    finally:
        store.close()


@flow(
    name="train",
    on_completion=[note_end],
    on_failure=[record_failure, note_end],
    on_crashed=[record_failure, note_end],
    log_prints=True,
)
def train_flow(trigger: str = "manual", data: str | None = None) -> dict[str, Any]:
    """Train a challenger on the data and the labelled traffic; it becomes champion if it passes the gate.

    Parameters
    ----------
    trigger : str
        Why: schedule, manual, or what the monitor saw.
    data : str, optional
        File of labelled customers; None is the one of CHURN_DATA.
    """
    settings = load_settings() if data is None else load_settings(data=data)
    contract, params = load_contract(settings.contract), load_params(settings.params)
    store, registry = Store.open(settings.store_url), Registry(settings)
    try:
        dataset = read_customers(settings, contract)
        traffic = read_labelled_traffic(store, contract, settings.max_training_rows)
        training_set = assemble(dataset, traffic, contract, params)
        trained = tune_and_fit(training_set, contract, params, settings.model_name, trigger, settings.dask_scheduler)
        champion = load_champion(registry)
        decision = judge(trained, champion, training_set, contract, params)
        model = register(registry, trained, training_set, decision, contract, params)
        record_verdict(store, model, decision)
        result = conclude(store, registry, model, decision)
    finally:
        store.close()
    get_run_logger().info(
        "version %s %s: %s", result["version"], "promoted" if result["promoted"] else "rejected", result["reason"]
    )
    return result


def git_commit() -> str:
    """Name the checkout's commit; empty where there is no git or no checkout."""
    try:
        return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607 -- git, wherever it is; what it says is a note
    except (OSError, subprocess.CalledProcessError):
        return ""
