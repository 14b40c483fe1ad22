"""The whole evaluation of a model on labelled customers: scorecard, intervals, slices and curves."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from churn.config.params import Params
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.curves import curves_of
from churn.evaluation.intervals import metric_intervals
from churn.evaluation.months import score_months
from churn.evaluation.scorecard import Scorecard, evaluate
from churn.evaluation.slices import find_slices, gaps_of, score_slices, slice_by


@dataclass(frozen=True)
class Evaluation:
    """The result of `assess`.

    Attributes
    ----------
    card : Scorecard
    intervals : dict of str to (low, high)
        Of the scorecard's values, by their names; counts have none.
    slices : pandas.DataFrame
        See `churn.evaluation.slices.score_slices`.
    gaps : pandas.DataFrame
        See `churn.evaluation.slices.gaps_of`.
    notes : list of str
        Slices that could not be evaluated, and why.
    curves : dict of str to pandas.DataFrame
        See `churn.evaluation.curves.curves_of`.
    months : pandas.DataFrame
        See `churn.evaluation.months.score_months`; no rows where it is not known when customers were asked about.
    confidence : float
        Of all intervals.
    currency : str
        Of `profit` and `empc`, which are per customer.
    """

    card: Scorecard
    intervals: dict[str, tuple[float, float]]
    slices: pd.DataFrame
    gaps: pd.DataFrame
    notes: list[str]
    curves: dict[str, pd.DataFrame]
    months: pd.DataFrame
    confidence: float
    currency: str

    def metrics(self, prefix: str = "") -> dict[str, float]:
        """Return the scorecard and its intervals (`<name>_low`, `<name>_high`) by name, for a tracker; no NaN."""
        bounds = {
            f"{prefix}{name}_{side}": bound
            for name, interval in self.intervals.items()
            for side, bound in zip(("low", "high"), interval, strict=True)
        }
        return self.card.metrics(prefix) | bounds

    def report(self) -> dict[str, Any]:
        """Return everything but the curves, ready for JSON: no NaN, no NumPy.

        Returns
        -------
        dict
            `metrics` is {name: {value, low, high}}, low and high where there is an interval; `slices`, `gaps` and `months` are
            lists of rows.
        """
        return {
            "confidence": self.confidence,
            "currency": self.currency,
            "metrics": {
                name: {"value": value} | dict(zip(("low", "high"), self.intervals.get(name, ()), strict=False))
                for name, value in self.card.report().items()
            },
            "slices": _rows(self.slices),
            "gaps": _rows(self.gaps),
            "months": _rows(self.months),
            "notes": self.notes,
        }


def assess(known: Labelled, probability: np.ndarray, threshold: float, contract: Contract, params: Params) -> Evaluation:
    """Evaluate probabilities on labelled customers, none of whom the model was fitted on. The same input gives the same result.

    Parameters
    ----------
    known : Labelled
        Where customers have several rows, they count once in what is said about chance.
    probability : array of float in [0, 1], shape (n,)
    threshold : float
    contract : Contract
        Its flags, categories and sensitive columns define the slices.
    params : Params
        `evaluation`, `profit` and `seed`.

    Returns
    -------
    Evaluation
    """
    y, p, how = known.outcome.to_numpy(), np.asarray(probability, dtype=np.float64), params.evaluation
    slices, notes = find_slices(known, contract, how.slices)
    table = score_slices(y, p, threshold, slices, how, params.seed, known.customer)
    return Evaluation(
        card=evaluate(y, p, threshold, profit=params.profit),
        intervals=metric_intervals(
            *(y, p, threshold),
            confidence=how.confidence,
            resamples=how.resamples,
            seed=params.seed,
            profit=params.profit,
            customer=known.customer,
        ),
        slices=table,
        gaps=gaps_of(table),
        notes=notes,
        curves=curves_of(y, p, params.profit, bins=how.calibration_bins, confidence=how.confidence, customer=known.customer),
        months=score_months(known.asked_at, y, p),
        confidence=how.confidence,
        currency=params.profit.currency,
    )


def sliced_by(
    evaluation: Evaluation, known: Labelled, probability: np.ndarray, column: str, levels: pd.Series, params: Params
) -> Evaluation:
    """Add slices by something that is no column of the customers.

    Parameters
    ----------
    evaluation : Evaluation
        Of these customers.
    known : Labelled
    probability : array of float in [0, 1], shape (n,)
    column : str
        What the slices are called.
    levels : pandas.Series, shape (n,)
        As for `churn.evaluation.slices.slice_by`.
    params : Params

    Returns
    -------
    Evaluation
    """
    slices, notes = slice_by(column, levels, known, params.evaluation.slices)
    outcome = known.outcome.to_numpy()
    more = score_slices(outcome, probability, evaluation.card.threshold, slices, params.evaluation, params.seed, known.customer)
    # (Joined as records: a column without any value in one of two frames would be given another type.)
    table = pd.DataFrame([*evaluation.slices.to_dict("records"), *more.to_dict("records")], columns=more.columns)
    return replace(evaluation, slices=table, gaps=gaps_of(table), notes=[*evaluation.notes, *notes])


def _rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {str(name): None if isinstance(value, float) and math.isnan(value) else value for name, value in row.items()}
        for row in table.astype(object).to_dict("records")
    ]
