"""Boosted trees as plain numbers: fitted, added up, taken apart into rules, and predicted out of fold.

A leaf of a tree is a rule: its customers are those whom each comparison on its path lets through. So the sum of a boosting's leaf
values is a sum of weighed rules, and so is what a linear model makes of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import ThreadpoolController

from churn.errors import InputError
from churn.modeling.folds import fold_numbers
from churn.modeling.rules import LARGEST, Rule

Floats = NDArray[np.float64]
# A row of `Nodes`. A leaf has no input (-1) and a value; any other node sends who is at most its threshold to the left.
TREE, INPUT, THRESHOLD, LEFT, RIGHT, VALUE = range(6)
LEARNING_RATE = 0.1
# Parts of the training customers; each is predicted by trees that were grown on the others.
PARTS = 5
# Rows that are added up at a time: what they need stays in the processor's cache.
BLOCK = 8_192


def grow_trees(
    inputs: Floats, outcome: NDArray[Any], weight: Floats | None = None, *, trees: int, leaves: int, min_rows: int, seed: int
) -> Floats:
    """Fit a histogram gradient boosting and return its trees.

    Parameters
    ----------
    inputs : array of float, shape (n, n_inputs)
        Without missing values.
    outcome : array of 0 and 1, shape (n,)
        Both must occur.
    weight : array of float, shape (n,), optional
        For how many customers each row stands.
    trees, leaves : int
        How many, and how many leaves each has at most.
    min_rows : int
        Fewest customers of a leaf.
    seed : int

    Returns
    -------
    numpy.ndarray of float64, shape (n_nodes, 6)
        Tree, input, threshold, left and right child (rows of this array), value. Nodes stand before their children.
    """
    boosted = HistGradientBoostingClassifier(
        max_iter=trees,
        max_leaf_nodes=leaves,
        learning_rate=LEARNING_RATE,
        min_samples_leaf=min_rows,
        early_stopping=False,
        random_state=seed,
    )
    # Several threads add gradients up in the order in which they come to an end: the last digits would differ from run to run.
    with _thread_pools().limit(limits=1, user_api="openmp"):
        boosted.fit(np.clip(inputs, -LARGEST, LARGEST), outcome, sample_weight=weight)
    grown: list[Floats] = []
    first = 0
    for number, (tree,) in enumerate(boosted._predictors):
        nodes = tree.nodes
        leaf = nodes["is_leaf"] == 1
        found = np.zeros((len(nodes), 6))
        found[:, TREE] = number
        found[:, INPUT] = np.where(leaf, -1, nodes["feature_idx"])
        found[:, THRESHOLD] = np.where(leaf, 0.0, nodes["num_threshold"])
        found[:, LEFT] = np.where(leaf, 0, nodes["left"] + first)
        found[:, RIGHT] = np.where(leaf, 0, nodes["right"] + first)
        found[:, VALUE] = np.where(leaf, nodes["value"], 0.0)
        grown.append(found)
        first += len(nodes)
    return np.concatenate(grown)


@cache
def _thread_pools() -> ThreadpoolController:
    """Find the process's thread pools, which takes milliseconds each time: scikit-learn's has been there since its import."""
    return ThreadpoolController()


def add_up(nodes: Floats, inputs: Floats) -> Floats:
    """Return the sum of the values of the leaves that each customer falls into.

    Parameters
    ----------
    nodes : array of float, shape (n_nodes, 6)
        As `grow_trees` returns them.
    inputs : array of float, shape (n, n_inputs)
        Without missing values.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)

    Examples
    --------
    >>> stump = np.array([[0, 0, 1.5, 1, 2, 0], [0, -1, 0, 0, 0, -0.5], [0, -1, 0, 0, 0, 0.25]])
    >>> add_up(stump, np.array([[1.0], [1.5], [2.0]])).tolist()
    [-0.5, -0.5, 0.25]
    """
    total = np.zeros(len(inputs))
    plan = [
        (at, int(nodes[at, INPUT]), float(nodes[at, THRESHOLD]), int(nodes[at, LEFT]), int(nodes[at, RIGHT]))
        for at in range(len(nodes) - 1, -1, -1)
    ]
    roots = np.flatnonzero(np.diff(nodes[:, TREE], prepend=-1)).tolist()
    for start in range(0, len(inputs), BLOCK):
        columns = np.ascontiguousarray(inputs[start : start + BLOCK].T)
        below: dict[int, Any] = {}
        # Children stand after their parents.
        for at, column, threshold, left, right in plan:
            if column < 0:
                below[at] = nodes[at, VALUE]
                continue
            below[at] = np.where(columns[column] <= threshold, below.pop(left), below.pop(right))
        for root in roots:
            total[start : start + BLOCK] += below[root]
    return total


def join_trees(grown: Iterable[tuple[Floats, float]]) -> Floats:
    """Return the trees of several boostings as those of one, whose sum is the weighted sum of theirs.

    Parameters
    ----------
    grown : iterable of (array of float, float)
        Nodes, as `grow_trees` returns them, and the weight of their sum.

    Returns
    -------
    numpy.ndarray of float64, shape (n_nodes, 6)

    Examples
    --------
    >>> stump = np.array([[0, 0, 1.5, 1, 2, 0], [0, -1, 0, 0, 0, -0.5], [0, -1, 0, 0, 0, 0.25]])
    >>> add_up(join_trees([(stump, 2.0), (stump, 10.0)]), np.array([[1.0], [2.0]])).tolist()
    [-6.0, 3.0]
    """
    joined: list[Floats] = [np.empty((0, 6))]
    first = trees = 0
    for nodes, weight in grown:
        moved = nodes.copy()
        moved[:, TREE] += trees
        inner = nodes[:, INPUT] >= 0
        for child in (LEFT, RIGHT):
            moved[inner, child] += first
        moved[:, VALUE] *= weight
        joined.append(moved)
        first, trees = first + len(nodes), int(moved[-1, TREE]) + 1
    return np.concatenate(joined)


def leaf_rules(nodes: Floats) -> list[tuple[Rule, float]]:
    """Return each leaf as a rule, with its value.

    Parameters
    ----------
    nodes : array of float, shape (n_nodes, 6)

    Returns
    -------
    list of (Rule, float)
        Of each tree exactly one rule holds for a customer. Leaves of several trees that are the same rule are one, with the sum
        of their values. A tree without a split is a rule without conditions.
    """
    found: dict[Rule, float] = {}
    bounds: dict[int, dict[int, tuple[float, float]]] = {}
    for at, (_, column, threshold, left, right, value) in enumerate(nodes.tolist()):
        own = bounds.pop(at, {})
        if column < 0:
            rule = tuple(sorted(own.items()))
            found[rule] = found.get(rule, 0.0) + value
            continue
        low, high = own.get(int(column), (-np.inf, np.inf))
        bounds[int(left)] = own | {int(column): (low, min(high, threshold))}
        bounds[int(right)] = own | {int(column): (max(low, threshold), high)}
    return list(found.items())


def cross_fit(
    inputs: Floats,
    outcome: NDArray[Any],
    customer: NDArray[np.int64] | None,
    weight: Floats | None = None,
    *,
    trees: int,
    leaves: int,
    min_rows: int,
    seed: int,
) -> tuple[Floats, Floats]:
    """Grow trees on all customers, and predict each of them by trees that were grown on others.

    Parameters
    ----------
    inputs : array of float, shape (n, n_inputs)
    outcome : array of 0 and 1, shape (n,)
    customer : array of int64, shape (n,), optional
        Rows of one customer are predicted by trees that saw none of them. Without it, rows that are the same in each input are
        taken for one customer's.
    weight : array of float, shape (n,), optional
        As in `grow_trees`.
    trees, leaves, min_rows, seed : int
        As in `grow_trees`.

    Returns
    -------
    nodes : numpy.ndarray of float64, shape (n_nodes, 6)
        Without any, if there are too few customers of a class to predict them out of fold.
    out_of_fold : numpy.ndarray of float64, shape (n,)
    """
    who = np.unique(inputs, axis=0, return_inverse=True)[1].ravel() if customer is None else customer
    _, who = np.unique(who, return_inverse=True)
    draws = np.random.default_rng(seed).random(who.max() + 1)
    try:
        part = fold_numbers(outcome, draws[who], PARTS, who.astype(np.int64))
    except InputError:
        return np.empty((0, 6)), np.zeros(len(inputs))
    settings = {"trees": trees, "leaves": leaves, "min_rows": min_rows, "seed": seed}
    predicted = np.empty(len(inputs))
    for number in range(PARTS):
        asked = part == number
        others = None if weight is None else weight[~asked]
        predicted[asked] = add_up(grow_trees(inputs[~asked], outcome[~asked], others, **settings), inputs[asked])
    return grow_trees(inputs, outcome, weight, **settings), predicted
