"""Why simulated customers leave: conditions, rules and effects in log-odds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from churn.simulation.marginals import Probability, StrictPart, Values

# exp of more overflows; the probability is 0 or 1 to the last bit long before.
MAX_LOG_ODDS = 700


class Condition(StrictPart):
    """What one column's value must be. Of several requirements all must hold."""

    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None
    flag: bool | None = None
    one_of: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _asks_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("needs at least one requirement")
        return self

    def holds(self, values: Values) -> NDArray[np.bool_]:
        """Return for each value whether the condition holds, shape as `values`."""
        result = np.ones(len(values), dtype=np.bool_)
        if self.above is not None:
            result &= values > self.above
        if self.at_least is not None:
            result &= values >= self.at_least
        if self.below is not None:
            result &= values < self.below
        if self.at_most is not None:
            result &= values <= self.at_most
        if self.flag is not None:
            result &= values == float(self.flag)
        if self.one_of:
            result &= np.isin(values, np.array(self.one_of, dtype=object))
        return result


class Rule(StrictPart):
    """Customers for whom every condition of `when` holds leave with this probability, whatever else they do."""

    probability: Probability
    when: dict[str, Condition] = Field(min_length=1)


class Effect(StrictPart):
    """What a column adds to the log-odds of leaving: `per_unit` times its distance from `centre`."""

    per_unit: float
    centre: float = 0.0


class Mechanism(StrictPart):
    """Who leaves.

    Attributes
    ----------
    base_rate : float
        Probability of leaving, in (0, 1), where every effect is zero and no rule holds.
    effects : dict
        Column to what it adds to the log-odds.
    indexes : dict
        Weighted sums of columns that rules may name like a column: name to {column: weight}.
    rules : dict
        Name to rule. Each is a reason of its own to leave, so probabilities combine as a noisy or.
    """

    base_rate: float = Field(gt=0, lt=1)
    effects: dict[str, Effect] = Field(default_factory=dict)
    indexes: dict[str, dict[str, float]] = Field(default_factory=dict)
    rules: dict[str, Rule] = Field(default_factory=dict)

    def probability(self, columns: Mapping[str, Values]) -> NDArray[np.float64]:
        """Return each customer's true probability of leaving, shape (n_customers,), in [0, 1]."""
        rows = len(next(iter(columns.values())))
        log_odds = np.full(rows, np.log(self.base_rate / (1 - self.base_rate)))
        for name, effect in self.effects.items():
            log_odds += effect.per_unit * (columns[name] - effect.centre)
        stay = 1 / (1 + np.exp(np.clip(log_odds, -MAX_LOG_ODDS, MAX_LOG_ODDS)))
        known = dict(columns)
        for name, weights in self.indexes.items():
            known[name] = sum((columns[column] * weight for column, weight in weights.items()), np.zeros(rows))
        for rule in self.rules.values():
            holds = np.ones(rows, dtype=np.bool_)
            for name, condition in rule.when.items():
                holds &= condition.holds(known[name])
            stay[holds] *= 1 - rule.probability
        return np.asarray(1 - stay, dtype=np.float64)

    def names(self) -> Iterator[tuple[str, str]]:
        """Yield every column that is named, with the path that names it."""
        yield from ((f"churn.effects.{name}", name) for name in self.effects)
        for index, weights in self.indexes.items():
            yield from ((f"churn.indexes.{index}", name) for name in weights)
        for title, rule in self.rules.items():
            yield from ((f"churn.rules.{title}", name) for name in rule.when if name not in self.indexes)
