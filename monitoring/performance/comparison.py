"""The quality of the model in a window beside that of its reference, and beside what its answers promised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from churn.config.params import ProfitParams
from churn.evaluation.weights import WEIGHT
from monitoring.performance.estimation import Estimate, estimate_performance
from monitoring.performance.metrics import Performance, customers_of, measure_performance

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, slots=True)
class PerformanceComparison:
    """How good the model is, by everything that is known.

    Attributes
    ----------
    realized, reference : Performance or None
        On the window's outcomes, and on the reference's. None where the window has too few new outcomes.
    estimated : Estimate or None
        Without outcomes, from the answers to the newest customers. None without a reference or without answers.
    gaps : tuple of str
        Measures that came out otherwise than the same customers' answers promised: a sign of concept drift.
    currency : str or None
        Of the profit; None where no campaign is known.
    """

    realized: Performance | None = None
    reference: Performance | None = None
    estimated: Estimate | None = None
    gaps: tuple[str, ...] = ()
    currency: str | None = None


def compare_performance(
    reference: pd.DataFrame,
    labelled: pd.DataFrame,
    answers: pd.DataFrame,
    threshold: float | None,
    campaign: ProfitParams | None,
    *,
    seen: pd.DataFrame | None = None,
) -> PerformanceComparison:
    """Measure the model on outcomes where there are any, and estimate its quality on answers without them.

    Parameters
    ----------
    reference, labelled : pandas.DataFrame
        Columns churn_probability (0 to 1) and churned (0 or 1), and weight where rows stand for others. Without labelled rows
        nothing is realized, nor with a weight that is not known (NaN).
    answers : pandas.DataFrame
        The model's newest: column churn_probability. Like labelled rows, they may have a customer_id that says who is who.
    threshold : float or None
        Who is at or above it is contacted, in [0, 1].
    campaign : ProfitParams or None
        What contacting a customer costs and brings; without it there is no profit.
    seen : pandas.DataFrame, optional
        The reference as outcomes show it where campaigns took some away (`monitoring.performance.score_selection`).

    Returns
    -------
    PerformanceComparison
        What cannot be known is None.
    """
    estimated = _estimate(reference, answers, threshold, campaign)
    currency = campaign.currency if campaign is not None else None
    # Without a control group it is not known for whom the outcomes stand.
    if labelled.empty or (WEIGHT in labelled and labelled[WEIGHT].isna().any()):
        return PerformanceComparison(estimated=estimated, currency=currency)
    return PerformanceComparison(
        realized=measure_performance(labelled, threshold=threshold, campaign=campaign),
        reference=measure_performance(reference, threshold=threshold, campaign=campaign),
        estimated=estimated,
        gaps=_gaps(reference if seen is None else seen, labelled, threshold, campaign),
        currency=currency,
    )


def _estimate(
    reference: pd.DataFrame, answers: pd.DataFrame, threshold: float | None, campaign: ProfitParams | None
) -> Estimate | None:
    probability = answers["churn_probability"].to_numpy(dtype="float64")
    return estimate_performance(reference, probability, customer=customers_of(answers), threshold=threshold, campaign=campaign)


def _gaps(
    reference: pd.DataFrame, labelled: pd.DataFrame, threshold: float | None, campaign: ProfitParams | None
) -> tuple[str, ...]:
    # Both sides are about the same rows, whoever they stand for, so weights would only add noise.
    labelled = labelled.drop(columns=WEIGHT, errors="ignore")
    realized = measure_performance(labelled, intervals=False, threshold=threshold, campaign=campaign)
    promised = _estimate(reference, labelled, threshold, campaign)
    if promised is None:
        return ()
    found = {name: getattr(realized, name) for name in promised.intervals}
    return tuple(
        name for name, (low, high) in promised.intervals.items() if found[name] is not None and not low <= found[name] <= high
    )
