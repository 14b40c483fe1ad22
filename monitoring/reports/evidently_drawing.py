"""Evidently's snapshots of a window beside its reference.

They decide nothing, and cannot contradict what was decided: the p-values and thresholds that Evidently shows are those of the
run, made of all rows, though what is drawn is a bounded sample, which the page states. Evidently drops missing values:
missingness that drifted is drawn as a count of its own. Columns that cannot be compared (constant, or empty on one side) would
stop Evidently: they are left out, and named.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from churn.contract import Contract
from monitoring.drift.columns import OUTCOME, PROBABILITY
from monitoring.drift.results import DriftReport
from monitoring.run_result import RunResult

# Evidently needs 10 s for 100,000 rows; a picture of 5,000 looks the same.
SAMPLE_ROWS = 5_000
NUMBERS, LEVELS = "churn_numbers", "churn_levels"


@dataclass(frozen=True)
class Drawing:
    """A report that Evidently can compute.

    Attributes
    ----------
    report : evidently.Report
        With its metrics.
    sides : list of evidently.Dataset
        The window first, then the reference.
    left_out : dict of str
        Columns that are not drawn, and why.
    """

    name: str
    report: Any
    sides: list[Any]
    left_out: dict[str, str] = field(default_factory=dict)

    def compute(self) -> Any:
        """Return Evidently's snapshot, without metadata."""
        return self.report.run(*self.sides, name=self.name)

    def compute_for(self, result: RunResult) -> Any:
        """Return Evidently's snapshot, with the run and what it decided as metadata."""
        rows = {"drift": result.rows, "performance": result.labelled_rows}[self.name]
        tags = [self.name, f"model {result.model_version}", *(["sample"] if rows > SAMPLE_ROWS else [])]
        metadata = {
            "run_id": result.run_id,
            "model_version": result.model_version,
            "rows": str(rows),
            "drawn_rows": str(min(rows, SAMPLE_ROWS)),
            "covariate_alarm": str(result.covariate_alarm),
            "concept_alarm": str(result.concept_alarm),
            "action": result.policy.action,
            "reason": result.policy.reason,
            "left_out": ", ".join(sorted(self.left_out)) or "nothing",
        }
        started: datetime = result.started_at
        return self.report.run(*self.sides, timestamp=started, name=self.name, tags=tags, metadata=metadata)


def draw_drift(drift: DriftReport, window: pd.DataFrame, reference: pd.DataFrame, contract: Contract, *, seed: int) -> Drawing:
    """Draw each column of a window beside its reference.

    Parameters
    ----------
    drift : DriftReport
        What was found; its p-values are shown.
    window, reference : pandas.DataFrame
        Rows of both sides; of more than 5,000 a sample is drawn.
    contract : Contract
        The description of a customer.
    seed : int
        Of the sample.

    Returns
    -------
    Drawing
        Named "drift".
    """
    from evidently import DataDefinition, Dataset, Report
    from evidently.metrics import DatasetMissingValueCount, DriftedColumnsCount, MissingValueCount, RowCount, ValueDrift

    _register_tests(_p_values(drift))
    parts = [_sample(part, seed) for part in (window, reference)]
    compared = {result.feature: result.method for result in drift.results if result.aspect in ("values", "prediction")}
    # Where values are few, the sample may have none of them.
    drawn = [name for name, method in compared.items() if method != "none" and all(part[name].notna().any() for part in parts)]
    left_out = {name: "constant or empty" for name in compared if name not in drawn}
    absent = [result.feature for result in drift.drifted if result.aspect == "missing"]
    numbers = [name for name in drawn if name == PROBABILITY or contract[name].kind in ("number", "integer")]
    others = [name for name in dict.fromkeys(drawn + absent) if name not in numbers]
    definition = DataDefinition(numerical_columns=numbers, categorical_columns=others)
    metrics: list[Any] = [RowCount(), DatasetMissingValueCount()]
    if drawn:
        metrics.append(
            DriftedColumnsCount(
                columns=drawn,
                num_method=NUMBERS,
                cat_method=LEVELS,
                num_threshold=drift.alpha,
                cat_threshold=drift.alpha,
                drift_share=1 / len(drawn),
            )
        )
    metrics += [ValueDrift(column=name, method=NUMBERS if name in numbers else LEVELS, threshold=drift.alpha) for name in drawn]
    metrics += [MissingValueCount(column=name) for name in absent]
    sides = [Dataset.from_pandas(_flags_as_words(part, drawn + absent, contract), data_definition=definition) for part in parts]
    return Drawing("drift", Report(metrics, include_tests=True), sides, left_out)


def draw_performance(labelled: pd.DataFrame, reference: pd.DataFrame, *, seed: int) -> Drawing:
    """Draw the quality of the answers on outcomes beside that on the reference.

    Parameters
    ----------
    labelled, reference : pandas.DataFrame
        Columns churn_probability and churned; of more than 5,000 rows a sample is drawn.
    seed : int
        Of the sample.

    Returns
    -------
    Drawing
        Named "performance"; without curves where a side has outcomes of one kind only.
    """
    from evidently import BinaryClassification, DataDefinition, Dataset, Report
    from evidently.metrics import LogLoss, RocAuc, RowCount

    parts = [_sample(part.loc[part[OUTCOME].notna(), [OUTCOME, PROBABILITY]], seed) for part in (labelled, reference)]
    drawable = all(part[OUTCOME].nunique() == 2 for part in parts)
    task = BinaryClassification(target=OUTCOME, prediction_probas=PROBABILITY, pos_label=1)
    definition = DataDefinition(
        numerical_columns=[PROBABILITY], categorical_columns=[OUTCOME], classification=[task] if drawable else None
    )
    sides = [Dataset.from_pandas(part.astype({OUTCOME: int}), data_definition=definition) for part in parts]
    report = Report([RowCount(), RocAuc(), LogLoss()] if drawable else [RowCount()], include_tests=False)
    return Drawing("performance", report, sides, {} if drawable else {OUTCOME: "outcomes of one kind only"})


def _p_values(drift: DriftReport) -> dict[str, float]:
    """Return the p-value that decided about each column: the smallest of its own, and of the pairs that it is in."""
    p_values: dict[str, float] = {}
    for result in drift.results:
        if result.aspect not in ("missing", "slice"):
            for name in (result.feature, result.other):
                if name is not None:
                    p_values[name] = min(p_values.get(name, 1.0), result.p_value)
    return p_values


def _register_tests(p_values: Mapping[str, float]) -> None:
    """Make the run's p-values known to Evidently as tests with names: its metrics take no functions.

    Each run replaces those of the run before: Evidently asks only while it runs.
    """
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType

    def decided(reference: pd.Series, current: pd.Series, _type: Any, threshold: float) -> tuple[float, bool]:
        p_value = p_values.get(str(current.name), 1.0)
        return p_value, p_value <= threshold

    def decided_levels(reference: pd.Series, current: pd.Series, _type: Any, threshold: float) -> tuple[float, bool]:
        return decided(reference, current, _type, threshold)

    register_stattest(StatTest(NUMBERS, "calibrated rank scores, p-value of the run", [ColumnType.Numerical]), decided)
    register_stattest(StatTest(LEVELS, "exact test of shares, p-value of the run", [ColumnType.Categorical]), decided_levels)


def _flags_as_words(frame: pd.DataFrame, names: list[str], contract: Contract) -> pd.DataFrame:
    """Return the drawn columns, with flags as the contract's words."""
    shown = frame[list(dict.fromkeys(names))].copy()
    for name in shown:
        if name != PROBABILITY and contract[str(name)].kind == "flag":
            column = contract[str(name)]
            shown[name] = shown[name].map({1.0: column.true_level, 0.0: column.false_level}).astype(object)
    return shown


def _sample(frame: pd.DataFrame, seed: int) -> pd.DataFrame:
    drawn = frame.sample(SAMPLE_ROWS, random_state=seed) if len(frame) > SAMPLE_ROWS else frame
    return drawn.reset_index(drop=True)
