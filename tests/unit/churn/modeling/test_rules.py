from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

import churn.modeling.rules as rules_module
from churn.modeling.rules import Ramp, Terms, grow_rules, rule_holds

SEED = 0
INF = np.inf


def world(rows: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Two numbers; who is high in the first and low in the second leaves."""
    inputs = np.random.default_rng(3).uniform(0, 10, (rows, 3))
    return inputs, ((inputs[:, 0] > 6) & (inputs[:, 1] <= 4)).astype(np.int64)


def grown(inputs: np.ndarray, outcome: np.ndarray, **changed: int) -> list:
    return grow_rules(inputs, outcome, **{"trees": 20, "depth": 2, "min_rows": 20, "seed": SEED, **changed})


def test_the_rule_that_made_the_world_is_found() -> None:
    inputs, outcome = world()
    best = max(np.mean(rule_holds(rule, inputs) == outcome) for rule in grown(inputs, outcome))
    assert best > 0.995


def test_no_rule_has_more_conditions_than_the_depth() -> None:
    inputs, outcome = world()
    assert max(len(rule) for rule in grown(inputs, outcome)) == 2
    assert {len(rule) for rule in grown(inputs, outcome, depth=1)} == {1}


def test_there_is_an_ensemble_for_each_depth_and_the_trees_are_shared_among_them(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[tuple[int, int, int]] = []
    fit = GradientBoostingClassifier.fit

    def noting(self: GradientBoostingClassifier, x: np.ndarray, y: np.ndarray) -> GradientBoostingClassifier:
        fitted.append((self.max_depth, self.n_estimators, self.random_state))
        return fit(self, x, y)

    monkeypatch.setattr(GradientBoostingClassifier, "fit", noting)
    grown(*world(), depth=4, trees=20)
    assert fitted == [(2, 7, SEED), (3, 7, SEED + 1), (4, 7, SEED + 2)]
    fitted.clear()
    grown(*world(), depth=1, trees=20)
    assert fitted == [(1, 20, SEED)]


def test_each_rule_holds_for_enough_and_not_for_all() -> None:
    inputs, outcome = world()
    held = [int(rule_holds(rule, inputs).sum()) for rule in grown(inputs, outcome, min_rows=50)]
    assert held
    assert min(held) >= 50
    assert max(held) <= 550


def test_no_two_rules_tell_the_same_customers_apart() -> None:
    inputs, outcome = world()
    patterns = [rule_holds(rule, inputs) for rule in grown(inputs, outcome)]
    told = {pattern.tobytes() for pattern in patterns} | {(~pattern).tobytes() for pattern in patterns}
    assert len(told) == 2 * len(patterns)


def test_shorter_rules_come_first_and_the_seed_decides() -> None:
    inputs, outcome = world()
    rules = grown(inputs, outcome)
    assert [len(rule) for rule in rules] == sorted(len(rule) for rule in rules)
    assert grown(inputs, outcome) == rules
    assert grown(inputs, outcome, seed=1) != rules


def test_too_few_customers_give_no_rule() -> None:
    inputs, outcome = world(30)
    assert grown(inputs, outcome) == []


def test_numbers_near_the_largest_there_is_do_not_stop_the_trees() -> None:
    inputs, outcome = world()
    inputs[0, 2], inputs[1, 2] = 1e308, -np.inf
    assert grown(inputs, outcome)


@pytest.mark.parametrize(("low", "high", "held"), [(2.0, INF, [False, False, True]), (-INF, 2.0, [True, True, False])])
def test_a_condition_includes_its_upper_bound_only(low: float, high: float, held: list[bool]) -> None:
    assert rule_holds(((0, (low, high)),), np.array([[1.0], [2.0], [3.0]])).tolist() == held


def test_terms_are_evaluated_in_blocks_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, outcome = world()
    terms = Terms([Ramp(1, 2.0, 6.0)], grown(inputs, outcome))
    expected = np.column_stack([np.clip(inputs[:, 1], 2.0, 6.0), *(rule_holds(rule, inputs) for rule in terms.rules)])
    for cells in (2**18, 60_000, 5_000, 1):
        monkeypatch.setattr(rules_module, "BLOCK_CELLS", cells)
        assert np.array_equal(terms.evaluate(inputs), expected)
