"""What is known of a model before a customer, of a small model made by hand whose bounds lie on the customers' values."""

from __future__ import annotations

from itertools import product
from math import inf

import pytest

from churn.explain.attribution import Attributor
from churn.explain.plan import Plan, clip, complete
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp, WeighedRule

# Inputs: 0 minutes, 1 calls, 2 charge, 3 total (minutes + calls), 4 plan = a, 5 plan = b.
MODEL = CompiledModel(
    columns=("plan", "minutes", "calls", "charge"),
    numbers=("minutes", "calls", "charge"),
    sums={"total": ("minutes", "calls")},
    levels={"plan": ("a", "b")},
    relations={"charge": ("minutes", 0.5)},
    typical={"plan": "a", "minutes": 2.0, "calls": 1.0, "charge": 4.0},
    category_levels={"plan": ("a", "b", "c")},
    ramps=(
        Ramp(0, 1.0, 3.0, 0.5, 0.25),
        Ramp(3, 2.0, 5.0, -0.25, 0.0),
        Ramp(4, 0.0, 1.0, 2.0, 0.0),
        Ramp(5, 0.0, 1.0, -1.0, 0.0),
    ),
    rules=(
        WeighedRule((Condition(0, 2.0, 3.0), Condition(4, 0.5, inf)), 4.0),
        WeighedRule((Condition(3, 3.0, inf),), 8.0),
        WeighedRule((Condition(3, -inf, 3.0), Condition(1, 0.0, 1.0)), 16.0),
        WeighedRule((Condition(2, -inf, 4.0), Condition(5, -inf, 0.5)), 32.0),
        WeighedRule((Condition(2, 1.0, 2.0), Condition(2, 1.5, inf)), 64.0),
    ),
    intercept=-1.0,
)
PLANS, MINUTES, CALLS, CHARGES = ("a", "b", "c"), (1.0, 2.0, 3.0, 7.0), (0.0, 1.0, 2.0), (1.0, 1.5, 2.0, 4.0, 4.5)
CUSTOMERS = [list(values) for values in product(PLANS, MINUTES, CALLS, CHARGES)]


def test_the_base_is_the_answer_for_the_typical_customer() -> None:
    plan = Plan(MODEL)
    assert plan.typical == ["a", 2.0, 1.0, 4.0]
    assert plan.base == pytest.approx(MODEL.logit(plan.typical), abs=1e-12)


def test_contributions_add_up_for_values_on_every_bound() -> None:
    attributor, base = Attributor(MODEL), Plan(MODEL).base
    for values in CUSTOMERS:
        found = attributor.attribute(values)
        assert base + sum(found.contributions) == pytest.approx(MODEL.logit(values), abs=1e-9), values


def test_each_term_knows_the_columns_it_reads() -> None:
    plan = Plan(MODEL)
    ramps = [{1}, {1, 2}, {0}, {0}]
    rules = [{0, 1}, {1, 2}, {1, 2}, {0, 3}, {3}]
    assert plan.term_columns == [frozenset(columns) for columns in [*ramps, *rules]]
    assert [rule.term for rule in plan.rules] == [4, 5, 6, 7, 8]


def test_values_between_the_same_cuts_change_the_same_bits() -> None:
    plan = Plan(MODEL)
    [(at, cuts, effects)] = [step for step in plan.number_steps if step[0] == 3]
    assert (at, cuts) == (3, [1.0, 1.5, 2.0, 4.0])
    assert len(set(effects)) == 3, "at most 1.5; up to 2; up to 4, as usual; above"
    assert effects[0] == effects[1] == 0 or effects[3] == 0
    levels = dict(plan.level_steps)[0]
    assert levels["a"] == 0
    assert set(levels) == {"a", "b", "c"}
    assert levels["b"] != levels["c"]


def test_what_is_missing_comes_from_its_relation_or_is_typical() -> None:
    plan = Plan(MODEL)
    known, missing, followed = complete(plan, [None, 3.0, None, None])
    assert (known, set(missing), list(followed)) == (["a", 3.0, 1.0, 1.5], {0, 2}, [(3, 1)])
    known, missing, followed = complete(plan, ["b", None, 0.0, None])
    assert (known, set(missing), list(followed)) == (["b", 2.0, 0.0, 4.0], {1, 3}, [])
    known, missing, followed = complete(plan, ["b", None, 0.0, 9.0])
    assert (known, set(missing), list(followed)) == (["b", 2.0, 0.0, 9.0], {1}, [])


def test_values_are_clipped_to_their_bounds() -> None:
    assert [clip(value, 1.0, 2.0) for value in (0.5, 1.0, 1.5, 2.0, 2.5)] == [1.0, 1.0, 1.5, 2.0, 2.0]
