"""What each column is worth: the model without it, on the same folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.cluster.hierarchy import DisjointSet

from benchmarks.model.cross_validation import cross_validate, lead
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.modeling.model import build_pipeline

WITH = "all columns"


@dataclass(frozen=True)
class Without:
    """The pipeline of this repository with some columns always missing, so that nothing can be learned from them."""

    contract: Contract
    seed: int
    columns: tuple[str, ...] = ()

    def __call__(self, known: Labelled, asked: pd.DataFrame) -> np.ndarray:
        """Fit, and give probabilities of shape (n_asked,)."""
        pipeline = build_pipeline(self.seed, form="terms", contract=self.contract)
        pipeline.fit(self._blank(known.features), known.outcome)
        return np.asarray(pipeline.predict_proba(self._blank(asked))[:, 1], dtype=np.float64)

    def _blank(self, features: pd.DataFrame) -> pd.DataFrame:
        blank = features[self.contract.feature_names].copy()
        for name in self.columns:
            blank[name] = None if blank[name].dtype == object else np.nan
        return blank


def column_groups(contract: Contract) -> list[tuple[str, ...]]:
    """Name the columns that say the same, by the contract's relations, together: one alone is never missed.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> [group for group in column_groups(load_contract()) if "total_day_minutes" in group]
    [('total_day_minutes', 'total_day_charge')]
    """
    groups = DisjointSet(contract.feature_names)
    for check in contract.checks:
        if check.times:
            groups.merge(check.column, check.equals)
    return sorted(
        (tuple(name for name in contract.feature_names if name in group) for group in groups.subsets()),
        key=lambda group: contract.feature_names.index(group[0]),
    )


def worth_of_columns(
    known: Labelled, contract: Contract, groups: list[tuple[str, ...]], *, folds: int, seed: int, done: Callable[[], None]
) -> list[dict[str, Any]]:
    """Tell by how much log loss (nats) and ROC AUC get worse without each group of columns, with 95 % intervals.

    Returns
    -------
    list of dict
        columns, and for log_loss and roc_auc the mean, low and high of what is lost without them: above 0 they help.
    """
    score = partial(cross_validate, known=known, folds=folds, repeats=1, seed=seed, done=done)
    whole = score(WITH, Without(contract, seed))
    rows: list[dict[str, Any]] = []
    for group in groups:
        name = ", ".join(group)
        scores = pd.concat([whole, score(name, Without(contract, seed, group))], ignore_index=True)
        lost = {row["metric"]: row for row in lead(scores, WITH, name, folds).to_dict("records")}
        figures = {metric: {key: lost[metric][key] for key in ("mean", "low", "high")} for metric in ("log_loss", "roc_auc")}
        rows.append({"columns": list(group), **figures})
    return sorted(rows, key=lambda row: -row["log_loss"]["mean"])
