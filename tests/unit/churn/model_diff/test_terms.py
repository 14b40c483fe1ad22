"""What terms say, and what each can add."""

from __future__ import annotations

from math import inf

import pytest

from churn.contract import Contract
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp, WeighedRule
from churn.model_diff.terms import TermChange, compare_terms, weights_by_term

# Inputs 0 to 2 are numbers, 3 is a sum, 4 a level.
MINUTES, PLAN, CALLS, TOTAL, STATE = range(5)


def compiled(*terms: Ramp | WeighedRule) -> CompiledModel:
    numbers = ("total_day_minutes", "international_plan", "customer_service_calls")
    return CompiledModel(
        columns=(*numbers, "state"),
        numbers=numbers,
        sums={"all": ("total_day_minutes", "customer_service_calls")},
        levels={"state": ("OH",)},
        relations={},
        typical={"total_day_minutes": 180.0, "international_plan": 0.0, "customer_service_calls": 1.0, "state": None},
        category_levels={"state": ("NY", "OH")},
        ramps=tuple(term for term in terms if isinstance(term, Ramp)),
        rules=tuple(term for term in terms if isinstance(term, WeighedRule)),
        intercept=-2.0,
    )


def rule(*conditions: tuple[int, float, float], weight: float = 1.0) -> WeighedRule:
    return WeighedRule(tuple(Condition(*one) for one in conditions), weight)


@pytest.mark.parametrize(
    ("term", "text", "weight"),
    [
        (Ramp(MINUTES, 0.0, 1.0, 3.0, 0.5), "total_day_minutes", 3.0),
        (Ramp(MINUTES, 0.0, 2.0, 3.0, 0.5), "total_day_minutes from 0 to 2", 6.0),
        (Ramp(MINUTES, -1.0, 1.0, 3.0, 0.5), "total_day_minutes from -1 to 1", 6.0),
        (Ramp(MINUTES, 10.00004, inf, 3.0, 0.5), "total_day_minutes from 10 (per unit)", 3.0),
        (Ramp(MINUTES, -inf, 1234.56, 3.0, 0.5), "total_day_minutes up to 1235 (per unit)", 3.0),
        (Ramp(MINUTES, -inf, inf, 3.0, 0.5), "total_day_minutes (per unit)", 3.0),
        (Ramp(STATE, 0.0, 1.0, -3.0, 0.0), "state = OH", -3.0),
        (rule((MINUTES, 10.0, inf)), "total_day_minutes > 10", 1.0),
        (rule((MINUTES, -inf, 1234.56)), "total_day_minutes <= 1235", 1.0),
        (rule((MINUTES, 10.0, 20.5)), "10 < total_day_minutes <= 20.5", 1.0),
        (rule((TOTAL, 10.0, inf)), "all > 10", 1.0),
        (rule((PLAN, 0.5, inf)), "international_plan = Yes", 1.0),
        (rule((PLAN, 0.0, inf)), "international_plan = Yes", 1.0),
        (rule((PLAN, -inf, 0.5)), "international_plan = No", 1.0),
        (rule((PLAN, -inf, inf)), "international_plan <= inf", 1.0),
        (rule((STATE, 0.5, inf)), "state = OH", 1.0),
        (rule((STATE, 0.0, inf)), "state = OH", 1.0),
        (rule((STATE, -inf, 0.5)), "not state = OH", 1.0),
        (rule((MINUTES, 10.0, inf), (STATE, -inf, 0.5), weight=-2.0), "total_day_minutes > 10 and not state = OH", -2.0),
        (rule(weight=0.25), "always", 0.25),
    ],
)
def test_a_term_in_words(contract: Contract, term: Ramp | WeighedRule, text: str, weight: float) -> None:
    assert weights_by_term(compiled(term), contract) == {text: weight}


def test_terms_of_one_text_are_added_up(contract: Contract) -> None:
    ramps = [Ramp(STATE, 0.0, 1.0, weight, 0.0) for weight in (1.0, 2.0)]
    rules = [rule((STATE, 0.5, inf), weight=4.0), rule((STATE, 0.5, inf), weight=8.0)]
    assert weights_by_term(compiled(*ramps, *rules), contract) == {"state = OH": 15.0}


def test_terms_that_moved_most_come_first_and_of_equal_ones_the_alphabet_decides(contract: Contract) -> None:
    first = compiled(
        rule((MINUTES, 10.0, inf), weight=1.0), rule((CALLS, 3.0, inf), weight=-2.0), rule((STATE, 0.5, inf), weight=0.5)
    )
    second = compiled(
        rule((MINUTES, 10.0, inf), weight=1.5), rule((STATE, -inf, 0.5), weight=0.5), rule((CALLS, 3.0, inf), weight=2.0)
    )
    assert compare_terms(first, second, contract) == [
        TermChange("customer_service_calls > 3", -2.0, 2.0),
        TermChange("not state = OH", None, 0.5),
        TermChange("state = OH", 0.5, None),
        TermChange("total_day_minutes > 10", 1.0, 1.5),
    ]


@pytest.mark.parametrize(
    ("first", "second", "size"), [(1.0, 3.5, 2.5), (3.5, 1.0, 2.5), (-1.0, 1.0, 2.0), (None, -2.0, 2.0), (1.5, None, 1.5)]
)
def test_how_far_a_weight_moved(first: float | None, second: float | None, size: float) -> None:
    assert TermChange("a", first, second).size == size
