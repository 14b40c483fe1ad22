"""Weights of many rules are added eight at a time: the same sum as one by one, whichever rules hold."""

from __future__ import annotations

import random

import pytest

from churn.inference.program import Program
from churn.inference.terms import sums_by_byte


def program(weights: list[float], *, by_byte: bool) -> Program:
    return Program(
        numbers=(), sums=(), levels=(), gaps=(), ramps=(), every_rule=(1 << len(weights)) - 1,
        weights={1 << at: weight for at, weight in enumerate(weights)},
        by_byte=sums_by_byte(weights) if by_byte else (),
        number_steps=(), sum_steps=(), level_steps=(),
    )  # fmt: skip


@pytest.mark.parametrize("rules", [0, 1, 7, 8, 9, 40])
def test_the_sum_is_that_of_the_rules_that_hold(rules: int) -> None:
    rng = random.Random(rules)  # noqa: S311 -- examples, no secrets
    weights = [rng.uniform(-1, 1) for _ in range(rules)]
    one_by_one, at_once = program(weights, by_byte=False), program(weights, by_byte=True)
    for holding in (0, (1 << rules) - 1, *(rng.getrandbits(rules) if rules else 0 for _ in range(50))):
        expected = 0.5 + sum(weight for at, weight in enumerate(weights) if holding >> at & 1)
        assert one_by_one.add_weights(0.5, holding) == pytest.approx(expected, abs=1e-12)
        assert at_once.add_weights(0.5, holding) == pytest.approx(expected, abs=1e-12)


def test_every_choice_of_eight_has_its_sum() -> None:
    weights = [2.0**at for at in range(11)]
    first, second = sums_by_byte(weights)
    assert first == [float(byte) for byte in range(256)]
    assert second == [256.0 * byte for byte in range(8)]
    assert sums_by_byte([]) == ()
