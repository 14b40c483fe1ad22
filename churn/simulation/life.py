"""A base of customers who live through months: their usage moves, some leave, others come, the world changes around them.

A customer occupies a place. Each month the values of the place move a little, by steps that keep the population's distribution
exactly (AR(1) steps of a hidden normal number for usage, rare fresh draws for plans and categories), so that the monthly
marginals stay those of the contract's population however long it runs. Who leaves is followed in the same place by a new
customer, with a new id: the market goes on offering the same kinds of customers. Without this, a base would lose, month by
month, those who are about to leave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from churn.contract import Contract
from churn.data.dataset import Dataset
from churn.errors import InputError
from churn.simulation.customers import Customers, draw_customers, where
from churn.simulation.draws import generator
from churn.simulation.living_source import LivingSource
from churn.simulation.marginals import Levels, Probability, Share
from churn.simulation.population import Population, mechanism_misfit, read_population
from churn.simulation.scenario import Event, MonthlyScenario, combined
from churn.simulation.shift import Knobs

NOTHING_CHANGES = MonthlyScenario()


class Pace(Knobs):
    """How fast customers' values move, and how soon one learns what became of them.

    Attributes
    ----------
    persistence : float
        Correlation of a number with itself a month later, in [0, 1).
    switching : float
        Share of customers whose flag or category is drawn anew in a month, in [0, 1].
    leaver_days : (int, int)
        A leaver is known between so many days after the month began, evenly; (1, 30) if people leave on any day and it is
        known at once.
    stayer_days : int
        A stayer is known so many days after the month began: when the horizon of the prediction has passed.
    """

    persistence: float = Field(0.8, ge=0, lt=1)
    switching: Probability = 0.01
    leaver_days: tuple[int, int] = (1, 30)
    stayer_days: int = Field(30, ge=1)


USUAL_PACE = Pace()


@dataclass(frozen=True)
class Month:
    """The base in one month.

    Attributes
    ----------
    number : int
        From 0 up.
    customers : Dataset
        All customers of that month, as they are written down, with their ids and what became of them within the month.
    probability : numpy.ndarray of float64, shape (n_customers,)
        Each one's true probability of leaving, in [0, 1]: what a perfect model would say.
    known_after : numpy.ndarray of int64, shape (n_customers,)
        Days from the month's beginning until the outcome is known.
    """

    number: int
    customers: Dataset
    probability: NDArray[np.float64]
    known_after: NDArray[np.int64]


def live(
    contract: Contract,
    customers: int,
    months: int,
    seed: int,
    *,
    scenario: MonthlyScenario = NOTHING_CHANGES,
    pace: Pace = USUAL_PACE,
) -> Iterator[Month]:
    """Simulate a base of customers month by month.

    The same arguments give the same months, bit for bit. Two scenarios of one seed differ exactly in what they change, and the
    first months do not depend on how many follow.

    Parameters
    ----------
    contract : Contract
        Its `population` says how values spread and who leaves within a month.
    customers : int
        Size of the base, at least 1; it stays the same.
    months : int
        At least 1.
    seed : int
        Not negative.
    scenario : MonthlyScenario
        Seasons and events.
    pace : Pace
        How fast values move and outcomes become known.

    Returns
    -------
    iterator of Month

    Raises
    ------
    InputError
        If an argument is out of range, or the scenario does not fit the contract.

    Examples
    --------
    >>> from churn.contract import load_contract
    >>> [round(float(month.customers.labelled.mean()), 2) for month in live(load_contract(), 20_000, 3, seed=7)]
    [0.15, 0.14, 0.15]
    """
    if customers < 1 or months < 1 or seed < 0:
        raise InputError(
            f"simulation: needs at least 1 customer, 1 month and a seed of at least 0 (found {customers}, {months}, {seed})"
        )
    first, last = pace.leaver_days
    if not 0 <= first <= last:
        raise InputError(f"simulation: leaver_days must be two days in order, from 0 up (found {first} and {last})")
    population = read_population(contract)
    for event in scenario.events:
        event.shift.hold_against(contract)
        if broken := mechanism_misfit(event.drift.applied(population.churn), contract):
            raise InputError(f"event {event.name!r}: {': '.join(broken)} of contract {contract.name!r}")
    return _months(contract, population, customers, months, seed, scenario, pace)


def _months(
    contract: Contract, population: Population, customers: int, months: int, seed: int, scenario: MonthlyScenario, pace: Pace
) -> Iterator[Month]:
    switches = frozenset(name for name, marginal in population.columns.items() if isinstance(marginal, Levels | Share))
    source = LivingSource(seed, persistence=pace.persistence, switching=pace.switching, switches=switches)
    occupant = np.ones(customers, dtype=np.int64)
    for number in range(months):
        source.month = number
        recorded, probability = _circumstances(contract, population, customers, source, scenario)
        left = generator(seed, number, purpose="<churn>").random(customers) < probability
        first, last = pace.leaver_days
        days = generator(seed, number, purpose="<known after>").integers(first, last + 1, customers)
        ids = [f"L{seed}-{place:07d}-{who}" for place, who in enumerate(occupant.tolist(), 1)]
        yield Month(
            number=number,
            customers=Dataset(
                pd.DataFrame(recorded, columns=contract.feature_names),
                pd.Series(left.astype(np.int64)),
                customer_id=pd.Series(ids, dtype=object),
                source=f"simulated {contract.name}: month {number}, {customers} customers, seed {seed}",
                simulated=True,
            ),
            probability=probability,
            known_after=np.where(left, days, pace.stayer_days),
        )
        occupant = occupant + left


def _circumstances(
    contract: Contract, population: Population, rows: int, source: LivingSource, scenario: MonthlyScenario
) -> tuple[Customers, NDArray[np.float64]]:
    """Return the customers of the source's month as they are written down, and each one's probability of leaving."""
    month = source.month
    acting = [event for event in scenario.events if event.reach(month) > 0]

    def under(events: frozenset[str]) -> tuple[Customers, NDArray[np.float64]]:
        here = [event for event in acting if event.name in events]
        mechanism = population.churn
        for event in here:
            mechanism = event.drift.applied(mechanism)
        shift = combined([scenario.season.shift(month), *(event.shift for event in here)])
        true, recorded = draw_customers(contract, population, rows, source, shift)
        return recorded, mechanism.probability(true)

    def spread(events: Sequence[Event], known: frozenset[str]) -> tuple[Customers, NDArray[np.float64]]:
        if not events:
            return under(known)
        event, rest = events[0], events[1:]
        there = spread(rest, known | {event.name})
        if event.reach(month) >= 1:
            return there
        here = spread(rest, known)
        # A person's turn in the spreading never changes: who is affected stays so.
        affected = generator(source.seed, purpose=f"<event {event.name}>").random(rows) < event.reach(month)
        return where(affected, there[0], here[0]), np.where(affected, there[1], here[1])

    return spread(acting, frozenset())
