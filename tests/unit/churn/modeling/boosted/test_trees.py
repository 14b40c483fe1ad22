from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_info

import churn.modeling.boosted.trees as trees_module
from churn.modeling.boosted.trees import INPUT, LEARNING_RATE, PARTS, THRESHOLD, add_up, cross_fit, grow_trees, leaf_rules
from churn.modeling.rules import rule_holds

SETTINGS = {"trees": 12, "leaves": 6, "min_rows": 10, "seed": 3}


def customers(rows: int = 600, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """A bend, a combination, an indicator, and a column of noise."""
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(rows, 4))
    inputs[:, 2] = inputs[:, 2] > 0
    logit = 2 * np.abs(inputs[:, 0]) - 2 + 2 * inputs[:, 1] * inputs[:, 2]
    return inputs, (rng.random(rows) < 1 / (1 + np.exp(-logit))).astype(np.int64)


def test_the_trees_add_up_to_what_scikit_learn_says() -> None:
    inputs, outcome = customers()
    asked = customers(300, seed=1)[0]
    own = HistGradientBoostingClassifier(
        max_iter=12, max_leaf_nodes=6, learning_rate=LEARNING_RATE, min_samples_leaf=10, early_stopping=False, random_state=3
    ).fit(inputs, outcome)
    base = np.log(outcome.mean() / (1 - outcome.mean()))
    assert add_up(grow_trees(inputs, outcome, **SETTINGS), asked) + base == pytest.approx(own.decision_function(asked), abs=1e-12)


def thresholds(nodes: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Each comparison's own number, and its neighbours."""
    at = nodes[nodes[:, INPUT] >= 0, THRESHOLD]
    return [np.repeat(near[:, None], 4, axis=1) for near in (at, np.nextafter(at, -np.inf), np.nextafter(at, np.inf))]


def test_leaves_are_rules_that_say_the_same() -> None:
    inputs, outcome = customers()
    nodes = grow_trees(inputs, outcome, **SETTINGS)
    rules = leaf_rules(nodes)
    asked = np.vstack([customers(300, seed=1)[0], [[np.inf, -1e308, 1, 1e300]], *thresholds(nodes)])
    told = sum((value * rule_holds(rule, asked) for rule, value in rules), np.zeros(len(asked)))
    assert told == pytest.approx(add_up(nodes, asked), abs=1e-12)
    assert len(rules) == len({rule for rule, _ in rules})
    assert max(len(rule) for rule, _ in rules) > 1
    for rule, _ in rules:
        assert [column for column, _ in rule] == sorted({column for column, _ in rule}), "one pair of bounds a column"
        assert all(low < high for _, (low, high) in rule)


def test_leaves_of_several_trees_that_are_one_rule_are_added() -> None:
    stump = [[0, 0, 1.5, 1, 2, 0], [0, -1, 0, 0, 0, -0.5], [0, -1, 0, 0, 0, 0.25]]
    again = [[1, 0, 1.5, 4, 5, 0], [1, -1, 0, 0, 0, 1.0], [1, -1, 0, 0, 0, 2.0]]
    alone = [[2, -1, 0, 0, 0, 8.0]]
    nodes = np.array([*stump, *again, *alone])
    assert leaf_rules(nodes) == [(((0, (-np.inf, 1.5)),), 0.5), (((0, (1.5, np.inf)),), 2.25), ((), 8.0)]
    assert add_up(nodes, np.array([[1.0], [2.0]])).tolist() == [8.5, 10.25]


def test_many_rows_are_added_up_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, outcome = customers()
    nodes = grow_trees(inputs, outcome, **SETTINGS)
    whole = add_up(nodes, inputs)
    monkeypatch.setattr(trees_module, "BLOCK", 7)
    assert np.array_equal(add_up(nodes, inputs), whole)
    assert add_up(nodes, inputs[:0]).tolist() == []


def test_the_same_customers_give_the_same_trees_whatever_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, outcome = customers(2_000)
    first = grow_trees(inputs, outcome, **SETTINGS)
    seen = []

    class Watched(HistGradientBoostingClassifier):  # type: ignore[misc]
        def fit(self, x: object, y: object, sample_weight: object = None) -> object:
            seen.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"})
            return super().fit(x, y, sample_weight)

    monkeypatch.setattr(trees_module, "HistGradientBoostingClassifier", Watched)
    assert np.array_equal(grow_trees(inputs, outcome, **SETTINGS), first)
    assert seen == [{1}]


def test_a_leaf_holds_enough_customers() -> None:
    inputs, outcome = customers()
    few = grow_trees(inputs, outcome, **{**SETTINGS, "min_rows": 150, "trees": 1})
    assert min(rule_holds(rule, inputs).sum() for rule, _ in leaf_rules(few)) >= 150
    assert len(grow_trees(inputs, outcome, **{**SETTINGS, "min_rows": 400, "trees": 1})) == 1


# Out of fold


def test_nobody_is_predicted_by_trees_that_saw_them(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, outcome = customers(400)
    customer = np.arange(400) % 130
    learned = []
    grow = trees_module.grow_trees

    def watched(x: NDArray[np.float64], y: NDArray[np.int64], weight: None, **settings: int) -> NDArray[np.float64]:
        learned.append({row.tobytes() for row in x})
        return grow(x, y, weight, **settings)

    asked = []
    monkeypatch.setattr(trees_module, "grow_trees", watched)
    monkeypatch.setattr(trees_module, "add_up", lambda nodes, x: asked.append(x) or add_up(nodes, x))
    cross_fit(inputs, outcome, customer, **SETTINGS)
    assert len(learned) == PARTS + 1 == len(asked) + 1
    owner = {row.tobytes(): who for row, who in zip(inputs, customer, strict=True)}
    for saw, predicted in zip(learned, asked, strict=False):
        assert not {owner[row] for row in saw} & {owner[row.tobytes()] for row in predicted}
    assert len(learned[-1]) == 400, "the last ones see everybody"


def test_rows_that_are_alike_are_one_customer_where_nobody_says_who_is_who() -> None:
    """A customer who stands for several has so many rows: one of them must not be predicted by trees that saw the others."""
    inputs, _ = customers(300)
    noise = np.random.default_rng(8).integers(0, 2, 300)
    often = np.repeat(np.arange(300), 4)
    settings = {**SETTINGS, "trees": 60, "min_rows": 4}
    _, told = cross_fit(inputs[often], noise[often], None, **settings)
    assert abs(np.corrcoef(told, noise[often])[0, 1]) < 0.25
    _, leaked = cross_fit(inputs[often], noise[often], np.arange(1_200), **settings)
    assert np.corrcoef(leaked, noise[often])[0, 1] > 0.5


def test_a_row_counts_as_often_as_it_is_there() -> None:
    """Weights are repeated rows: who stands for three draws the trees three times as strongly."""
    inputs, outcome = customers(500)
    special = inputs[:, 0] > 0
    often = np.repeat(np.arange(500), np.where(special & (outcome == 1), 5, 1))
    plain, weighed = (cross_fit(inputs[rows], outcome[rows], None, **SETTINGS)[0] for rows in (np.arange(500), often))
    gained = add_up(weighed, inputs) - add_up(plain, inputs)
    assert gained[special].mean() > gained[~special].mean() + 0.5


def test_a_weight_is_as_many_rows() -> None:
    inputs, outcome = customers(500)
    weight = np.where(outcome == 1, 3.0, 1.0)
    often = np.repeat(np.arange(500), weight.astype(np.int64))
    # The fewest customers of a leaf are counted in rows.
    settings = {**SETTINGS, "min_rows": 1, "leaves": 3}
    weighed, repeated, plain = (
        grow_trees(inputs, outcome, weight, **settings),
        grow_trees(inputs[often], outcome[often], **settings),
        grow_trees(inputs, outcome, **settings),
    )
    told, expected, unweighed = (add_up(nodes, inputs) for nodes in (weighed, repeated, plain))
    assert np.corrcoef(told, expected)[0, 1] > 0.98
    assert np.corrcoef(told, expected)[0, 1] > np.corrcoef(unweighed, expected)[0, 1]


def test_weights_reach_the_trees_of_each_part() -> None:
    # So few that each value has a bin of its own: to weigh the bins of more takes scikit-learn seconds.
    inputs, outcome = customers(250)
    weight = np.where(inputs[:, 0] > 0, 5.0, 0.2)
    plain, weighed = (cross_fit(inputs, outcome, None, given, **SETTINGS)[1] for given in (None, weight))
    assert not np.array_equal(plain, weighed)
    ones = cross_fit(inputs, outcome, None, np.ones(250), **SETTINGS)[1]
    assert ones == pytest.approx(plain, abs=1e-9)


@pytest.mark.parametrize(("rows", "left"), [(40, 1), (40, 4), (6, 3)])
def test_with_too_few_of_a_class_there_are_no_trees(rows: int, left: int) -> None:
    inputs, _ = customers(rows)
    outcome = (np.arange(rows) < left).astype(np.int64)
    nodes, told = cross_fit(inputs, outcome, None, **SETTINGS)
    assert nodes.shape == (0, 6)
    assert told.tolist() == [0.0] * rows


def test_forty_customers_are_enough_if_both_classes_are_there() -> None:
    inputs, _ = customers(40)
    outcome = (np.arange(40) < 5).astype(np.int64)
    nodes, told = cross_fit(inputs, outcome, None, **SETTINGS)
    assert len(nodes) >= SETTINGS["trees"]
    assert np.isfinite(told).all()
