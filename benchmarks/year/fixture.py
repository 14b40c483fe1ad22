"""What happens in one simulated year: the labelled file of the year before, the base month by month, and clean customers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.data.row_time import as_times
from churn.simulation.life import Month, live
from churn.simulation.scenario import MonthlyScenario, telecom_scenarios

HISTORY, YEAR = 12, 12
# Thirty days until everybody's outcome is known, and one to act on it before the base is scored again.
DAYS_OF_MONTH = 31
# The first scoring; nightly outcomes come at the same hour, the monitor runs an hour later.
FIRST = datetime(2026, 1, 1, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)
# Clean customers live in the same scenario under another seed.
OTHERS = 1_000_003


def moment(month: int, day: int = 0) -> datetime:
    """Return when a day's scoring or outcomes come.

    Parameters
    ----------
    month : int
        Of the year, from 0 up.
    day : int
        From the month's beginning.
    """
    return FIRST + timedelta(days=DAYS_OF_MONTH * month + day)


@dataclass
class Fixture:
    """One scenario under one seed.

    Attributes
    ----------
    name : str
        Of the scenario, as in `telecom_scenarios`.
    file : Dataset
        The labelled customers that everybody starts with: each place of the base once, its months spread over the year before,
        so that every season is in it and leavers are neither more nor fewer than there were. It tells the month of each row.
    months : list of Month
        The twelve months of the year.
    """

    name: str
    seed: int
    contract: Contract
    customers: int
    scenario: MonthlyScenario
    file: Dataset
    months: list[Month]
    _clean: list[Month] = field(default_factory=list)

    @classmethod
    def of(cls, name: str, seed: int, customers: int, contract: Contract) -> Fixture:
        """Simulate a scenario.

        Parameters
        ----------
        name : str
            One of `telecom_scenarios`.
        seed : int
            Not negative.
        customers : int
            Size of the base.
        contract : Contract
            With a population.
        """
        scenario = telecom_scenarios(HISTORY)[name]
        parts: list[tuple[pd.DataFrame, pd.Series, pd.Series]] = []
        year: list[Month] = []
        times: list[datetime] = []
        for month in live(contract, customers, HISTORY + YEAR, seed, scenario=scenario):
            if month.number < HISTORY:
                parts.append(_some(month, np.arange(month.number, customers, HISTORY)))
                times += [moment(month.number - HISTORY)] * len(parts[-1][0])
            else:
                year.append(month)
        features = pd.concat([part[0] for part in parts], ignore_index=True)
        outcome: pd.Series = pd.concat([part[1] for part in parts], ignore_index=True)
        ids: pd.Series = pd.concat([part[2] for part in parts], ignore_index=True)
        file = Dataset(
            features,
            outcome,
            ids,
            source=f"history of {name}, seed {seed}",
            simulated=True,
            asked_at=as_times(pd.Series(times)),
        )
        return cls(name, seed, contract, customers, scenario, file, year)

    @property
    def event(self) -> int | None:
        """The month of the year, from 0 up, in which something happens; None where nothing does."""
        return min((event.start - HISTORY for event in self.scenario.events), default=None)

    def fork(self) -> Fixture:
        """Return the same scenario for another strategy, whose campaigns may change its months; clean customers are shared."""
        return replace(self, months=list(self.months))

    def clean(self, month: int) -> Month:
        """Return as many other customers of a month of the year: nobody was ever trained on them."""
        if not self._clean:
            lives: Iterator[Month] = live(
                self.contract, self.customers, HISTORY + YEAR, self.seed + OTHERS, scenario=self.scenario
            )
            self._clean.extend(one for one in lives if one.number >= HISTORY)
        return self._clean[month]


def _some(month: Month, places: np.ndarray) -> tuple[pd.DataFrame, pd.Series, pd.Series]:
    customers = month.customers
    if customers.customer_id is None:
        raise AssertionError("a base that lives has ids")
    return customers.features.iloc[places], customers.labelled.iloc[places], customers.customer_id.iloc[places]
