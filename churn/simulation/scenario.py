"""What happens to a population over months: seasons, and events that begin, spread, and may end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, model_validator

from churn.errors import InputError
from churn.simulation.marginals import Probability
from churn.simulation.mechanism import Condition, Rule
from churn.simulation.shift import Drift, Knobs, Shift

MONTHS_OF_YEAR = 12
# How far a season may lift a number: beyond it, months without any usage would follow.
_Amplitude = Annotated[float, Field(gt=-1, lt=1)]


class Season(Knobs):
    """Numbers that rise and fall with the year, and come back.

    Attributes
    ----------
    scale : dict of float
        Column to the share, in (-1, 1), by which it is higher at the peak and lower half a year later.
    peak : int
        The month of the peak; it comes again every twelve months.
    """

    scale: dict[str, _Amplitude] = Field(default_factory=dict)
    peak: int = 0

    def shift(self, month: int) -> Shift:
        """Return what is different in a month."""
        height = math.cos(2 * math.pi * (month - self.peak) / MONTHS_OF_YEAR)
        return Shift(scale={name: 1 + amplitude * height for name, amplitude in self.scale.items()})


class Event(Knobs):
    """Something that changes who customers are, what is written down of them, or why they leave.

    Attributes
    ----------
    name : str
    start : int
        First month in which it acts.
    end : int, optional
        First month in which it does so no more; None if it stays.
    months_to_reach_all : int
        0: everybody is affected at once. Otherwise the share that is affected grows evenly, up to everybody in the month
        `start + months_to_reach_all`; who is affected stays so.
    shift, drift : Shift, Drift
    """

    name: str
    start: int
    end: int | None = None
    months_to_reach_all: Annotated[int, Field(ge=0)] = 0
    shift: Shift = Shift()
    drift: Drift = Drift()

    @model_validator(mode="after")
    def _ends_after_it_began(self) -> Self:
        if self.end is not None and self.end <= self.start:
            raise ValueError("must end after it began")
        return self

    def reach(self, month: int) -> Probability:
        """Return the share of customers, in [0, 1], who are affected in a month."""
        if month < self.start or (self.end is not None and month >= self.end):
            return 0.0
        return min(1.0, (month - self.start + 1) / (self.months_to_reach_all + 1))


class MonthlyScenario(Knobs):
    """Months under a season and any number of events; by default nothing ever changes."""

    description: str = ""
    season: Season = Season()
    events: tuple[Event, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        if len({event.name for event in self.events}) < len(self.events):
            raise ValueError("events must have different names")
        return self


def combined(shifts: Sequence[Shift]) -> Shift:
    """Return one shift that does what all of them do: factors multiply, moves add, of two shares the later counts.

    Parameters
    ----------
    shifts : sequence of Shift

    Returns
    -------
    Shift

    Raises
    ------
    InputError
        If two of them mix in another population, or raise the same number for a share of the customers.

    Examples
    --------
    >>> combined([Shift(scale={"minutes": 2}), Shift(scale={"minutes": 1.5}, move={"calls": 1})]).scale
    {'minutes': 3.0}
    """
    scale: dict[str, float] = {}
    move: dict[str, float] = {}
    missing: dict[str, float] = {}
    for shift in shifts:
        scale |= {name: scale.get(name, 1.0) * factor for name, factor in shift.scale.items()}
        move |= {name: move.get(name, 0.0) + by for name, by in shift.move.items()}
        missing |= {name: 1 - (1 - missing.get(name, 0.0)) * (1 - share) for name, share in shift.missing.items()}
    extras = [(name, extra) for shift in shifts for name, extra in shift.extra.items()]
    mixes = [shift.mix for shift in shifts if shift.mix is not None]
    if len(mixes) > 1 or len(dict(extras)) < len(extras):
        raise InputError("simulation: two events of one month mix in a population, or raise the same number")
    return Shift(
        scale=scale,
        move=move,
        missing=missing,
        extra=dict(extras),
        share={name: share for shift in shifts for name, share in shift.share.items()},
        permute=tuple(dict.fromkeys(name for shift in shifts for name in shift.permute)),
        mix=mixes[0] if mixes else None,
    )


ABROAD = "international_plan"
PRICE_RISE = Drift(
    base_rate=0.05,
    rules={
        "big-bill": Rule(probability=0.9, when={"total_charge": Condition(above=66), "voice_mail_plan": Condition(flag=False)})
    },
)
USAGE_SEASON = Season(scale={"total_day_minutes": 0.03, "total_eve_minutes": 0.03, "total_intl_minutes": 0.06}, peak=11)


def telecom_scenarios(first: int = 0) -> dict[str, MonthlyScenario]:
    """Return the scenarios of the telecom contract's benchmark.

    Parameters
    ----------
    first : int
        The month that the stories call month 1: months before it are history, in which nothing happens.

    Returns
    -------
    dict of MonthlyScenario
    """

    def month(number: int) -> int:
        return first + number - 1

    launch = Shift(share={ABROAD: 0.25})
    fault = Shift(missing={"total_day_minutes": 0.3, "total_day_charge": 0.3, "customer_service_calls": 0.3})
    return {
        "calm": MonthlyScenario(description="Nothing changes."),
        "season": MonthlyScenario(description="Usage rises and falls with the year.", season=USAGE_SEASON),
        "price-rise": MonthlyScenario(
            description="Month 5: a competitor is cheaper, customers leave at smaller bills, more of the contented leave.",
            events=(Event(name="price rise", start=month(5), drift=PRICE_RISE),),
        ),
        "plan-launch": MonthlyScenario(
            description="Month 8: the international plan is pushed; a quarter of the customers has it.",
            events=(Event(name="plan launch", start=month(8), shift=launch),),
        ),
        "upstream-fault": MonthlyScenario(
            description="Month 10: a job upstream loses values; it is mended in month 11.",
            events=(Event(name="upstream fault", start=month(10), end=month(11), shift=fault),),
        ),
        "slow-drift": MonthlyScenario(
            description="From month 2 on, a twelfth more of the customers each month leaves at smaller bills.",
            events=(Event(name="slow drift", start=month(2), months_to_reach_all=11, drift=PRICE_RISE),),
        ),
    }
