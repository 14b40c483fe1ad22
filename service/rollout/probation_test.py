"""The sequential test of a new champion: does it do worse than the one before it? Pure: counts in, a result out.

Errors and losses are tested by betting (Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting",
Journal of the Royal Statistical Society B 86(1), 2024, https://doi.org/10.1093/jrsssb/qkad009). The wealth of a gambler who
bets against the null hypothesis, that the new model keeps its bound, is a nonnegative supermartingale under it, and so an
e-value at every time. By Ville's inequality it ever reaches 1/a with a probability of at most a, however often it is looked at.
So a probation of any length rolls back a model that keeps both bounds with a probability of at most `false_rollback_rate`.

Latency is not tested so: it depends on the machine's other work as well. It counts only if it is high in several polls in a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, inf, log, log1p
from typing import Any, Literal

# Fractions of the wealth that are bet. The e-value is the mean over all of them, as nobody knows how bad a bad model is.
BETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
# Latency is read at this share of the slowest requests: p99.
TAIL = 0.01


@dataclass(frozen=True)
class Bounds:
    """How much worse a new champion may be than the one before it; see the settings `CHURN_PROBATION_*`."""

    error_rate: float = 0.01
    latency_factor: float = 3.0
    latency_floor_seconds: float = 0.1
    brier: float = 0.01
    false_rollback_rate: float = 0.001
    min_requests: int = 100
    min_outcomes: int = 50
    slow_polls: int = 4


@dataclass(frozen=True)
class RequestStats:
    """Counts of prediction requests over some time.

    Attributes
    ----------
    requests, errors : int
        All requests, and those that failed by a fault of the service.
    latencies : tuple of (float, int)
        A histogram: upper bound in seconds, and requests above the bound before and up to this one. The last bound is infinite.
    """

    requests: int = 0
    errors: int = 0
    latencies: tuple[tuple[float, int], ...] = ()

    def __sub__(self, earlier: RequestStats) -> RequestStats:
        """Return the counts since `earlier`, a value of the same counters."""
        before = dict(earlier.latencies)
        latencies = tuple((bound, number - before.get(bound, 0)) for bound, number in self.latencies)
        return RequestStats(self.requests - earlier.requests, self.errors - earlier.errors, latencies)


@dataclass(frozen=True)
class ProbationEvidence:
    """What is known of a new champion.

    Attributes
    ----------
    stats : RequestStats
        Since its activation.
    slow_polls : int
        How many polls in a row, up to the last one, were slow (`is_slow`).
    excess_losses : sequence of float in [-1, 1]
        For each customer whose outcome is known, once: squared error of the new model minus that of the model before it. The test
        takes them for independent; a customer's outcomes are not.
    weights : sequence of float in (0, 1]
        How many customers each stands for, divided by the most that one can stand for; empty if each stands for itself.
    """

    stats: RequestStats
    slow_polls: int = 0
    excess_losses: Sequence[float] = ()
    weights: Sequence[float] = ()


@dataclass(frozen=True)
class ProbationResult:
    """The result of the test.

    Attributes
    ----------
    kind : {"undecided", "kept", "violated"}
        Too little is known; the bounds are kept so far; or a bound is violated, so that the model must be rolled back.
    reason : str
    evidence : dict
        The figures behind it.
    """

    kind: Literal["undecided", "kept", "violated"]
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


def run_probation_test(before: RequestStats, since: ProbationEvidence, bounds: Bounds) -> ProbationResult:
    """Test a new champion against the one before it.

    Parameters
    ----------
    before : RequestStats
        Of the champion before it. Its error rate is taken as known.
    since : ProbationEvidence
        Of the new champion.
    bounds : Bounds

    Returns
    -------
    ProbationResult
    """
    rate_before = before.errors / before.requests if before.requests >= bounds.min_requests else 0.0
    stats, losses = since.stats, since.excess_losses
    # There are two tests, so each has half of the false rollback rate.
    critical = log(2 / bounds.false_rollback_rate)
    enough_requests, enough_outcomes = stats.requests >= bounds.min_requests, len(losses) >= bounds.min_outcomes
    weights = since.weights if any(weight != 1 for weight in since.weights) else ()
    excess = sum(losses) / len(losses) if losses else None
    if weights:
        excess = sum(w * loss for w, loss in zip(weights, losses, strict=True)) / sum(weights)
    evidence: dict[str, Any] = {
        "requests": stats.requests,
        "errors": stats.errors,
        "error_rate_before": rate_before,
        "slow_polls": since.slow_polls,
        "outcomes": len(losses),
        "brier_excess": excess,
    }
    if enough_requests and error_log_e_value(stats.errors, stats.requests, rate_before + bounds.error_rate) >= critical:
        reason = (
            f"{stats.errors} of {stats.requests} requests failed; {rate_before:.2%} did before, {bounds.error_rate:.2%} more may"
        )
        return ProbationResult("violated", reason, evidence)
    if since.slow_polls >= bounds.slow_polls:
        limit = slow_limit(before, bounds)
        reason = f"more than {TAIL:.0%} of the requests took longer than {limit:g} s, in {since.slow_polls} polls in a row"
        return ProbationResult("violated", reason, evidence)
    if enough_outcomes and loss_log_e_value(losses, bounds.brier, weights) >= critical:
        reason = f"its Brier score is {excess:.4f} worse than that of the one before, on the same {len(losses)} known outcomes"
        return ProbationResult("violated", reason, evidence)
    if not enough_requests and not enough_outcomes:
        return ProbationResult("undecided", f"{stats.requests} requests and {len(losses)} outcomes are too few", evidence)
    return ProbationResult("kept", f"{stats.requests} requests and {len(losses)} outcomes are within the bounds", evidence)


def error_log_e_value(errors: int, requests: int, max_rate: float) -> float:
    """Return the log e-value against the hypothesis that requests fail at a rate of at most `max_rate`.

    Parameters
    ----------
    errors, requests : int
        Failed requests, and all of them.
    max_rate : float in (0, 1)
        Outside of this range the hypothesis is never rejected.

    Returns
    -------
    float
        The natural logarithm.

    Examples
    --------
    >>> error_log_e_value(0, 1000, 0.01) < 0 < error_log_e_value(30, 1000, 0.01)
    True
    """
    if not 0 < max_rate < 1:
        return -inf
    return _log_mean_exp([errors * log1p(b * (1 - max_rate) / max_rate) + (requests - errors) * log1p(-b) for b in BETS])


def loss_log_e_value(losses: Sequence[float], max_mean: float, weights: Sequence[float] = ()) -> float:
    """Return the log e-value against the hypothesis that the mean loss is at most `max_mean`.

    Parameters
    ----------
    losses : sequence of float in [-1, 1]
    max_mean : float in [0, 1)
    weights : sequence of float in (0, 1], optional
        How many customers each stands for, divided by a number that was known beforehand: it is bet on the weighted difference,
        which stays within the same bounds, and whose mean is that of all for whom they stand.

    Returns
    -------
    float
        The natural logarithm.
    """
    weighted = list(zip(losses, weights or [1.0] * len(losses), strict=True))
    return _log_mean_exp([sum(log1p(b * w * (loss - max_mean) / (1 + max_mean)) for loss, w in weighted) for b in BETS])


def _log_mean_exp(logs: Sequence[float]) -> float:
    largest = max(logs)
    return largest + log(sum(exp(one - largest) for one in logs) / len(logs))


def slow_limit(before: RequestStats, bounds: Bounds) -> float:
    """Return above which duration a request is slow: a multiple of the latency at the tail before, but not below the floor.

    Parameters
    ----------
    before : RequestStats
        Of the champion before.
    bounds : Bounds

    Returns
    -------
    float
        Seconds; infinite if too few requests are known.
    """
    if before.requests < bounds.min_requests:
        return inf
    seen, total = 0, sum(number for _, number in before.latencies)
    for bound, number in before.latencies:
        seen += number
        if seen >= (1 - TAIL) * total:
            wanted = max(bounds.latency_floor_seconds, bounds.latency_factor * bound)
            return min((other for other, _ in before.latencies if other >= wanted), default=inf)
    return inf


def is_slow(before: RequestStats, since: RequestStats, bounds: Bounds) -> bool | None:
    """Return whether more than the tail of some requests was slow.

    Parameters
    ----------
    before : RequestStats
        Of the champion before.
    since : RequestStats
        The requests since the last poll that had enough of them.
    bounds : Bounds

    Returns
    -------
    bool or None
        None if there are too few requests to tell.
    """
    total = sum(number for _, number in since.latencies)
    if total < bounds.min_requests:
        return None
    limit = slow_limit(before, bounds)
    return sum(number for bound, number in since.latencies if bound > limit) > TAIL * total
