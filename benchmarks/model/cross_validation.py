"""Repeated stratified cross-validation: every baseline on exactly the same folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats
from sklearn.model_selection import RepeatedStratifiedKFold, StratifiedGroupKFold

from benchmarks.model.baselines import Baseline
from benchmarks.model.kept import KeptScores
from churn.data.labelled import Labelled, customer_numbers
from churn.evaluation.scorecard import evaluate
from churn.modeling.customer_keys import content_bytes

# Larger is better in the first two.
METRICS = {"roc_auc": "ROC AUC", "pr_auc": "PR AUC", "brier": "Brier", "log_loss": "log loss", "ece": "ECE"}
CONFIDENCE = 0.95


def cross_validate(
    name: str,
    baseline: Baseline,
    known: Labelled,
    *,
    folds: int,
    repeats: int,
    seed: int,
    done: Callable[[], None],
    first: int | None = None,
    kept: KeptScores | None = None,
) -> pd.DataFrame:
    """Score one baseline.

    Parameters
    ----------
    name : str
    baseline : Baseline
    known : Labelled
    folds, repeats, seed : int
        As in `plan`.
    done : callable
        Called after each fold.
    first : int, optional
        Of the planned folds only so many.
    kept : KeptScores, optional
        Folds that are kept there are not scored again, and each that is scored is kept there.

    Returns
    -------
    pandas.DataFrame, shape (n_folds, 2 + n_metrics)
        baseline, fold, and a column a metric.
    """
    outcome = known.outcome.to_numpy()
    rows: list[dict[str, Any]] = []
    for fold, (learned, asked) in enumerate(islice(plan(known, folds=folds, repeats=repeats, seed=seed), first)):
        if kept is not None and (found := kept.get(name, fold)) is not None:
            rows.append(found)
            done()
            continue
        part = Labelled(known.features.iloc[learned].reset_index(drop=True), known.outcome.iloc[learned].reset_index(drop=True))
        card = evaluate(outcome[asked], baseline(part, known.features.iloc[asked]), 0.5)
        rows.append({"baseline": name, "fold": fold, **{metric: float(getattr(card, metric)) for metric in METRICS}})
        if kept is not None:
            kept.keep(rows[-1])
        done()
    return pd.DataFrame(rows)


def plan(known: Labelled, *, folds: int, repeats: int, seed: int) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Plan the folds: stratified; customers who are alike in every column stay together, since they may be one.

    Parameters
    ----------
    known : Labelled
    folds, repeats : int
    seed : int

    Yields
    ------
    learned, asked : array of int
        Rows.
    """
    outcome = known.outcome.to_numpy()
    alike = customer_numbers(pd.Series(content_bytes(known.features), dtype=object))
    if alike is None:
        yield from RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed).split(outcome, outcome)
        return
    for repeat in range(repeats):
        yield from StratifiedGroupKFold(folds, shuffle=True, random_state=seed + repeat).split(outcome, outcome, alike)


def summarise(scores: pd.DataFrame, folds: int) -> pd.DataFrame:
    """Give mean, standard deviation and 95 % interval of each baseline and metric.

    The folds of repeated cross-validation share customers, so their standard error is the corrected one of Nadeau and Bengio,
    Inference for the Generalization Error, Machine Learning 52, 2003: variance * (1 / folds + test share / training share).

    Parameters
    ----------
    scores : pandas.DataFrame
        Of `race`, one or more baselines.
    folds : int
        In one repeat.

    Returns
    -------
    pandas.DataFrame
        baseline, metric, mean, sd, low, high, in the order of `scores`.

    Examples
    --------
    >>> scores = pd.DataFrame({"baseline": "a", "fold": range(5), **{metric: [0.8, 0.9, 0.8, 0.9, 0.85] for metric in METRICS}})
    >>> summarise(scores, 5).query("metric == 'roc_auc'")[["mean", "sd", "low", "high"]].round(3).values.tolist()
    [[0.85, 0.05, 0.757, 0.943]]
    """
    rows = []
    for name, part in scores.groupby("baseline", sort=False):
        for metric in METRICS:
            values = part[metric].to_numpy()
            error = values.std(ddof=1) * np.sqrt(1 / len(values) + 1 / (folds - 1))
            reach = float(stats.t.ppf((1 + CONFIDENCE) / 2, len(values) - 1) * error)
            mean = float(values.mean())
            sd = float(values.std(ddof=1))
            rows.append({"baseline": name, "metric": metric, "mean": mean, "sd": sd, "low": mean - reach, "high": mean + reach})
    return pd.DataFrame(rows)


def lead(scores: pd.DataFrame, ours: str, baseline: str, folds: int) -> pd.DataFrame:
    """Return how much better `ours` is than `baseline` on the same folds, as `summarise` does: above 0 is better."""
    mine, theirs = (scores[scores["baseline"] == name].set_index("fold")[list(METRICS)] for name in (ours, baseline))
    better = (mine - theirs) * np.array([1 if metric in ("roc_auc", "pr_auc") else -1 for metric in METRICS])
    return summarise(better.reset_index().assign(baseline=f"{ours} over {baseline}"), folds)
