from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace

import pytest

from churn.explain import patterns
from churn.explain.attribution import Attribution, Attributor
from churn.explain.patterns import Pattern, Patterns
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, WeighedRule
from tests.unit.churn.explain.test_attribution import Values, made_up


def attributions(model: CompiledModel, asked: list[Values]) -> dict[Pattern, list[tuple[list[bool], Attribution]]]:
    """Each customer's, by pattern, with what is missing."""
    attributor, found = Attributor(model), defaultdict(list)
    known = Patterns(attributor.plan)
    for values in asked:
        pattern = known.of(values)
        assert pattern is not None
        found[pattern].append(([value is None for value in values], attributor.attribute(values)))
    return found


def rules_of(seed: int) -> tuple[CompiledModel, list[Values]]:
    """A model without ramps, and customers of several seeds: their values lie on the same cuts."""
    model, _ = made_up(seed)
    return replace(model, ramps=()), [values for other in range(40) for values in made_up(other)[1]]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("rules", [2, 12])
def test_customers_of_one_pattern_have_the_same_attribution_to_the_last_digit(seed: int, rules: int) -> None:
    model, asked = rules_of(seed)
    found = attributions(replace(model, rules=model.rules[-rules:]), asked)
    assert len(found) < len(asked)
    for first, *others in found.values():
        assert all(other == first for other in others)


def test_few_rules_make_few_patterns() -> None:
    model, asked = rules_of(1)
    full = [[0.75 if value is None else value for value in values] for values in asked]
    for values in full:
        values[0], values[5] = "x", "x"  # of categories, which have no numbers
    assert len(attributions(replace(model, rules=model.rules[:1]), full)) <= 8


def test_what_is_looked_up_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = rules_of(3)
    many = [Patterns(Attributor(model).plan).of(values) for values in asked]
    monkeypatch.setattr(patterns, "MAX_SETS", 2)
    few = Patterns(Attributor(model).plan)
    assert [few.of(values) for values in asked] == many
    assert len(few._compared) <= 2


def test_there_is_none_where_ramps_or_many_parts_of_a_sum_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    model, asked = made_up(0)
    assert {Patterns(Attributor(model).plan).of(values) for values in asked} == {None}
    model, asked = rules_of(0)
    monkeypatch.setattr(patterns, "MAX_MIXED", 1)
    found = [Patterns(Attributor(model).plan).of(values) for values in asked]
    assert None in found
    assert set(found) != {None}


@pytest.mark.parametrize("high", [4.0, 2.0])  # above and below the typical sum
def test_a_sum_below_all_floats_meets_no_bound(high: float) -> None:
    model, _ = made_up(0)
    model = replace(model, ramps=(), rules=(WeighedRule((Condition(len(model.numbers), -math.inf, high),), 2.0),))
    asked: list[Values] = [["x", low, low, False, 1.5, "x", 0.0] for low in (-0.4e308, -1.7e308)]
    assert [model.logit(values) - model.intercept for values in asked] == [2.0, 0.0]
    assert len(attributions(model, asked)) == 2
    for values in asked:
        found = Attributor(model).attribute(values)
        assert found.base + sum(found.contributions) == pytest.approx(model.logit(values))
