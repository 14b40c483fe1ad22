"""The gate: whether a challenger takes over from the champion, judged on customers neither was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from churn.evaluation import evaluate
from churn.model import Model
from churn.params import GateParams
from churn.split import Labelled


@dataclass(frozen=True)
class GateDecision:
    """What the gate decided and on what evidence.

    Attributes
    ----------
    promote : bool
    reason : str
        One sentence with the numbers.
    evidence : dict
        JSON-ready: rows, scores of both models, the interval, each check.
    """

    promote: bool
    reason: str
    evidence: dict[str, Any]


def decide(challenger: Model, champion: Model | None, fresh: Labelled, params: GateParams, seed: int) -> GateDecision:
    """Judge a challenger against the champion, or against knowing nothing if there is no champion.

    The challenger must have a lower log loss beyond chance, by a paired bootstrap over customers, and must be calibrated.
    The question is one-sided: of two models that are equally good, a challenger passes with probability 1 - confidence.
    With no champion its rival is the constant churn rate of the fresh customers, the best that can be said
    without looking at anyone.

    Parameters
    ----------
    challenger, champion : Model
    fresh : Labelled
        Customers that neither was trained on.
    params : GateParams
    seed : int
        Of the bootstrap.
    """
    y = fresh.outcome.to_numpy()
    new = challenger.predict_probability(fresh.features)
    old = champion.predict_probability(fresh.features) if champion else np.full(len(y), y.mean())
    rival = f"version {champion.info.version}" if champion else "no model at all"
    gain = log_losses(y, old) - log_losses(y, new)
    low, high = bootstrap_mean_interval(gain, confidence=2 * params.confidence - 1, resamples=params.resamples, seed=seed)
    card = evaluate(y, new, challenger.info.threshold)
    checks = {"better_log_loss": low > 0, "calibrated": card.ece <= params.max_calibration_error}
    evidence = {
        "rows": len(y),
        "rival": rival,
        "log_loss_gain": float(gain.mean()),
        "interval": [low, high],
        "confidence": params.confidence,
        "checks": checks,
        "challenger": asdict(card),
        "champion": asdict(evaluate(y, old, champion.info.threshold)) if champion else None,
    }
    said = f"log loss lower by {gain.mean():.4f} [{low:.4f}, {high:.4f}] than {rival} on {len(y)} fresh customers"
    if all(checks.values()):
        return GateDecision(True, said, evidence)
    failed = {
        "better_log_loss": f"not better beyond chance: {said}",
        "calibrated": f"calibration error {card.ece:.3f} is above {params.max_calibration_error:g}",
    }
    return GateDecision(False, "; ".join(failed[name] for name, passed in checks.items() if not passed), evidence)


def bootstrap_mean_interval(sample: ArrayLike, *, confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    Parameters
    ----------
    sample : array of float, shape (n,)
        For a paired comparison: the difference of each pair.
    confidence : float
        Of the two-sided interval, in (0, 1).
    resamples, seed : int

    Examples
    --------
    >>> low, high = bootstrap_mean_interval(np.ones(50), confidence=0.95, resamples=200, seed=0)
    >>> float(low), float(high)
    (1.0, 1.0)
    """
    values = np.asarray(sample, dtype=np.float64)
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(resamples)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def log_losses(outcome: np.ndarray, probability: np.ndarray) -> np.ndarray:
    """Give each customer's log loss in nats, shape (n,); probabilities are kept 1e-15 away from 0 and 1."""
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.where(outcome == 1, np.log(p), np.log1p(-p)))
