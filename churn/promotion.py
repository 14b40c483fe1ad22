"""The gate: whether a challenger takes over from the champion, judged on customers neither was trained on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

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
    gain = _log_losses(y, old) - _log_losses(y, new)
    low, high = bootstrap_mean_interval(gain, confidence=params.confidence, resamples=params.resamples, seed=seed)
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


def bootstrap_mean_interval(values: np.ndarray, *, confidence: float, resamples: int, seed: int) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    Parameters
    ----------
    values : array of float, shape (n,)
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
    rng = np.random.default_rng(seed)
    means = np.array([values[rng.integers(0, len(values), len(values))].mean() for _ in range(resamples)])
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def _log_losses(outcome: np.ndarray, probability: np.ndarray) -> np.ndarray:
    p = np.clip(probability, 1e-15, 1 - 1e-15)
    return np.asarray(-np.where(outcome == 1, np.log(p), np.log1p(-p)))
