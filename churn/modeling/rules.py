"""Terms: ramps, and rules learned from data, which are the paths of shallow boosted trees, as in RuleFit.

Friedman and Popescu, Predictive Learning via Rule Ensembles, Annals of Applied Statistics 2(3), 2008, doi:10.1214/07-AOAS148.
What a tree finds with a few splits (a large bill *and* no voice mail) becomes one indicator, to which a linear model can give a
weight. One ensemble finds each cut only roughly and few ways to combine cuts; so there are several, of different depth and seed,
whose trees see a part of the inputs at each split.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier

Floats = NDArray[np.float64]
# Bounds by input: the rule holds where low < value <= high for each (input, (low, high)).
Rule = tuple[tuple[int, tuple[float, float]], ...]
LEARNING_RATE, SUBSAMPLE = 0.1, 0.5
# Where not all inputs are seen, as there are too many, a tree has no more customers than these.
MAX_TREE_ROWS = 4_000
# At each split a tree chooses among so large a share of the inputs, and among no fewer than so many.
SEEN_SHARE, MIN_SEEN = 0.4, 8
# Trees work in single precision; larger values would be infinite there.
LARGEST = 1e30
# Conditions times customers that are evaluated in one go: what fits into a processor's cache takes a seventh of the time.
BLOCK_CELLS = 2**18


@dataclass(frozen=True)
class Ramp:
    """An input that is clipped to `low` and `high`; where both are the same, 1 more of customers whose number is missing."""

    input: int
    low: float
    high: float

    @property
    def tells_missing(self) -> bool:
        """Whether all it says is that a number is missing."""
        return self.low == self.high


@dataclass(frozen=True)
class Terms:
    """The terms of a model: ramps first, then rules (1 where all conditions hold, else 0)."""

    ramps: list[Ramp]
    rules: list[Rule]

    def __len__(self) -> int:
        return len(self.ramps) + len(self.rules)

    def take(self, kept: NDArray[np.bool_]) -> Terms:
        """Return the terms for which `kept`, a mask of shape (n_terms,), is true."""
        ramps = [ramp for ramp, keep in zip(self.ramps, kept[: len(self.ramps)], strict=True) if keep]
        return Terms(ramps, [rule for rule, keep in zip(self.rules, kept[len(self.ramps) :], strict=True) if keep])

    def inputs(self) -> list[tuple[int, ...]]:
        """Return the inputs that each term reads."""
        return [*((ramp.input,) for ramp in self.ramps), *(tuple(column for column, _ in rule) for rule in self.rules)]

    def as_arrays(self) -> tuple[Floats, Floats]:
        """Return ramps, shape (n_ramps, 3), and conditions, shape (n_conditions, 4), as `LinearTerms` stores them."""
        ramps = [(ramp.input, ramp.low, ramp.high) for ramp in self.ramps]
        conditions = [(number, column, low, high) for number, rule in enumerate(self.rules) for column, (low, high) in rule]
        return np.array(ramps, dtype=np.float64).reshape(-1, 3), np.array(conditions, dtype=np.float64).reshape(-1, 4)

    def evaluate(self, inputs: Floats, missing: NDArray[np.bool_] | None = None) -> Floats:
        """Return the terms' values, shape (n, n_terms).

        Parameters
        ----------
        inputs : array of float, shape (n, n_inputs)
        missing : array of bool, shape (n, n_numbers), optional
            Of the first inputs, where they are missing; nowhere without it.

        Returns
        -------
        numpy.ndarray of float64, shape (n, n_terms)
        """
        values = np.empty((len(inputs), len(self)))
        if self.ramps:
            low, high = (np.array([getattr(ramp, side) for ramp in self.ramps]) for side in ("low", "high"))
            np.clip(inputs[:, [ramp.input for ramp in self.ramps]], low, high, out=values[:, : len(self.ramps)])
        for place, ramp in enumerate(self.ramps):
            if ramp.tells_missing and missing is not None:
                values[missing[:, ramp.input], place] = ramp.low + 1
        if self.rules:
            conditions = [(column, low, high) for rule in self.rules for column, (low, high) in rule]
            column, low, high = (np.array(part) for part in zip(*conditions, strict=True))
            starts = np.cumsum([0, *map(len, self.rules[:-1])])
            rows = max(1, BLOCK_CELLS // len(conditions))
            for start in range(0, len(inputs), rows):
                met = inputs[start : start + rows, column]
                holds = np.logical_and.reduceat((met > low) & (met <= high), starts, axis=1)
                values[start : start + rows, len(self.ramps) :] = holds
        return values


def grow_rules(
    inputs: Floats,
    outcome: NDArray[Any],
    seen: NDArray[np.intp] | None = None,
    *,
    trees: int,
    depth: int,
    min_rows: int,
    seed: int,
) -> list[Rule]:
    """Fit ensembles of boosted trees and return each distinct path from a root, to a leaf or to an inner node.

    Parameters
    ----------
    inputs : array of float, shape (n, n_inputs)
        Without missing values.
    outcome : array of 0 and 1, shape (n,)
        Both must occur.
    seen : array of int, optional
        Places of the inputs that rules may read; all without it. With fewer than all a tree is grown on at most `MAX_TREE_ROWS`.
    trees, depth : int
        Number of trees, over all ensembles, and most splits on a path. There is an ensemble for each depth from 2 on.
    min_rows : int
        Fewest customers that a rule may hold for, and not hold for.
    seed : int

    Returns
    -------
    list of Rule
        Shorter ones first; of several that hold for the same customers (or for exactly the others) the first.
    """
    seen = np.arange(inputs.shape[1]) if seen is None else seen
    clipped = np.clip(inputs if len(seen) == inputs.shape[1] else inputs[:, seen], -LARGEST, LARGEST)
    share = SUBSAMPLE if len(seen) == inputs.shape[1] else min(SUBSAMPLE, MAX_TREE_ROWS / len(inputs))
    depths = range(min(2, depth), depth + 1)
    found: set[Rule] = set()
    for number, most in enumerate(depths):
        boosted = GradientBoostingClassifier(
            n_estimators=-(-trees // len(depths)),
            max_depth=most,
            learning_rate=LEARNING_RATE,
            subsample=share,
            max_features=min(max(MIN_SEEN, int(SEEN_SHARE * len(seen))), len(seen)),
            min_samples_leaf=min_rows,
            random_state=seed + number,
        ).fit(clipped, outcome)
        found |= {rule for tree in boosted.estimators_[:, 0] for rule in _paths(tree.tree_, seen)}
    return _distinct(sorted(found, key=lambda rule: (len(rule), rule)), inputs, min_rows)


def _paths(tree: Any, seen: NDArray[np.intp]) -> list[Rule]:
    found: list[Rule] = []
    waiting: list[tuple[int, dict[int, tuple[float, float]]]] = [(0, {})]
    while waiting:
        node, bounds = waiting.pop()
        if bounds:
            found.append(tuple(sorted(bounds.items())))
        if tree.children_left[node] == tree.children_right[node]:  # a leaf
            continue
        column, cut = int(seen[tree.feature[node]]), float(tree.threshold[node])
        low, high = bounds.get(column, (-np.inf, np.inf))
        waiting.append((int(tree.children_left[node]), bounds | {column: (low, min(high, cut))}))
        waiting.append((int(tree.children_right[node]), bounds | {column: (max(low, cut), high)}))
    return found


def _distinct(rules: list[Rule], inputs: Floats, min_rows: int) -> list[Rule]:
    kept: list[Rule] = []
    seen: set[bytes] = set()
    for rule in rules:
        holds = rule_holds(rule, inputs)
        if min_rows <= holds.sum() <= len(holds) - min_rows:
            pattern = np.packbits(holds if holds[0] else ~holds).tobytes()
            if pattern not in seen:
                seen.add(pattern)
                kept.append(rule)
    return kept


def rule_holds(rule: Rule, inputs: Floats) -> NDArray[np.bool_]:
    """Return for which customers a rule holds.

    Parameters
    ----------
    rule : Rule
    inputs : array of float, shape (n, n_inputs)

    Returns
    -------
    numpy.ndarray of bool, shape (n,)

    Examples
    --------
    >>> rule_holds(((0, (1.0, 2.0)),), np.array([[1.0], [1.5], [2.0], [2.5]])).tolist()
    [False, True, True, False]
    """
    holds = np.ones(len(inputs), dtype=np.bool_)
    for column, (low, high) in rule:
        holds &= (inputs[:, column] > low) & (inputs[:, column] <= high)
    return holds


def tell_missing(missing: NDArray[np.bool_], min_rows: int) -> list[Ramp]:
    """Return a term for each number that enough customers lack, and enough have; one for numbers that the same customers lack.

    Parameters
    ----------
    missing : array of bool, shape (n, n_numbers)
    min_rows : int
        Fewest customers who lack it, and who have it.

    Returns
    -------
    list of Ramp

    Examples
    --------
    >>> tell_missing(np.array([[True, True, False]] * 3 + [[False, False, True]]), 1)
    [Ramp(input=0, low=0.0, high=0.0), Ramp(input=2, low=0.0, high=0.0)]
    """
    lacking = missing.sum(axis=0)
    told = np.flatnonzero((lacking >= min_rows) & (lacking <= len(missing) - min_rows))
    first = {missing[:, number].tobytes(): number for number in told[::-1].tolist()}
    return [Ramp(number, 0.0, 0.0) for number in sorted(first.values())]


def describe_bounds(name: str, low: float, high: float) -> str:
    """Say in words where a value lies.

    Parameters
    ----------
    name : str
        Of what has the value.
    low, high : float
        The value is above `low` and at most `high`; one of them may be infinite.

    Returns
    -------
    str

    Examples
    --------
    >>> describe_bounds("calls", 3.5, np.inf), describe_bounds("bill", 20.0, 56.71)
    ('calls > 3.5', '20 < bill <= 56.71')
    """
    if low == -np.inf:
        return f"{name} <= {high:.4g}"
    return f"{name} > {low:.4g}" if high == np.inf else f"{low:.4g} < {name} <= {high:.4g}"


def describe_ramp(name: str, low: float, high: float) -> str:
    """Say in words what a ramp tells of an input.

    Parameters
    ----------
    name : str
        Of the input.
    low, high : float

    Returns
    -------
    str

    Examples
    --------
    >>> describe_ramp("bill", 20.0, 56.71), describe_ramp("income", 0.0, 0.0)
    ('bill within 20 and 56.71', 'income is missing')
    """
    return f"{name} is missing" if low == high else f"{name} within {low:.4g} and {high:.4g}"
