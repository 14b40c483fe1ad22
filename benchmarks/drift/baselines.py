"""What others would have said about the same window."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import cross_val_predict

from churn.contract import Contract

ALPHA = 0.01
EVIDENTLY_ANY, EVIDENTLY_DATASET = "Evidently, any column", "Evidently, dataset drift"
EVIDENTLY_BONFERRONI, TABULAR, CLASSIFIER = "Evidently, Bonferroni", "KS / chi2, Bonferroni", "domain classifier"
NAMES = (EVIDENTLY_ANY, EVIDENTLY_DATASET, EVIDENTLY_BONFERRONI, TABULAR, CLASSIFIER)
# Names of rules, and whether each alarms.
Baseline = Callable[[pd.DataFrame, pd.DataFrame, Contract], dict[str, bool]]


def evidently_defaults(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract) -> dict[str, bool]:
    """Evidently's default methods and thresholds: any column that drifted; its dataset drift (half of the columns)."""
    verdicts = evidently_columns(reference, window, contract)
    return {EVIDENTLY_ANY: any(verdicts), EVIDENTLY_DATASET: sum(verdicts) / len(verdicts) >= 0.5}


def evidently_bonferroni(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract) -> dict[str, bool]:
    """Evidently's tests for small references, with alpha shared by the columns."""
    return {EVIDENTLY_BONFERRONI: any(evidently_columns(reference, window, contract, bonferroni=True))}


def tabular(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract) -> dict[str, bool]:
    """Kolmogorov-Smirnov and chi-squared with Bonferroni, as alibi-detect's TabularDrift."""
    threshold = ALPHA / len(contract.features)
    p_values = [_p_value(reference[c.name], window[c.name], number=_is_number(c.kind)) for c in contract.features]
    return {TABULAR: min(p_values) < threshold}


def domain_classifier(reference: pd.DataFrame, window: pd.DataFrame, contract: Contract) -> dict[str, bool]:
    """A forest that tells window from reference; its out-of-fold answers compared by Kolmogorov-Smirnov (alibi-detect)."""
    rows = min(len(reference), len(window))
    both = pd.concat([reference.sample(rows, random_state=0), window.sample(rows, random_state=0)], ignore_index=True)
    table = np.column_stack(
        [
            both[c.name].fillna(-1.0).to_numpy(float) if c.is_numeric else both[c.name].astype("category").cat.codes
            for c in contract.features
        ]
    )
    side = np.repeat([0, 1], rows)
    forest = RandomForestClassifier(n_estimators=50, min_samples_leaf=5, random_state=0)
    answers = cross_val_predict(forest, table, side, cv=3, method="predict_proba")[:, 1]
    return {CLASSIFIER: bool(stats.ks_2samp(answers[side == 0], answers[side == 1]).pvalue < ALPHA)}


BASELINES: tuple[Baseline, ...] = (evidently_defaults, evidently_bonferroni, tabular, domain_classifier)
# So slow that it gets fewer trials.
SLOW = domain_classifier


def _is_number(kind: str) -> bool:
    return kind in ("number", "integer")


def _p_value(reference: pd.Series, window: pd.Series, *, number: bool) -> float:
    reference, window = reference.dropna(), window.dropna()
    if number:
        return float(stats.ks_2samp(reference, window).pvalue)
    counts = pd.concat([reference.value_counts(), window.value_counts()], axis=1).fillna(0).to_numpy().T
    return float(stats.chi2_contingency(counts).pvalue) if counts.shape[1] > 1 else 1.0


def evidently_columns(
    reference: pd.DataFrame, window: pd.DataFrame, contract: Contract, *, bonferroni: bool = False
) -> list[bool]:
    """Say of each feature whether Evidently finds drift."""
    # Its own functions, column by column: a whole Report takes seconds, and says the same (a test compares them).
    from evidently.legacy.calculations import stattests
    from evidently.legacy.core import ColumnType

    verdicts = []
    for column in contract.features:
        kind = ColumnType.Numerical if _is_number(column.kind) else ColumnType.Categorical
        # It drops what is missing before it looks.
        before, after = reference[column.name].dropna(), window[column.name].dropna()
        if bonferroni:
            test = stattests.ks_stat_test if kind == ColumnType.Numerical else stattests.chi_stat_test
            threshold: float | None = ALPHA / len(contract.features)
        else:
            test, threshold = stattests.get_stattest(before, after, kind, None), None
        verdicts.append(bool(test(before, after, kind, threshold).drifted))
    return verdicts
