"""Checks of the gate: one function each, which returns what it measured, its limit and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.config.params import GateParams
from churn.evaluation.slices import Slice
from churn.evaluation.statistics import Customers, bootstrap_mean_interval, mean_bounds
from churn.evaluation.weights import repeated_size

# How far a served probability may be from the pipeline's own.
SERVING_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Check:
    """One check of the gate, and its result.

    Attributes
    ----------
    name : str
    passed : bool
    value : float or None
        What was measured; None if nothing could be.
    limit : float
        The limit of `value`, in the same unit.
    sentence : str
        The result for people, whether passed or not.
    detail : dict
        What else was measured, JSON-ready.
    """

    name: str
    passed: bool
    value: float | None
    limit: float
    sentence: str
    detail: dict[str, Any] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """Return everything but the name, JSON-ready."""
        return {name: value for name, value in asdict(self).items() if name != "name"}


@dataclass(frozen=True)
class ServingCheck:
    """How the challenger is served: saved, loaded as the service loads it, and asked through the serving path.

    Attributes
    ----------
    rows : int
        How many customers it was asked about.
    max_difference : float or None
        Largest difference of a served probability from the challenger's own, >= 0; None if it cannot be served.
    latency_ms : float or None
        Median of the latency of one customer, in milliseconds; None if it cannot be served.
    refused : str
        Why it cannot be served; empty if it can.
    """

    rows: int
    max_difference: float | None
    latency_ms: float | None
    refused: str = ""


def enough_evidence(outcome: np.ndarray, params: GateParams, customer: Customers | None = None) -> Check:
    """Check that there are enough customers of both classes for intervals to mean anything.

    Parameters
    ----------
    outcome : array of int, shape (n,)
        1 if a customer churned, else 0.
    params : GateParams
    customer : array of int, shape (n,), optional
        Which rows are about the same customer; None if each is about another one.

    Returns
    -------
    Check
    """
    # Once for each class: who stayed for months and left in the end tells of both.
    pairs = np.column_stack([outcome, np.arange(len(outcome)) if customer is None else customer])
    seen = np.unique(pairs, axis=0)[:, 0]
    churned = int(seen.sum())
    fewest, least = min(churned, len(seen) - churned), params.min_class_rows
    said = f"{churned} of {len(seen)} fresh customers churned; the gate needs {least} who did and as many who did not"
    passed = fewest >= least
    return Check("enough_evidence", passed, float(fewest), float(least), said if passed else f"not enough evidence: {said}")


def better_log_loss(gain: np.ndarray, params: GateParams, seed: int, baseline: str, customer: Customers | None = None) -> Check:
    """Check that the challenger's log loss is lower beyond chance.

    The test is one-sided: of two equally good models, a challenger passes with probability 1 - confidence. It is Vuong's test of
    non-nested models (Econometrica 57(2), 1989), with a bootstrap in place of the normal distribution.

    Parameters
    ----------
    gain : array of float, shape (n,)
        Each customer's log loss under the baseline less that under the challenger, in nats.
    params : GateParams
    seed : int
        Of the bootstrap.
    baseline : str
        What the challenger is compared with, for the sentence.
    customer : array of int, shape (n,), optional
        As in `enough_evidence`.

    Returns
    -------
    Check
    """
    low, high = _interval(gain, params, seed, customer)
    mean = float(gain.mean())
    judged = f"{len(gain)} fresh customers"
    if customer is not None:
        judged = f"{len(gain)} rows of {len(np.unique(customer))} fresh customers"
    change = f"lower by {mean:.4f} [{low:.4f}, {high:.4f}]" if mean >= 0 else f"higher by {-mean:.4f} [{-high:.4f}, {-low:.4f}]"
    said = f"log loss {change} than {baseline} on {judged}"
    passed = low > 0
    return Check(
        "better_log_loss", passed, mean, 0.0, said if passed else f"not better beyond chance: {said}", {"interval": [low, high]}
    )


def _interval(gain: np.ndarray, params: GateParams, seed: int, customer: Customers | None) -> tuple[float, float]:
    """Return the bounds of a mean of which each is one-sided at the gate's confidence."""
    return bootstrap_mean_interval(
        gain, confidence=2 * params.confidence - 1, resamples=params.resamples, seed=seed, customer=customer
    )


def profit_not_worse(gain: np.ndarray, params: GateParams, seed: int, currency: str, customer: Customers | None = None) -> Check:
    """Check that the challenger, at its own threshold, does not lose more than `max_profit_loss` beyond chance.

    Why it need not win: docs/adr/0006-the-gate-decides-on-log-loss.md.

    Parameters
    ----------
    gain : array of float, shape (n,)
        Each customer's profit under the challenger less that under the baseline, in `currency`.
    params : GateParams
    seed : int
        Of the bootstrap.
    currency : str
        For the sentence.
    customer : array of int, shape (n,), optional
        As in `enough_evidence`.

    Returns
    -------
    Check
    """
    low, high = _interval(gain, params, seed, customer)
    mean = float(gain.mean())
    passed = high >= -params.max_profit_loss
    numbers = f"profit differs by {mean:+.2f} [{low:+.2f}, {high:+.2f}] {currency} a customer"
    said = numbers if passed else f"{numbers}: credibly more than {params.max_profit_loss:g} lost"
    return Check("profit_not_worse", passed, mean, -params.max_profit_loss, said, {"interval": [low, high], "currency": currency})


def no_slice_falls(
    gain: np.ndarray,
    slices: Sequence[Slice],
    params: GateParams,
    customer: Customers | None = None,
    original: NDArray[np.int64] | None = None,
    enough: int = 0,
) -> Check:
    """Check that log loss does not rise in any slice by more than `max_slice_loss`, beyond chance.

    Each slice's rise has a one-sided lower bound by Student's t. All bounds hold at once with probability `confidence`
    (Bonferroni), so many slices do not make a rejection likelier.

    Parameters
    ----------
    gain : array of float, shape (n,)
        As in `better_log_loss`.
    slices : sequence of Slice
        They may overlap.
    params : GateParams
    customer : array of int, shape (n,), optional
        As in `enough_evidence`.
    original : array of int, shape (n,), optional
        As in `churn.data.labelled.Labelled`: where outcomes stand for customers who were acted on.
    enough : int
        Slices of which the effective sample size is smaller are named, as they hide much.

    Returns
    -------
    Check
    """
    tail = (1 - params.confidence) / max(len(slices), 1)
    parts = [(part, None if customer is None else customer[part.rows]) for part in slices]
    # Of rows of a single customer there is no telling how far chance reaches.
    parts = [(part, who) for part, who in parts if who is None or len(np.unique(who)) > 1]
    sizes = [None if original is None else round(repeated_size(original[part.rows]), 1) for part, _ in parts]
    rises = [_rise(part, -gain[part.rows], tail, who, size) for (part, who), size in zip(parts, sizes, strict=True)]
    if not rises:
        return Check("no_slice_falls", True, None, params.max_slice_loss, "no slice has enough customers to be judged")
    failed = [rise for rise in rises if rise.at_least > params.max_slice_loss]
    where = ", ".join(f"{rise.column}={rise.level} (+{rise.mean:.3f}, at least +{rise.at_least:.3f})" for rise in failed)
    said = f"log loss rises credibly by more than {params.max_slice_loss:g} in {where or f'none of {len(rises)} slices'}"
    small = [rise for rise in rises if rise.effective_rows is not None and rise.effective_rows < enough]
    if small:
        few = ", ".join(f"{rise.column}={rise.level} ({rise.effective_rows:,.0f} of {rise.rows:,} rows)" for rise in small)
        said += f"; little is known, as few of the control group stand for many, of {few}"
    worst = max(rise.at_least for rise in rises)
    told = [{name: value for name, value in asdict(rise).items() if value is not None} for rise in rises]
    return Check("no_slice_falls", not failed, worst, params.max_slice_loss, said, {"slices": told})


@dataclass(frozen=True)
class _Rise:
    """Rise of log loss in a slice, in nats: its mean, a lower bound, and Kish's sample size where some stand for others."""

    column: str
    level: str
    rows: int
    mean: float
    at_least: float
    effective_rows: float | None


def _rise(part: Slice, rise: np.ndarray, tail: float, customer: Customers | None, size: float | None) -> _Rise:
    return _Rise(part.column, part.level, len(rise), float(rise.mean()), mean_bounds(rise, tail, customer)[0], size)


def unbiased(outcome: np.ndarray, probability: np.ndarray, params: GateParams, customer: Customers | None = None) -> Check:
    """Check that the mean probability is the churn rate: calibration-in-the-large (Van Calster et al., BMC Medicine 17, 2019).

    It fails if the bias is larger than `max_calibration_bias` beyond chance, in either direction.

    Parameters
    ----------
    outcome : array of int, shape (n,)
        1 if a customer churned, else 0.
    probability : array of float, shape (n,)
        The challenger's, in [0, 1].
    params : GateParams
    customer : array of int, shape (n,), optional
        As in `enough_evidence`.

    Returns
    -------
    Check
    """
    low, high = mean_bounds(probability - outcome, 1 - params.confidence, customer)
    bias, limit = float(np.mean(probability - outcome)), params.max_calibration_bias
    passed = low <= limit and high >= -limit
    numbers = f"the mean probability {probability.mean():.3f} is {bias:+.3f} [{low:+.3f}, {high:+.3f}] off the churn rate"
    said = numbers if passed else f"{numbers}: credibly more than {limit:g}"
    return Check("unbiased", passed, bias, limit, said, {"interval": [low, high]})


def served_alike(serving: ServingCheck) -> Check:
    """Check that the service answers what the challenger's own pipeline answers."""
    if serving.max_difference is None:
        return Check("served_alike", False, None, SERVING_TOLERANCE, f"cannot be served: {serving.refused}")
    # bool(NaN <= x) is False: a difference that is no number fails.
    passed = bool(serving.max_difference <= SERVING_TOLERANCE)
    said = f"{serving.rows} customers are answered through the serving path within {serving.max_difference:.2g} of the pipeline"
    return Check(
        "served_alike", passed, serving.max_difference, SERVING_TOLERANCE, said if passed else f"{said}: more than rounding"
    )


def fast_enough(serving: ServingCheck, params: GateParams) -> Check:
    """Check that one customer is answered within the latency budget, in the median on this machine.

    Parameters
    ----------
    serving : ServingCheck
    params : GateParams

    Returns
    -------
    Check
    """
    if serving.latency_ms is None:
        return Check("fast_enough", False, None, params.max_latency_ms, "no latency was measured: it cannot be served")
    passed, limit = serving.latency_ms <= params.max_latency_ms, params.max_latency_ms
    said = f"a customer is answered in {serving.latency_ms:.1f} ms, {'within' if passed else 'above'} {limit:g} ms"
    return Check("fast_enough", passed, serving.latency_ms, limit, said)
