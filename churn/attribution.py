"""How much each column moved a customer's log-odds away from those of the typical customer. Exact: it adds up to the logit.

The logit is a sum of terms, and a term may read several columns (a large bill *and* no voice mail). What such a term gained
against the typical customer is shared among its columns by their Shapley value: each column's gain, averaged over all orders in
which the columns could change from the typical customer's to this one's (Sundararajan and Najmi, The Many Shapley Values for
Model Explanation, ICML 2020: "baseline Shapley"). A term of one column goes to that column whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import comb
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from churn.features import LinearTerms

Floats = NDArray[np.float64]
STEPS = {"imputer": SimpleImputer, "scaler": StandardScaler, "logreg": LogisticRegression}
# With more columns in one term there are too many orders to go through; then so many are drawn. The sum stays exact.
MOST_COLUMNS, ORDERS = 10, 256
NOTHING = 1e-13


@dataclass(frozen=True)
class Attribution:
    """One customer's log-odds, taken apart: logit = base + the sum of all contributions.

    Attributes
    ----------
    base : float
        The log-odds of the typical customer.
    contributions : numpy.ndarray of float64, shape (n_columns,)
        In log-odds.
    term_gains : numpy.ndarray of float64, shape (n_terms,)
        By how much each term differs from that of the typical customer, in log-odds; their sum is that of the contributions.
    """

    base: float
    contributions: Floats
    term_gains: Floats


class Attributor:
    """Takes the answers of one pipeline apart: imputer → scaler → logistic regression, with or without terms before them."""

    def __init__(self, pipeline: Pipeline, columns: list[str]) -> None:
        self._head = pipeline[:-1]
        self.weights = np.asarray(pipeline["logreg"].coef_[0], dtype=np.float64)
        self._intercept = float(pipeline["logreg"].intercept_[0])
        self.columns = columns
        self.features: LinearTerms | None = pipeline.named_steps.get("features")
        if self.features is None:
            self.typical: dict[str, Any] = dict(zip(columns, pipeline["imputer"].statistics_.tolist(), strict=True))
            sources: list[tuple[str, ...]] = [(name,) for name in columns]
        else:
            inputs = self.features.inputs
            self.typical = inputs.typical
            sources = [
                tuple(dict.fromkeys(name for number in numbers for name in inputs.sources[number]))
                for numbers in self.features.terms.inputs()
            ]
        self.term_columns = sources
        # Terms that read the same columns are shared out together.
        groups: dict[tuple[str, ...], list[int]] = {}
        for term, names in enumerate(sources):
            groups.setdefault(tuple(sorted(names)), []).append(term)
        self._alone = {names[0]: terms for names, terms in groups.items() if len(names) == 1}
        self._together = {names: terms for names, terms in groups.items() if len(names) > 1}
        # Row 0 is the typical customer, row 1 the one asked about, and then, group by group, all that lies between the two.
        changed = [np.zeros((1, len(columns)), np.bool_), np.ones((1, len(columns)), np.bool_)]
        for names in self._together:
            mixed = np.zeros((len(_mixtures(len(names)).changed), len(columns)), np.bool_)
            mixed[:, [columns.index(name) for name in names]] = _mixtures(len(names)).changed
            changed.append(mixed)
        self._changed = np.concatenate(changed)

    @classmethod
    def of(cls, pipeline: Pipeline, columns: list[str]) -> Attributor | None:
        """Make the attributor of a fitted pipeline, or None if it is none that can be taken apart."""
        steps = dict(pipeline.steps)
        features = steps.pop("features", None)
        if list(steps) != list(STEPS) or not all(isinstance(steps[name], kind) for name, kind in STEPS.items()):
            return None
        if features is not None and (pipeline.steps[0][0] != "features" or not isinstance(features, LinearTerms)):
            return None
        terms = len(columns) if features is None else len(features.terms)
        # An imputer may drop columns; then weights and terms do not match.
        return cls(pipeline, columns) if steps["logreg"].coef_.shape == (1, terms) else None

    def attribute(self, customer: pd.DataFrame) -> Attribution:
        """Take one customer's log-odds apart.

        Parameters
        ----------
        customer : pandas.DataFrame, shape (1, at least the pipeline's columns)
            As in `churn.frame`.
        """
        known = customer if self.features is None else self.features.inputs.complete(customer[self.columns])
        own = [known[name].iloc[0] for name in self.columns]
        mixed = {
            name: pd.Series(np.where(self._changed[:, place], own[place], self.typical[name]), dtype=customer[name].dtype)
            for place, name in enumerate(self.columns)
        }
        parts = np.asarray(self._head.transform(pd.DataFrame(mixed)), dtype=np.float64) * self.weights
        gains = parts[1] - parts[0]
        shares = dict.fromkeys(self.columns, 0.0)
        for name, terms in self._alone.items():
            shares[name] += float(gains[terms].sum())
        row = 2
        for names, terms in self._together.items():
            mixtures = _mixtures(len(names))
            worth = parts[row : row + len(mixtures.changed), terms].sum(axis=1)
            row += len(mixtures.changed)
            for name, share in zip(names, (mixtures.weights @ worth).tolist(), strict=True):
                # What did nothing differs from 0 by the last digits of the others.
                shares[name] += share if abs(share) > NOTHING else 0.0
        relations = {} if self.features is None else self.features.inputs.relations
        for name, (origin, _) in relations.items():
            # What was not said but followed from another column is that column's doing.
            if pd.isna(customer[name].iloc[0]) and not pd.isna(customer[origin].iloc[0]):
                shares[origin] += shares[name]
                shares[name] = 0.0
        base = self._intercept + float(parts[0].sum())
        return Attribution(base, np.array([shares[name] for name in self.columns]), gains)


@dataclass(frozen=True)
class _Mixtures:
    """Customers between two others: in row r they have changed where `changed[r]`; `weights @ worth` are the Shapley values."""

    changed: NDArray[np.bool_]
    weights: Floats


@lru_cache(maxsize=64)
def _mixtures(players: int) -> _Mixtures:
    if players <= MOST_COLUMNS:
        subsets = np.arange(2**players)
        changed = (subsets[:, None] >> np.arange(players)) & 1 == 1
        size = changed.sum(axis=1)
        # A column's value is the mean over the sizes of the others' subset, and within a size over the subsets.
        joined = np.array([1 / (players * comb(players - 1, s)) for s in range(players)])
        gained = joined[np.maximum(size - 1, 0)]
        lost = joined[np.minimum(size, players - 1)]
        return _Mixtures(changed, np.where(changed.T, gained, -lost))
    rng = np.random.default_rng(0)
    rows, weights = [], []
    for _ in range(ORDERS):
        state = np.zeros(players, dtype=np.bool_)
        order = rng.permutation(players)
        for step, player in enumerate([None, *order]):
            weight = np.zeros(players)
            if player is not None:
                state = state.copy()
                state[player] = True
                weight[player] = 1 / ORDERS
            if step < players:
                weight[order[step]] -= 1 / ORDERS
            rows.append(state)
            weights.append(weight)
    return _Mixtures(np.array(rows), np.array(weights).T)
