"""The same race as a Prefect run that leaves its scores in MLflow, one run a baseline, for comparing them there."""

from __future__ import annotations

import pandas as pd
from prefect import flow, task
from prefect.cache_policies import NO_CACHE

from benchmarks.model.baselines import Baseline, baselines, choose
from benchmarks.model.cross_validation import cross_validate, summarise
from benchmarks.model.picture import draw
from churn.config.params import load_params
from churn.config.settings import load_settings
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.registry.registry import Registry


@task(cache_policy=NO_CACHE, task_run_name="{name}")
def score_baseline(
    name: str, baseline: Baseline, known: Labelled, folds: int, repeats: int, seed: int, first: int | None
) -> pd.DataFrame:
    """Score one baseline on the common folds."""
    return cross_validate(name, baseline, known, folds=folds, repeats=repeats, seed=seed, done=lambda: None, first=first)


@task(cache_policy=NO_CACHE, retries=2, retry_delay_seconds=5)
def log_comparison(registry: Registry, scores: pd.DataFrame, folds: int, title: str) -> str:
    """Leave scores and picture in MLflow."""
    summary = summarise(scores, folds)
    runs: dict[str, dict[str, float]] = {}
    for row in summary.to_dict("records"):
        figures = {f"{row['metric']}_{figure}": float(row[figure]) for figure in ("mean", "sd", "low", "high")}
        runs.setdefault(row["baseline"], {}).update(figures)
    return registry.log_comparison(title, runs, {"race.png": draw(scores, title), "scores.csv": scores, "summary.csv": summary})


@flow(name="compare-models")
def compare(
    known: Labelled, contract: Contract, only: list[str], folds: int, repeats: int, first: int | None, seed: int, title: str
) -> pd.DataFrame:
    """Score the baselines and log them."""
    settings = load_settings()
    entered = choose(baselines(contract, load_params(settings.params)), only)
    parts = [score_baseline(name, baseline, known, folds, repeats, seed, first) for name, baseline in entered.items()]
    scores = pd.concat(parts, ignore_index=True)
    log_comparison(Registry(settings), scores, folds, title)
    return scores
