from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import special

from churn.simulation.mechanism import Condition, Effect, Mechanism, Rule

VALUES = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ({"above": 2}, [False, False, True]),
        ({"at_least": 2}, [False, True, True]),
        ({"below": 2}, [True, False, False]),
        ({"at_most": 2}, [True, True, False]),
        ({"flag": True}, [True, False, False]),
        ({"above": 1, "below": 3}, [False, True, False]),
        ({"at_least": 1, "at_most": 3}, [True, True, True]),
        ({"above": 0}, [True, True, True]),
    ],
)
def test_a_condition_holds_on_its_side_of_the_bound(condition: dict[str, Any], holds: list[bool]) -> None:
    assert Condition(**condition).holds(VALUES).tolist() == holds


def test_flags_and_levels_are_asked_by_their_values() -> None:
    assert Condition(flag=False).holds(np.array([0.0, 1.0])).tolist() == [True, False]
    assert Condition(one_of=("OH", "KS")).holds(np.array(["OH", "TX", "KS"], dtype=object)).tolist() == [True, False, True]
    with pytest.raises(ValidationError, match="needs at least one requirement"):
        Condition()


def test_effects_add_up_in_log_odds() -> None:
    mechanism = Mechanism(base_rate=0.2, effects={"a": Effect(per_unit=0.5, centre=2), "b": Effect(per_unit=-1)})
    a, b = np.array([2.0, 4.0, 0.0]), np.array([0.0, 1.0, -2.0])
    expected = special.expit(special.logit(0.2) + 0.5 * (a - 2) - b)
    np.testing.assert_allclose(mechanism.probability({"a": a, "b": b}), expected)
    certain = Mechanism(base_rate=0.5, effects={"a": Effect(per_unit=1e6)}).probability({"a": np.array([-1.0, 1.0])})
    np.testing.assert_allclose(certain, [0.0, 1.0], atol=1e-12)


def test_each_rule_is_a_reason_of_its_own_to_leave() -> None:
    rules = {
        "one": Rule(probability=0.5, when={"a": Condition(above=1), "index": Condition(at_least=10)}),
        "two": Rule(probability=0.4, when={"a": Condition(above=2)}),
    }
    mechanism = Mechanism(base_rate=0.2, indexes={"index": {"a": 2.0, "b": 3.0}}, rules=rules)
    found = mechanism.probability({"a": np.array([1.0, 2.0, 3.0, 3.0]), "b": np.array([9.0, 2.0, 1.0, 9.0])})
    np.testing.assert_allclose(found, [0.2, 1 - 0.8 * 0.5, 1 - 0.8 * 0.6, 1 - 0.8 * 0.5 * 0.6])


def test_every_column_that_is_named_is_told_with_its_path() -> None:
    rule = Rule(probability=1, when={"d": Condition(above=1), "index": Condition(above=1)})
    mechanism = Mechanism(base_rate=0.2, effects={"a": Effect(per_unit=1)}, indexes={"index": {"b": 1}}, rules={"r": rule})
    assert list(mechanism.names()) == [("churn.effects.a", "a"), ("churn.indexes.index", "b"), ("churn.rules.r", "d")]


@pytest.mark.parametrize(
    "values", [{"base_rate": 0}, {"base_rate": 1}, {"base_rate": 0.5, "rules": {"r": {"probability": 1, "when": {}}}}]
)
def test_what_is_no_mechanism_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Mechanism.model_validate(values)
