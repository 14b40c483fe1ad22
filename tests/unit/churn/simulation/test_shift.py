"""The knobs of a simulation take only what means something."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from pydantic import ValidationError

from churn.contract import Contract
from churn.errors import InputError
from churn.simulation.mechanism import Condition, Effect, Mechanism, Rule
from churn.simulation.shift import Drift, Extra, Mix, Shift

KNOBS: dict[str, Callable[[float], object]] = {
    "scale": lambda x: Shift(scale={"total_day_minutes": x}),
    "move": lambda x: Shift(move={"total_day_minutes": x}),
    "share": lambda x: Shift(share={"international_plan": x}),
    "missing": lambda x: Shift(missing={"total_day_minutes": x}),
    "extra's share": lambda x: Extra(share=x, by=1.0),
    "extra's by": lambda x: Extra(share=0.5, by=x),
    "mix": lambda x: Mix(share=x, shift=Shift()),
    "base rate": lambda x: Drift(base_rate=x),
    "probability": lambda x: Drift(probability={"heavy": x}),
    "effect scale": lambda x: Drift(effect_scale=x),
    "effect": lambda x: Effect(per_unit=x),
    "centre": lambda x: Effect(per_unit=1.0, centre=x),
    "above": lambda x: Condition(above=x),
    "at most": lambda x: Condition(at_most=x),
    "rule": lambda x: Rule(probability=x, when={"calls": Condition(above=1.0)}),
}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("knob", KNOBS)
def test_no_knob_takes_what_is_no_number(knob: str, number: float) -> None:
    with pytest.raises(ValidationError):
        KNOBS[knob](number)


@pytest.mark.parametrize("knob", ["share", "missing", "extra's share", "mix", "probability", "rule"])
def test_shares_are_between_none_and_all(knob: str) -> None:
    for share in (0.0, 1.0):
        KNOBS[knob](share)
    for share in (-0.01, 1.01):
        with pytest.raises(ValidationError):
            KNOBS[knob](share)


def test_a_base_rate_is_neither_nobody_nor_everybody() -> None:
    for rate in (0.0, 1.0):
        with pytest.raises(ValidationError):
            Drift(base_rate=rate)


def test_an_unknown_knob_is_refused() -> None:
    with pytest.raises(ValidationError):
        Shift(scales={"total_day_minutes": 2.0})  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("shift", "words"),
    [
        (Shift(scale={"nothing": 2.0}), "no feature 'nothing'"),
        (Shift(scale={"international_plan": 2.0}), "is a flag"),
        (Shift(move={"state": 2.0}), "is a category"),
        (Shift(extra={"state": Extra(share=0.5, by=1.0)}), "is a category"),
        (Shift(share={"total_day_minutes": 0.5}), "is a number"),
        (Shift(permute=("nothing",)), "no feature 'nothing'"),
        (Shift(missing={"nothing": 0.5}), "no feature 'nothing'"),
    ],
)
def test_a_knob_that_fits_no_column_is_refused(contract: Contract, shift: Shift, words: str) -> None:
    with pytest.raises(InputError, match=words):
        shift.hold_against(contract)


def test_what_must_not_be_missing_is_not_lost() -> None:
    columns = [{"name": "used", "source": "Used", "kind": "number"}]
    contract = Contract.model_validate({"name": "strict", "columns": columns})
    with pytest.raises(InputError, match=r"'used' must not be missing"):
        Shift(missing={"used": 0.5}).hold_against(contract)


MECHANISM = Mechanism(
    base_rate=0.1,
    effects={"calls": Effect(per_unit=0.5, centre=2.0), "minutes": Effect(per_unit=0.01)},
    rules={"heavy": Rule(probability=0.9, when={"minutes": Condition(above=250.0)})},
)


def test_no_drift_changes_nothing() -> None:
    assert Drift().applied(MECHANISM) == MECHANISM


def test_each_knob_of_the_drift_changes_what_it_names() -> None:
    other = Rule(probability=0.2, when={"calls": Condition(at_least=4.0)})
    assert Drift(base_rate=0.3).applied(MECHANISM).base_rate == 0.3
    assert Drift(probability={"heavy": 0.4}).applied(MECHANISM).rules["heavy"].probability == 0.4
    assert Drift(rules={"heavy": None}).applied(MECHANISM).rules == {}
    assert Drift(rules={"calls": other}).applied(MECHANISM).rules == {**MECHANISM.rules, "calls": other}
    turned = Drift(effect_scale=-1.0, effects={"minutes": Effect(per_unit=0.02)}).applied(MECHANISM).effects
    assert turned == {"calls": Effect(per_unit=-0.5, centre=2.0), "minutes": Effect(per_unit=-0.02)}


@pytest.mark.parametrize("drift", [Drift(probability={"light": 0.4}), Drift(rules={"light": None})])
def test_a_rule_that_is_not_there_is_named(drift: Drift) -> None:
    with pytest.raises(InputError, match=r"no rule 'light' \(there are: heavy\)"):
        drift.applied(MECHANISM)
