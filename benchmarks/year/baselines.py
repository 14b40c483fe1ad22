"""What others do with the same data: never retrain, retrain every month, on Evidently's drift, on accuracy."""

from __future__ import annotations

import warnings
from typing import Protocol

import numpy as np

from benchmarks.drift.baselines import EVIDENTLY_DATASET, evidently_defaults
from benchmarks.year.fixture import DAYS_OF_MONTH, Fixture
from benchmarks.year.results import Account, Promotion
from benchmarks.year.training import Fitted, Trainer, expected_log_loss, known_to_all
from churn.data.labelled import Labelled
from churn.modeling.model import Model

# Of Databricks' mlops-stacks: the defaults of its template for retraining by a monitored metric.
EVALUATION_WINDOWS, VIOLATION_WINDOWS = 5, 2
# Its threshold is the user's to choose: two points below what the model had on its holdout.
ACCURACY_LOST = 0.02


class Strategy(Protocol):
    """One way to keep a model in order.

    Attributes
    ----------
    account : Account
        What has happened so far.
    """

    account: Account

    def serve(self, month: int) -> Model:
        """Live up to the beginning of a month, and return the model that scores it; called for each month in order."""
        ...


class Baseline:
    """Never retrains; those below differ in when they do.

    They act on the first day of a month, when every outcome of the months before is known.

    Parameters
    ----------
    fixture : Fixture
    trainer : Trainer
    """

    def __init__(self, fixture: Fixture, trainer: Trainer) -> None:
        self.fixture, self.trainer = fixture, trainer
        self.account = Account()
        # The file's places are in no order that means anything.
        held = slice(0, round(trainer.params.split.reserved * len(fixture.file)))
        self.holdout = Labelled(fixture.file.features.iloc[held], fixture.file.labelled.iloc[held])
        self.champion = self._fit(0)

    def serve(self, month: int) -> Model:
        """See `Strategy`."""
        if month > 0 and self._wants_training(month):
            before, self.champion = self.champion.model, self._fit(month)
            self.account.trainings.append(DAYS_OF_MONTH * month)
            self.account.promotions.append(promotion(self.fixture, self.trainer, month, before, self.champion.model))
        return self.champion.model

    def _wants_training(self, month: int) -> bool:
        del month
        return False

    def _fit(self, month: int) -> Fitted:
        known = known_to_all(self.fixture.file, self.fixture.months[:month], self.holdout, self.trainer.params)
        return self.trainer.fit(known, self.holdout)


class EveryMonth(Baseline):
    """Retrains every month on everything, and takes whatever comes out."""

    def _wants_training(self, month: int) -> bool:
        return month > 0


class OnEvidentlyDrift(Baseline):
    """Retrains when Evidently's dataset drift, with its default methods and thresholds, says that the new month differs."""

    def _wants_training(self, month: int) -> bool:
        current = self.fixture.months[month].customers.features
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Evidently's, about numpy and about small counts
            return evidently_defaults(self.champion.features, current, self.fixture.contract)[EVIDENTLY_DATASET]


class OnAccuracy(Baseline):
    """Retrains when accuracy was below a threshold in 2 of the last 5 months since the model took over (mlops-stacks)."""

    def __init__(self, fixture: Fixture, trainer: Trainer) -> None:
        super().__init__(fixture, trainer)
        self._violated: list[bool] = []

    def _wants_training(self, month: int) -> bool:
        last, model = self.fixture.months[month - 1], self.champion.model
        right = (self.trainer.ask(model, last) >= 0.5) == (last.customers.labelled.to_numpy() == 1)
        self._violated.append(bool(right.mean() < self.champion.accuracy - ACCURACY_LOST))
        if sum(self._violated[-EVALUATION_WINDOWS:]) < VIOLATION_WINDOWS:
            return False
        self._violated.clear()
        return True


def promotion(fixture: Fixture, trainer: Trainer, month: int, before: Model, after: Model, trigger: str = "") -> Promotion:
    """Hold a model that takes over against the one before it, on clean customers of the month that it scores first.

    Parameters
    ----------
    fixture : Fixture
    trainer : Trainer
    month : int
        Of the year.
    before, after : Model
    trigger : str
    """
    clean = fixture.clean(month)
    old, new = (expected_log_loss(np.asarray(clean.probability), trainer.ask(model, clean)) for model in (before, after))
    return Promotion(DAYS_OF_MONTH * month, new - old, trigger)
