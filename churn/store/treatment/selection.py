"""Which outcomes may be learned from, and how many customers each stands for. Pure: it reads and writes nothing.

Chance decides who of the customers a model names is left alone, so those left alone tell what all of them would have done.
Nothing else does: among the others, who was not reached differs from who was, and who left early could not be called any more. So
where a campaign was at work, of the named customers only the control group counts, each for as many as there are named ones for
one of it: the inverse of the probability of being left alone, estimated as the share that was (Rosenbaum, JASA 82(398), 1987;
Hirano, Imbens and Ridder, Econometrica 71(4), 2003). Everybody else was not to be contacted, and counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from churn.evaluation.weights import effective_size

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
MONTH = np.timedelta64(30, "D")
# Named customers of a month are compared in so many groups of score: a budget reaches only the highest.
MAX_STRATA, MIN_STRATUM = 5, 20
# With fewer of the control group than this, months are taken together; and so many named ones of whom nobody was held out are no
# chance: of a tenth, one in two hundred times.
MIN_HELD_OUT, MIN_NAMED = 5, 50


@dataclass(frozen=True)
class Selection:
    """Outcomes that may be learned from, among those that were read.

    Attributes
    ----------
    weight : numpy.ndarray of float64, shape (n,)
        How many customers an outcome stands for. 0: nothing may be learned from it. NaN: it says what its customer does, but
        whom it stands for is not known, since of those who would have been contacted in its time nobody was left alone.
    acted_on : int
        Outcomes while a contact was in effect.
    leaked : int
        Of these, outcomes of the control group.
    aside : int
        Outcomes of named customers where a campaign was at work who were neither contacted nor held out.
    standing : int
        Outcomes of the control group that stand for all of these.
    unknown : int
        Outcomes of named customers for whom nobody stands.
    effective : float
        Effective sample size of the weighted outcomes (Kish, Survey Sampling, 1965, sec. 11.7): so many of equal weight would
        say as much.
    """

    weight: Floats
    acted_on: int
    leaked: int
    aside: int
    standing: int
    unknown: int
    effective: float

    @property
    def blind(self) -> bool:
        """Whether of some who would have been contacted nothing is known."""
        return self.unknown > 0

    @property
    def set_aside(self) -> int:
        """How many outcomes nothing may be learned from."""
        return int((self.weight == 0).sum())

    def __str__(self) -> str:
        """Return in words what was set aside, and who stands for whom."""
        rows = len(self.weight)
        said = f"{self.acted_on:,} of {rows:,} outcomes are of customers who were acted on"
        if self.aside:
            said += f", {self.aside:,} of others who might have been"
        if self.standing:
            said += f"; {self.standing:,} of the control group stand for them"
        if self.leaked:
            said += f" ({self.leaked:,} of the control group were contacted all the same)"
        said += f"; effective sample size {self.effective:,.0f}"
        if self.blind:
            said += (
                f"; nobody stands for {self.unknown:,} whom a model named, so what such customers do can no longer be known: "
                "set CHURN_CONTROL_SHARE, and contact nobody whose action is hold_out"
            )
        return said

    def report(self) -> dict[str, Any]:
        """Return the counts, JSON-ready."""
        names = ("acted_on", "leaked", "aside", "standing", "unknown")
        return {name: getattr(self, name) for name in names} | {"effective_rows": round(self.effective, 1)}


def select(acted_on: Bools, held_out: Floats, requested_at: NDArray[np.datetime64], probability: Floats) -> Selection | None:
    """Decide which outcomes may be learned from.

    Parameters
    ----------
    acted_on, held_out : numpy.ndarray, shape (n,)
        As in `churn.store.treatment.marks.Marks`; held_out is NaN where no model named the customer.
    requested_at : numpy.ndarray of datetime64, shape (n,)
        Of the predictions: what is called together is compared by months.
    probability : numpy.ndarray of float64, shape (n,)
        What they answered, in [0, 1].

    Returns
    -------
    Selection or None
        None if nobody was acted on: all may be learned from, as they are.

    Examples
    --------
    >>> held_out = np.array([np.nan] * 4 + [0.0] * 6 + [1.0] * 2)
    >>> acted_on, when = held_out == 0, np.full(12, np.datetime64("2026-03-01"))
    >>> select(acted_on, held_out, when, np.full(12, 0.5)).weight.tolist()
    [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 4.0]
    """
    if not acted_on.any():
        return None
    month = (requested_at.astype("datetime64[us]") - np.datetime64(0, "us")) // MONTH
    named, control = ~np.isnan(held_out), held_out == 1
    campaign = _at_work(acted_on, named, month, probability)
    usable = ~acted_on & (control | ~campaign)
    weight = usable.astype(np.float64)
    unknown = 0
    groups, blind = _months_together(month, campaign, usable)
    for months in groups:
        here = campaign & np.isin(month, months)
        weight[here & usable] = here.sum() / (here & usable).sum()
    # Nothing random stands for customers who were contacted though no model named them: others of the same month do.
    for one in np.unique(month[acted_on & ~named]):
        here = ~named & (month == one)
        if (here & usable).any():
            weight[here & usable] = here.sum() / (here & usable).sum()
    if len(blind):
        there = np.isin(month, blind)
        unknown = int((there & campaign).sum())
        weight[there & usable] = np.nan
    return Selection(
        weight=weight,
        acted_on=int(acted_on.sum()),
        leaked=int((acted_on & control).sum()),
        aside=int((campaign & ~acted_on & ~control).sum()),
        standing=int((campaign & usable).sum()),
        unknown=unknown,
        effective=effective_size(weight),
    )


def _at_work(acted_on: Bools, named: Bools, month: NDArray[np.int64], probability: Floats) -> Bools:
    """Return which named customers are of a month and a group of scores in which somebody was acted on."""
    found = np.zeros(len(acted_on), dtype=np.bool_)
    for one in np.unique(month[acted_on & named]):
        here = np.flatnonzero(named & (month == one))
        strata = max(1, min(MAX_STRATA, len(here) // MIN_STRATUM))
        edges = np.unique(np.quantile(probability[here], np.arange(1, strata) / strata))
        group = np.searchsorted(edges, probability[here], side="right")
        contacted = np.bincount(group, weights=acted_on[here], minlength=len(edges) + 1) > 0
        found[here] = contacted[group]
    return found


def _months_together(month: NDArray[np.int64], campaign: Bools, usable: Bools) -> tuple[list[list[np.int64]], list[np.int64]]:
    """Group months so that each group has enough of the control group; return also the months that nobody stands for."""
    groups: list[list[np.int64]] = []
    blind: list[np.int64] = []
    waiting: list[np.int64] = []
    standing = 0
    for one in np.unique(month[campaign]):
        here = campaign & (month == one)
        number = int((here & usable).sum())
        if not number and here.sum() >= MIN_NAMED:
            blind.append(one)
            continue
        waiting.append(one)
        standing += number
        if standing >= MIN_HELD_OUT:
            groups.append(waiting)
            waiting, standing = [], 0
    if not waiting:
        return groups, blind
    if groups:
        groups[-1] += waiting
    elif standing:
        groups.append(waiting)
    else:
        blind += waiting
    return groups, blind
