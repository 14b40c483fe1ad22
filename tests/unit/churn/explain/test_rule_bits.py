from __future__ import annotations

import numpy as np
import pytest

from churn.explain import rule_bits
from churn.explain.mixed import UNCHANGED
from churn.explain.rule_bits import PlannedRule, RuleBits


def rules(sizes: list[int], usual: list[list[bool]]) -> list[PlannedRule]:
    return [
        PlannedRule(2.0, term, range(size), held, -1, (), ()) for term, (size, held) in enumerate(zip(sizes, usual, strict=True))
    ]


@pytest.mark.parametrize("seed", range(20))
def test_one_addition_tells_the_same_as_a_look_at_each_rule(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = [int(size) for size in rng.integers(0, 5, 30)]
    usual, own = ([[bool(rng.random() < 0.8) for _ in range(size)] for size in sizes] for _ in range(2))
    planned = rules(sizes, usual)
    bits, asked = RuleBits(planned), RuleBits(rules(sizes, own)).usual

    def which(guards: int) -> list[int]:
        return [rule.term for rule in planned if guards & rule.guard]

    assert which((asked | bits.usual) + bits.ones & bits.guards) == [
        n for n in range(30) if all(now or held for now, held in zip(own[n], usual[n], strict=True))
    ]
    assert which((asked ^ bits.usual) + bits.fields & bits.guards) == [n for n in range(30) if own[n] != usual[n]]
    for rule in planned:
        on, off = rule.changes(asked >> rule.shift & rule.mask)
        changes = list(enumerate(zip(own[rule.term], usual[rule.term], strict=True)))
        assert on == [at for at, (now, held) in changes if now and not held]
        assert off == [at for at, (now, held) in changes if held and not now]


def test_kept_outcomes_do_not_grow_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_bits, "MAX_OUTCOMES", 3)
    (rule,) = rules([1], [[True]])
    for holds in range(10):
        assert rule.keep((0, holds, (1, 2)), UNCHANGED) is UNCHANGED
        assert 1 <= len(rule.mixed_outcomes) <= 3
