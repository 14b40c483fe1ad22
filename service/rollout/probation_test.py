"""Whether a new champion holds up against the one before it. Pure: counts in, a verdict out.

Errors and losses are judged by betting (Waudby-Smith and Ramdas, Estimating means of bounded random variables by betting, Journal
of the Royal Statistical Society B 86(1), 2024). Somebody bets, at odds that are fair as long as the new model keeps its bound,
that it does not. By Ville's inequality the chance that this fortune ever grows by a factor of 1/a is at most a, however often one
looks. So no probation, whatever its length, rolls a model that keeps both bounds back with a chance above `false_rollback_rate`.

Latency is no such matter: it depends on the neighbours as well. It counts as broken only when it is so look after look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp, inf, log, log1p
from typing import Any, Literal

# Shares of the fortune that are staked; the bet is spread over all of them, as nobody knows how bad a bad model is.
STAKES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
# Of a period's requests, the slowest share that latency is read at: p99.
TAIL = 0.01


@dataclass(frozen=True)
class Bounds:
    """What a new champion may do worse than the one before it; see the settings `CHURN_PROBATION_*`."""

    error_rate: float = 0.01
    latency_factor: float = 3.0
    latency_floor_seconds: float = 0.1
    brier: float = 0.01
    false_rollback_rate: float = 0.001
    min_requests: int = 100
    min_outcomes: int = 50
    slow_polls: int = 4


@dataclass(frozen=True)
class Period:
    """What requests for predictions met with.

    Attributes
    ----------
    requests, errors : int
        All, and those that failed by a fault of ours.
    latencies : tuple of (float, int)
        Upper bound in seconds and requests within it and above the bound before it; the last bound is infinite.
    """

    requests: int = 0
    errors: int = 0
    latencies: tuple[tuple[float, int], ...] = ()

    def __sub__(self, earlier: Period) -> Period:
        """Give what happened since `earlier`, both being counted from one beginning."""
        before = dict(earlier.latencies)
        latencies = tuple((bound, number - before.get(bound, 0)) for bound, number in self.latencies)
        return Period(self.requests - earlier.requests, self.errors - earlier.errors, latencies)


@dataclass(frozen=True)
class ProbationEvidence:
    """What is known of a new champion so far.

    Attributes
    ----------
    period : Period
        Since the swap.
    slow_polls : int
        How many looks in a row, up to the last one, were slow (`is_slow`).
    excess_losses : sequence of float in [-1, 1]
        A customer whose outcome is known: squared error of the new model less that of the one before it on the same customer.
    """

    period: Period
    slow_polls: int = 0
    excess_losses: Sequence[float] = ()


@dataclass(frozen=True)
class ProbationResult:
    """`waiting`: too little is known; `holding`: what is known is within the bounds; `broken`: roll back, for this reason."""

    kind: Literal["waiting", "holding", "broken"]
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)


def run_probation_test(before: Period, since: ProbationEvidence, bounds: Bounds) -> ProbationResult:
    """Judge a new champion.

    Parameters
    ----------
    before : Period
        Of the champion before it. Its rate of errors is taken as known.
    since : Trial
    bounds : Bounds
    """
    usual = before.errors / before.requests if before.requests >= bounds.min_requests else 0.0
    period, losses = since.period, since.excess_losses
    # Two things are bet on, so each has half of the chance to be wrong.
    needed = log(2 / bounds.false_rollback_rate)
    enough_requests, enough_outcomes = period.requests >= bounds.min_requests, len(losses) >= bounds.min_outcomes
    excess = sum(losses) / len(losses) if losses else None
    evidence: dict[str, Any] = {
        "requests": period.requests,
        "errors": period.errors,
        "error_rate_before": usual,
        "slow_polls": since.slow_polls,
        "outcomes": len(losses),
        "brier_excess": excess,
    }
    if enough_requests and fortune_on_errors(period.errors, period.requests, usual + bounds.error_rate) >= needed:
        said = f"{period.errors} of {period.requests} requests failed; {usual:.2%} did before, {bounds.error_rate:.2%} more may"
        return ProbationResult("broken", said, evidence)
    if since.slow_polls >= bounds.slow_polls:
        limit = slow_limit(before, bounds)
        said = f"more than {TAIL:.0%} of the requests took longer than {limit:g} s, {since.slow_polls} looks in a row"
        return ProbationResult("broken", said, evidence)
    if enough_outcomes and fortune_on_losses(losses, bounds.brier) >= needed:
        said = f"its Brier score is {excess:.4f} worse than that of the one before, on the same {len(losses)} known outcomes"
        return ProbationResult("broken", said, evidence)
    if not enough_requests and not enough_outcomes:
        return ProbationResult("waiting", f"{period.requests} requests and {len(losses)} outcomes are too few", evidence)
    return ProbationResult("holding", f"{period.requests} requests and {len(losses)} outcomes are within the bounds", evidence)


def fortune_on_errors(errors: int, requests: int, allowed: float) -> float:
    """Give the logarithm of the fortune of who bets that more than a share `allowed` of the requests fail.

    Examples
    --------
    >>> fortune_on_errors(0, 1000, 0.01) < 0 < fortune_on_errors(30, 1000, 0.01)
    True
    """
    if not 0 < allowed < 1:
        return -inf
    return _spread([errors * log1p(s * (1 - allowed) / allowed) + (requests - errors) * log1p(-s) for s in STAKES])


def fortune_on_losses(losses: Sequence[float], allowed: float) -> float:
    """Give the logarithm of the fortune of who bets that `losses`, each in [-1, 1], are above `allowed` in the mean."""
    return _spread([sum(log1p(s * (loss - allowed) / (1 + allowed)) for loss in losses) for s in STAKES])


def _spread(fortunes: Sequence[float]) -> float:
    """Give the logarithm of the mean of what is given by its logarithms."""
    most = max(fortunes)
    return most + log(sum(exp(one - most) for one in fortunes) / len(fortunes))


def slow_limit(before: Period, bounds: Bounds) -> float:
    """Say above how many seconds a request is slow: some times the tail before; infinite if that is not known."""
    if before.requests < bounds.min_requests:
        return inf
    seen, asked = 0, sum(number for _, number in before.latencies)
    for bound, number in before.latencies:
        seen += number
        if seen >= (1 - TAIL) * asked:
            wanted = max(bounds.latency_floor_seconds, bounds.latency_factor * bound)
            return min((other for other, _ in before.latencies if other >= wanted), default=inf)
    return inf


def is_slow(before: Period, look: Period, bounds: Bounds) -> bool | None:
    """Tell whether the requests of one look were slow; None if there are too few to tell."""
    asked = sum(number for _, number in look.latencies)
    if asked < bounds.min_requests:
        return None
    limit = slow_limit(before, bounds)
    return sum(number for bound, number in look.latencies if bound > limit) > TAIL * asked
