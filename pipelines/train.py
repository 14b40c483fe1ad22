"""The training flow: data → contract → split → tune + fit → evaluate → gate → registry."""

from __future__ import annotations

import subprocess
from typing import Any

import pandas as pd
from prefect import flow, get_run_logger, task
from prefect.cache_policies import NO_CACHE

from churn.contract import Contract, load_contract
from churn.data import Dataset, read_dataset
from churn.errors import NoModel
from churn.model import Model
from churn.params import Params, load_params
from churn.plots import draw_quality
from churn.promotion import GateDecision, decide
from churn.records import Decision
from churn.registry import Registry
from churn.settings import Settings, load_settings
from churn.store import Store
from churn.training import Trained, TrainingSet, assemble, train
from pipelines.sources import find_data

TRIGGERS = ("schedule", "drift", "first model", "manual")


@task(cache_policy=NO_CACHE)
def read_customers(settings: Settings, contract: Contract) -> Dataset:
    """Read the labelled customers and hold them against the contract."""
    source = find_data(settings)
    return read_dataset(source.path, contract, simulated=source.simulated)


@task(cache_policy=NO_CACHE, retries=3, retry_delay_seconds=5)
def read_labelled_traffic(store: Store, contract: Contract) -> pd.DataFrame:
    """Read what was predicted and has come true since."""
    return store.read_predictions(contract, after_outcome_seq=0)


@task(cache_policy=NO_CACHE)
def tune_and_fit(training_set: TrainingSet, contract: Contract, params: Params, name: str, trigger: str) -> Trained:
    """Search the grid, fit the best, score it on the holdout."""
    return train(training_set, contract, params, name=name, trigger=trigger, git_commit=git_commit())


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def load_champion(registry: Registry) -> Model | None:
    """Load the model in service, if there is one."""
    try:
        return registry.load(registry.champion_version())
    except NoModel:
        return None


@task(cache_policy=NO_CACHE)
def judge(trained: Trained, champion: Model | None, training_set: TrainingSet, params: Params) -> GateDecision:
    """Let the gate compare challenger and champion on customers neither was trained on."""
    return decide(trained.model, champion, training_set.fresh, params.gate, params.seed)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def register(registry: Registry, trained: Trained, training_set: TrainingSet, decision: GateDecision) -> Model:
    """Log the run with its pictures and register the version, not yet as champion."""
    held, info = training_set.holdout, trained.model.info
    probability = trained.model.predict_probability(held.features)
    files = {
        "plots/quality.png": draw_quality(
            held.outcome.to_numpy(), probability, info.threshold, f"Holdout, {len(held)} customers"
        ),
        "tuning.csv": trained.tuned.candidates,
        "gate.json": {"promote": decision.promote, "reason": decision.reason, **decision.evidence},
    }
    tags = {
        "trigger": info.trigger,
        "data_digest": info.data_digest,
        "data_source": info.data_source,
        "simulated": str(info.simulated).lower(),
        "mlflow.source.git.commit": info.git_commit,
    }
    return registry.register(trained, files, tags)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def conclude(store: Store, registry: Registry, model: Model, decision: GateDecision) -> dict[str, Any]:
    """Write the decision down, and make the challenger champion if it passed."""
    version, trigger = model.info.version, model.info.trigger
    result = "promoted" if decision.promote else "rejected"
    evidence = {"trigger": trigger, "version": version, "data_digest": model.info.data_digest, **decision.evidence}
    store.write_decision(Decision("gate", result, "gate", decision.reason, version, evidence))
    if decision.promote:
        old = registry.promote(version)
        store.write_decision(Decision("promotion", "promoted", "gate", decision.reason, version, evidence | {"replaced": old}))
    store.write_decision(Decision("retrain", result, "train", decision.reason, version, _because(trigger)))
    return {"version": version, "promoted": decision.promote, "reason": decision.reason, "metrics": model.info.metrics}


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


@flow(name="train", on_failure=[record_failure], on_crashed=[record_failure], log_prints=True)
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
        traffic = read_labelled_traffic(store, contract)
        training_set = assemble(dataset, traffic, contract, params)
        trained = tune_and_fit(training_set, contract, params, settings.model_name, trigger)
        champion = load_champion(registry)
        decision = judge(trained, champion, training_set, params)
        model = register(registry, trained, training_set, decision)
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
        return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607
    except (OSError, subprocess.CalledProcessError):
        return ""
