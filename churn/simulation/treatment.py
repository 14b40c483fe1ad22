"""Campaigns in a base that lives: who is contacted may stay who would have left, or leave who would have stayed.

What customers do untouched is what `live` says of them, whoever is contacted: a campaign changes outcomes, and with them who is
still there the next month, and nothing else. So two campaigns, or none, are compared on the same customers, and the truth that no
company ever sees is kept: who would have left, who was saved, whom the campaign drove away.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from churn.errors import InputError
from churn.simulation.draws import generator
from churn.simulation.life import Month
from churn.simulation.marginals import Probability
from churn.simulation.shift import Knobs

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]


class Reaction(Knobs):
    """How customers take it to be contacted.

    Attributes
    ----------
    acceptance : float
        Share of those who would leave, and stay if they are contacted.
    spread : float
        How much customers differ in it, in [0, 1]: each has an acceptance of its own, evenly between (1 - spread) and
        (1 + spread) times the share above. It goes with the customer, from month to month.
    sleeping_dogs : float
        Share of customers who are better left alone.
    harm : float
        Probability that one of them, who would have stayed, leaves if contacted.
    """

    acceptance: Probability = 0.3
    spread: Probability = 0.5
    sleeping_dogs: Probability = 0.0
    harm: Probability = 0.5

    def of(self, nature: Floats, dog: Floats) -> tuple[Floats, Floats]:
        """Return each customer's probability of staying instead of leaving, and of leaving instead of staying, if contacted.

        Parameters
        ----------
        nature, dog : numpy.ndarray of float64, shape (n,)
            Two numbers in [0, 1) that say what kind of person each one is.

        Returns
        -------
        acceptance, harm : numpy.ndarray of float64, shape (n,)

        Raises
        ------
        InputError
            If some would stay with a probability above 1.
        """
        if self.acceptance * (1 + self.spread) > 1:
            raise InputError(
                "simulation: acceptance * (1 + spread) must be at most 1, as nobody stays more surely than surely "
                f"(found {self.acceptance * (1 + self.spread):g})"
            )
        acceptance = self.acceptance * (1 + self.spread * (2 * nature - 1))
        return acceptance, np.where(dog < self.sleeping_dogs, self.harm, 0.0)


USUAL_REACTION = Reaction()


@dataclass(frozen=True)
class TreatedMonth:
    """A month after its campaign. All arrays have one entry a customer.

    Attributes
    ----------
    month : Month
        As the company sees it: outcomes are those after the campaign.
    contacted : numpy.ndarray of bool
    would_leave : numpy.ndarray of bool
        Who would have left without the campaign.
    saved, driven_away : numpy.ndarray of bool
        Who stayed, or left, because of it.
    acceptance, harm : numpy.ndarray of float64
        Each one's probability of staying instead of leaving, and of leaving instead of staying, if contacted.
    """

    month: Month
    contacted: Bools
    would_leave: Bools
    saved: Bools
    driven_away: Bools
    acceptance: Floats
    harm: Floats


class TreatedBase:
    """A base under campaigns: give it each month, in order, with whom the campaign contacts.

    Parameters
    ----------
    seed : int
        Not negative.
    reaction : Reaction
    """

    def __init__(self, seed: int, reaction: Reaction) -> None:
        if seed < 0:
            raise InputError(f"simulation: needs a seed of at least 0 (found {seed})")
        # Nobody is there yet: what cannot be is said before anybody is.
        reaction.of(np.zeros(0), np.zeros(0))
        self._seed, self._reaction = seed, reaction
        # Of each place: which of its customers is there, and two numbers in [0, 1) that say what kind of person that is.
        self._occupant = np.zeros(0, dtype=np.int64)
        self._nature, self._dog = np.zeros(0), np.zeros(0)
        self._named: Month | None = None

    def named(self, month: Month) -> Month:
        """Return a month with the ids of those who are there under the campaigns so far: who was saved stays who they are."""
        rows = len(month.probability)
        if self._named is not None and self._named.number == month.number:
            return self._named
        if not len(self._occupant):
            self._occupant = np.zeros(rows, dtype=np.int64)
            self._nature, self._dog = np.zeros(rows), np.zeros(rows)
            self._arrive(np.ones(rows, dtype=np.bool_), month.number)
        ids = [f"T{self._seed}-{place:07d}-{who}" for place, who in enumerate(self._occupant.tolist(), 1)]
        self._named = replace(month, customers=replace(month.customers, customer_id=pd.Series(ids, dtype=object)))
        return self._named

    def contact(self, month: Month, contacted: Bools) -> TreatedMonth:
        """Let a campaign contact customers, and the month end.

        Parameters
        ----------
        month : Month
            As `live` gives it, or as `named` does.
        contacted : numpy.ndarray of bool, shape (n_customers,)

        Returns
        -------
        TreatedMonth
        """
        month = self.named(month)
        acceptance, harm = self._reaction.of(self._nature, self._dog)
        draws = generator(self._seed, month.number, purpose="<reacts>").random(len(contacted))
        would_leave = month.customers.labelled.to_numpy() == 1
        saved = contacted & would_leave & (draws < acceptance)
        driven_away = contacted & ~would_leave & (draws < harm)
        left = (would_leave & ~saved) | driven_away
        stayers = month.known_after[~would_leave]
        stay_days = int(stayers[0]) if len(stayers) else int(month.known_after.max())
        days = generator(self._seed, month.number, purpose="<driven away>").integers(1, stay_days + 1, len(contacted))
        after = replace(
            month,
            customers=replace(month.customers, outcome=pd.Series(left.astype(np.int64))),
            known_after=np.where(saved, stay_days, np.where(driven_away, days, month.known_after)),
        )
        self._arrive(left, month.number + 1)
        return TreatedMonth(after, contacted, would_leave, saved, driven_away, acceptance, harm)

    def _arrive(self, where: Bools, month: int) -> None:
        """Let new customers come to places, each with a nature of their own."""
        rng = generator(self._seed, month, purpose="<nature>")
        self._occupant = self._occupant + where
        self._nature = np.where(where, rng.random(len(where)), self._nature)
        self._dog = np.where(where, rng.random(len(where)), self._dog)


@dataclass(frozen=True)
class TreatedCustomers:
    """Customers after one campaign. All arrays have one entry a customer.

    Attributes
    ----------
    contacted, would_leave, left : numpy.ndarray of bool
        Whom the campaign contacted, who would have left untouched, and who left.
    acceptance, harm : numpy.ndarray of float64
        Each one's probability of staying instead of leaving, and of leaving instead of staying, if contacted.
    """

    contacted: Bools
    would_leave: Bools
    left: Bools
    acceptance: Floats
    harm: Floats

    @property
    def saved(self) -> Bools:
        """Who stayed because of the campaign."""
        return self.would_leave & ~self.left

    @property
    def driven_away(self) -> Bools:
        """Who left because of it."""
        return ~self.would_leave & self.left


def react(would_leave: Bools, contacted: Bools, seed: int, reaction: Reaction = USUAL_REACTION) -> Bools:
    """Return who leaves after one campaign, of customers who do not live on.

    Parameters
    ----------
    would_leave, contacted : numpy.ndarray of bool, shape (n,)
        Who would leave untouched, and whom the campaign contacts. Who is contacted changes nothing of anybody else.
    seed : int
        Not negative.
    reaction : Reaction

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Examples
    --------
    >>> everybody = np.ones(1_000, dtype=bool)
    >>> int(react(everybody, everybody, seed=1).sum()), int(react(everybody, ~everybody, seed=1).sum())
    (706, 1000)
    """
    return treat(would_leave, contacted, seed, reaction).left


def treat(would_leave: Bools, contacted: Bools, seed: int, reaction: Reaction = USUAL_REACTION) -> TreatedCustomers:
    """Let one campaign contact customers who do not live on.

    Parameters
    ----------
    would_leave, contacted, seed, reaction
        See `react`.

    Returns
    -------
    TreatedCustomers
    """
    rng = generator(seed, 0, purpose="<one campaign>")
    nature, dog, draws = rng.random((3, len(contacted)))
    acceptance, harm = reaction.of(nature, dog)
    left = np.where(contacted, np.where(would_leave, draws >= acceptance, draws < harm), would_leave)
    return TreatedCustomers(contacted, would_leave, left, acceptance, harm)
