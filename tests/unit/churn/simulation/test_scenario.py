"""What happens over months: seasons, and events that begin, spread and end."""

from __future__ import annotations

import pytest

from churn.errors import InputError
from churn.simulation.scenario import Event, MonthlyScenario, Season, combined, telecom_scenarios
from churn.simulation.shift import Extra, Mix, Shift


def test_a_season_comes_back() -> None:
    season = Season(scale={"total_day_minutes": 0.1}, peak=3)
    heights = [season.shift(month).scale["total_day_minutes"] for month in (3, 9, 15)]
    assert heights == pytest.approx([1.1, 0.9, 1.1])


def test_combined_shifts_do_what_each_does() -> None:
    both = combined(
        [Shift(missing={"state": 0.5}, share={"a": 0.1}), Shift(missing={"state": 0.5}, share={"a": 0.3}, permute=("b",))]
    )
    assert both == Shift(missing={"state": 0.75}, share={"a": 0.3}, permute=("b",))


@pytest.mark.parametrize(
    "wrong",
    [{"start": 3, "end": 3}, {"start": 1, "months_to_reach_all": -1}, {"start": 1, "drift": {"effect_scale": float("nan")}}],
)
def test_an_event_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"end after|greater than|finite"):
        Event.model_validate({"name": "x", **wrong})


def test_an_event_spreads_evenly_from_its_start_until_its_end() -> None:
    at_once, slow = Event(name="x", start=2, end=4), Event(name="y", start=2, months_to_reach_all=3)
    assert [at_once.reach(month) for month in range(6)] == [0, 0, 1, 1, 0, 0]
    assert [slow.reach(month) for month in range(8)] == [0, 0, 0.25, 0.5, 0.75, 1, 1, 1]


def test_factors_multiply_and_moves_add() -> None:
    found = combined([Shift(scale={"a": 2.0}, move={"b": 1.0}), Shift(scale={"a": 1.5, "c": 3.0}, move={"b": 0.5})])
    assert found == Shift(scale={"a": 3.0, "c": 3.0}, move={"b": 1.5})
    assert combined([]) == Shift()
    for other in (Shift(extra={"a": Extra(share=0.5, by=1)}), Shift(mix=Mix(share=0.5, shift=Shift()))):
        assert combined([other, Shift()]) == other
        with pytest.raises(InputError, match="mix in a population, or raise the same number"):
            combined([other, other])


def test_events_have_names_of_their_own() -> None:
    with pytest.raises(ValueError, match="different names"):
        MonthlyScenario(events=(Event(name="x", start=0), Event(name="x", start=5)))
    assert MonthlyScenario() == MonthlyScenario(description="", season=Season(), events=())


def test_the_months_of_the_stories_are_counted_from_the_first() -> None:
    found = telecom_scenarios(10)
    assert set(found) == {"calm", "season", "price-rise", "plan-launch", "upstream-fault", "slow-drift"}
    assert [(one.start, one.end) for name in ("price-rise", "plan-launch", "upstream-fault") for one in found[name].events] == [
        (14, None),
        (17, None),
        (19, 20),
    ]
    [slow] = found["slow-drift"].events
    assert (slow.start, slow.reach(11), slow.reach(21), slow.reach(22)) == (11, 1 / 12, 11 / 12, 1.0)
    assert found["season"].season.peak == 11
    assert found["calm"].events == ()
