"""Lives other than the year's: how often a base is scored, who has an id, and what is told of whom, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.simulation.life import Pace, live
from churn.simulation.scenario import PRICE_RISE, Event, MonthlyScenario

# Whom a model names is to leave within so many days; who stayed is known then.
HORIZON = 30
FILE_ROWS = 3_000
# So many people are there for each customer; who leaves is followed by another one of them, not by somebody of the same kind.
MARKET = 2
# For so many days a base lives before anybody looks: by then it loses as many of each kind as come.
SETTLING = 120
EVENT = "price rise"


@dataclass(frozen=True)
class Life:
    """How a company lives with its model.

    Attributes
    ----------
    description : str
    days : int
        How long it is followed.
    every : int
        Days between two scorings of a customer.
    step : int
        Days between two scorings of anybody: customers take turns if it is less than `every`.
    with_ids : float
        Share of the customers who have one.
    growth : float
        Of the base, in 30 days.
    skipped : tuple of int
        Scorings that do not take place, from 0 up.
    late : int
        Outcomes come up to so many days after they are so, in any order.
    wrong : float
        Share of outcomes that are told wrong first, and corrected after ten days.
    stayers_told : float
        Share of the customers who stayed of whom that is told.
    contacted : float
        Share of the named customers who are not held out whom the company calls.
    control_share : float
    maturity_days : float or None
        CHURN_LABEL_MATURITY_SECONDS; None for its default.
    size : float
        Times the number of customers that was asked for.
    """

    description: str
    days: int = 270
    every: int = 30
    step: int = 30
    with_ids: float = 1.0
    growth: float = 0.0
    skipped: tuple[int, ...] = ()
    late: int = 0
    wrong: float = 0.0
    stayers_told: float = 1.0
    contacted: float = 0.0
    control_share: float = 0.0
    maturity_days: float | None = None
    size: float = 1.0


LIVES = {
    "monthly": Life("the same base each month"),
    "stated": Life("each month; the age at which outcomes count is stated", maturity_days=HORIZON),
    "weekly": Life("the same base each week", days=210, every=7, step=7),
    "daily": Life("the same base each day", days=120, every=1, step=1, size=0.3),
    "single": Life("single predictions, each customer every five days", days=150, every=5, step=1),
    "no-ids": Life("each month, no customer has an id", with_ids=0.0),
    "half-ids": Life("each month, half of the customers have an id", with_ids=0.5),
    "small": Life("a base of 300 for each 1,000", days=420, size=0.3),
    "growth": Life("5 % more customers each month", growth=0.05),
    "skipped": Life("months 4, 7 and 8 are not scored", days=330, skipped=(3, 6, 7)),
    "late": Life("outcomes up to 14 days late, in any order", late=14),
    "wrong": Life("the same, and one of fifty is wrong at first", late=14, wrong=0.02),
    "leavers-only": Life("nobody tells who stayed", stayers_told=0.0),
    "leavers-only-stated": Life("nobody tells who stayed; the age is stated", stayers_told=0.0, maturity_days=HORIZON),
    "few-stayers": Life("of who stayed one of fifty is told; the age is stated", stayers_told=0.02, maturity_days=HORIZON),
    "campaign": Life("everybody named is called, a tenth held out", contacted=1.0, control_share=0.1),
    "campaign-5": Life("one of twenty named is called, a tenth held out", contacted=0.05, control_share=0.1),
    "campaign-alone": Life("everybody named is called, nobody held out", contacted=1.0),
}


class Fate(NamedTuple):
    """What becomes of customers within the horizon: whether they leave, and the day on which one can know."""

    left: np.ndarray
    known: np.ndarray


@dataclass
class Base:
    """Places of a base by steps: who is there, what is known of them, and when they leave.

    Attributes
    ----------
    step : int
        Days.
    features : list of pandas.DataFrame
        A step each, the places in order.
    """

    step: int
    features: list[pd.DataFrame] = field(default_factory=list)
    _occupant: list[np.ndarray] = field(default_factory=list)
    _leaves: np.ndarray = field(default_factory=lambda: np.empty((0, 0)))

    @classmethod
    def of(cls, contract: Contract, places: int, step: int, days: int, seed: int, rise: int | None = None) -> Base:
        """Simulate a base.

        Parameters
        ----------
        contract : Contract
        places : int
        step : int
            Days.
        days : int
            Until when customers are scored.
        seed : int
        rise : int, optional
            The day of a price rise.
        """
        share, before = step / HORIZON, -(-SETTLING // step)
        usual = Pace()
        pace = usual.model_copy(update={"persistence": usual.persistence**share, "switching": usual.switching * share})
        events = () if rise is None else (Event(name=EVENT, start=before - (-rise // step), drift=PRICE_RISE),)
        base, rng = cls(step), np.random.default_rng(seed)
        occupant, person = np.zeros(places, dtype=np.int64), np.arange(places)
        leaves: list[np.ndarray] = []
        steps = before - (-(days + HORIZON) // step) + 1
        for month in live(contract, MARKET * places, steps, seed, pace=pace, scenario=MonthlyScenario(events=events)):
            gone = rng.random(places) < 1 - (1 - month.probability[person]) ** share
            if (number := month.number - before) >= 0:
                leaves.append(np.where(gone, number * step + rng.integers(1, step + 1, places), np.iinfo(np.int64).max))
                base.features.append(month.customers.features.iloc[person].reset_index(drop=True))
                base._occupant.append(occupant)
            occupant = occupant + gone
            elsewhere = np.setdiff1d(np.arange(MARKET * places), person)
            person = person.copy()
            person[gone] = rng.choice(elsewhere, int(gone.sum()), replace=False)
        base._leaves = np.minimum.accumulate(np.array(leaves)[::-1], axis=0)[::-1]
        return base

    def ids(self, number: int, places: np.ndarray) -> list[str]:
        """Return the ids of those who are in some places at a step."""
        return [f"c{place}-{self._occupant[number][place]}" for place in places.tolist()]

    def fate(self, number: int, places: np.ndarray) -> Fate:
        """Return what becomes of those who are scored at a step."""
        day = number * self.step
        leaves = self._leaves[number, places]
        left = leaves <= day + HORIZON
        return Fate(left, np.where(left, leaves, day + HORIZON))


class Scoring(NamedTuple):
    """Customers who are scored together."""

    number: int
    day: int
    places: np.ndarray


def scorings(life: Life, customers: int) -> Iterator[Scoring]:
    """Yield who is scored when.

    Parameters
    ----------
    life : Life
    customers : int
        At the beginning.
    """
    turns = life.every // life.step
    for number in range(-(-life.days // life.step)):
        if number in life.skipped:
            continue
        day = number * life.step
        there = np.arange(round(customers * (1 + life.growth) ** (day / HORIZON)))
        yield Scoring(number, day, there[there % turns == number % turns])


def labelled_file(contract: Contract, life: Life) -> Dataset:
    """Return the labelled file: each place once, at a step of the first month, followed as the life's customers are.

    Parameters
    ----------
    contract : Contract
    life : Life
    """
    base = Base.of(contract, FILE_ROWS, life.step, HORIZON, seed=10_000)
    numbers = np.arange(FILE_ROWS) % (HORIZON // life.step)
    parts: list[pd.DataFrame] = []
    left: list[np.ndarray] = []
    ids: list[str] = []
    for number in np.unique(numbers).tolist():
        places = np.flatnonzero(numbers == number)
        parts.append(base.features[number].iloc[places])
        left.append(base.fate(number, places).left)
        ids += [f"file-{who}" for who in base.ids(number, places)]
    churned = pd.Series(np.concatenate(left).astype(np.int64))
    features = pd.concat(parts, ignore_index=True)
    return Dataset(features, churned, pd.Series(ids, dtype=object), source="the file of a life", simulated=True)
