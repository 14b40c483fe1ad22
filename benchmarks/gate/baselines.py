"""Pairs of models whose difference is known: readers of a customer's true log-odds, through noise, calibrated.

A simulated customer's churn probability is known. A reader sees its logit with normal noise on it, and says the probability that
such a sight deserves, so that it is calibrated; more noise is a lower ROC AUC and nothing else. Two readers may err alike: real
models of the same customers do (their log-odds correlate by .7 to .95), which is what makes a paired comparison strong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import logit
from sklearn.isotonic import IsotonicRegression

from churn.clock import now
from churn.config.params import ProfitParams
from churn.contract import Contract
from churn.data.labelled import Labelled
from churn.evaluation.profit import break_even
from churn.modeling.model import Model, ModelInfo
from churn.simulation.population import read_population
from churn.simulation.simulate import simulate

CHALLENGER, CHAMPION = "<challenger>", "<champion>"
MAX_NOISE = 20.0


@dataclass(frozen=True)
class Population:
    """Simulated customers whose churn probability is known.

    Attributes
    ----------
    features : pandas.DataFrame, shape (n, n_features)
    probability : array of float in (0, 1), shape (n,)
    noise : array of float, shape (n,)
        Standard normal: the one draw by which readers are made, so that their AUC is a smooth function of their noise.
    """

    features: pd.DataFrame
    probability: np.ndarray
    noise: np.ndarray

    @classmethod
    def of(cls, contract: Contract, rows: int, seed: int) -> Population:
        """Simulate a population."""
        features = simulate(contract, rows, seed).features
        columns = {str(name): values.to_numpy() for name, values in features.items()}
        probability = np.clip(read_population(contract).churn.probability(columns), 1e-6, 1 - 1e-6)
        return cls(features, probability, np.random.default_rng(seed).normal(size=rows))


@dataclass(frozen=True)
class Reader:
    """A calibrated model that sees true log-odds through noise of standard deviation `noise`; its ROC AUC in the population."""

    noise: float
    roc_auc: float
    calibration: IsotonicRegression

    def predict(self, probability: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Give what it says of customers with these true probabilities, when it errs by these standard normals, shape (n,)."""
        # A plateau at 0 or 1 would be a certainty, which no model should claim.
        predicted = self.calibration.predict(logit(probability) + self.noise * error)
        return np.asarray(np.clip(predicted, 1e-4, 1 - 1e-4), dtype=np.float64)


def read_with_noise(population: Population, noise: float) -> Reader:
    """Make the calibrated reader with this much noise."""
    seen = logit(population.probability) + noise * population.noise
    calibration = IsotonicRegression(out_of_bounds="clip").fit(seen, population.probability)
    return Reader(noise, expected_auc(population.probability, calibration.predict(seen)), calibration)


def read_with_auc(population: Population, roc_auc: float) -> Reader:
    """Make the calibrated reader with this ROC AUC; ValueError if not even the truth has it."""
    noise = brentq(lambda sd: read_with_noise(population, float(sd)).roc_auc - roc_auc, 0.0, MAX_NOISE, xtol=1e-3)
    return read_with_noise(population, float(noise))


def expected_auc(truth: np.ndarray, predicted: np.ndarray) -> float:
    """ROC AUC of `predicted` where each customer churns with probability `truth`: each is a churner and a stayer, by weight.

    Examples
    --------
    >>> round(expected_auc(np.array([0.2, 0.8]), np.array([0.2, 0.8])), 2)
    0.8
    """
    order = np.argsort(predicted, kind="stable")
    churn, stay = truth[order], 1 - truth[order]
    _, start, group = np.unique(predicted[order], return_index=True, return_inverse=True)
    below = np.cumsum(np.add.reduceat(stay, start)) - 0.5 * np.add.reduceat(stay, start)
    return float((churn * below[group]).sum() / (churn.sum() * stay.sum()))


@dataclass(frozen=True)
class Said:
    """Stands for a pipeline: what it says is written in a column."""

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        """Give the column and its complement, shape (n, 2)."""
        predicted = frame.iloc[:, 0].to_numpy()
        return np.column_stack([1 - predicted, predicted])


def model_of(column: str, profit: ProfitParams) -> Model:
    """Make the model that says what is in `column`, and contacts whom it pays to contact."""
    info = ModelInfo(
        name="gate benchmark",
        version=column.strip("<>"),
        trained_at=now(),
        data_digest="",
        data_source="",
        rows=0,
        contract="",
        contract_digest="",
        features=[column],
        threshold=break_even(profit),
    )
    return Model(Said(), info)


def draw_fresh(
    population: Population, challenger: Reader, champion: Reader, *, rows: int, shared: float, rng: np.random.Generator
) -> Labelled:
    """Draw fresh customers, what comes true of them, and what both models say.

    Parameters
    ----------
    shared : float in [0, 1]
        Correlation of the two models' errors.
    """
    chosen = rng.choice(len(population.probability), rows, replace=False)
    truth, error = population.probability[chosen], rng.normal(size=rows)
    other = shared * error + np.sqrt(1 - shared**2) * rng.normal(size=rows)
    predicted = {CHALLENGER: challenger.predict(truth, error), CHAMPION: champion.predict(truth, other)}
    outcome = pd.Series((rng.random(rows) < truth).astype(np.int64))
    return Labelled(population.features.iloc[chosen].reset_index(drop=True).assign(**predicted), outcome)
