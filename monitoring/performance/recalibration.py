"""Recalibrate a model's answers on its reference: Platt's two numbers, and how well they are known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SMALLEST, STEPS = 1e-6, 25


@dataclass(frozen=True)
class Recalibration:
    """Log-odds that fit the outcomes: intercept + slope times the model's own (Platt 1999; Cox 1958, Biometrika 45:562).

    Attributes
    ----------
    covariance : ndarray, shape (2, 2)
        Of intercept and slope.
    centre : float
        Log-odds of the share that left.
    """

    intercept: float
    slope: float
    covariance: Floats
    centre: float

    @classmethod
    def of(cls, p: Floats, y: Floats, share: Floats | None = None) -> Recalibration:
        """Fit by Newton's method, with a prior of two rows (Platt's), so that perfect answers have a finite fit.

        Parameters
        ----------
        p : ndarray, shape (n,)
            The model's answers, each in [0, 1].
        y : ndarray, shape (n,)
            Outcomes, each 0 or 1.
        share : ndarray, shape (n,), optional
            What each row counts for, at least 0; None: each for one.

        Returns
        -------
        Recalibration
            With the covariance of its two numbers.
        """
        z = logit(p)
        count = np.ones_like(z) if share is None else share
        left, size = float((count * y).sum()), float(count.sum())
        target = np.where(y == 1, (left + 1) / (left + 2), 1 / (size - left + 2))
        design = np.stack([np.ones_like(z), z], axis=1)
        weights = np.array([0.0, 1.0])
        information = np.eye(2)
        for _ in range(STEPS):
            q = sigmoid(design @ weights)
            information = design.T @ (design * (count * q * (1 - q))[:, None]) + 1e-3 * np.eye(2)
            step = np.linalg.solve(information, design.T @ (count * (target - q)) - 1e-3 * (weights - [0.0, 1.0]))
            # A leap past the optimum is cut short: with few outcomes of a kind the first steps are wild.
            weights = weights + np.clip(step, -1.0, 1.0)
            if float(np.abs(step).max()) < 1e-9:
                break
        covariance = np.linalg.inv(information)
        if share is not None:
            # Rows that count for more than one are no more of them (Huber's sandwich).
            q = sigmoid(design @ weights)
            covariance = covariance @ (design.T @ (design * (share**2 * q * (1 - q))[:, None])) @ covariance
        rate = (left + 1) / (size + 2)
        return cls(
            float(weights[0]),
            float(weights[1]),
            np.asarray(covariance, dtype=np.float64),
            float(np.log(rate / (1 - rate))),
        )

    def log_odds(self, z: Floats) -> Floats:
        """Return recalibrated log-odds."""
        return np.asarray(self.intercept + self.slope * z)

    def apply(self, z: Floats) -> Floats:
        """Return the probabilities that log-odds mean."""
        return sigmoid(self.log_odds(z))

    def draw(self, count: int, rng: np.random.Generator) -> Iterator[Recalibration]:
        """Draw what the true recalibration may be, given how well it is known.

        Parameters
        ----------
        count : int
            How many to draw.
        rng : numpy.random.Generator
            Where chance comes from.

        Yields
        ------
        Recalibration
            One possible truth.
        """
        for intercept, slope in rng.multivariate_normal([self.intercept, self.slope], self.covariance, size=count):
            yield Recalibration(float(intercept), float(slope), self.covariance, self.centre)


def logit(p: Floats) -> Floats:
    """Return log-odds; of exactly 0 and 1 those of a millionth."""
    clipped = np.clip(p, SMALLEST, 1 - SMALLEST)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def sigmoid(z: Floats) -> Floats:
    """Return the probability of log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -500, 500))))
