"""The compiled model: a fitted pipeline as plain numbers, which scores one customer without scikit-learn, pandas or NumPy.

Imputing, scaling and weighing are linear in each term: together they are one weight a term, one value for a missing number, and
one intercept. The logit is a short sum. The pipeline stays the reference: `service.model_loading.parity_check` compares the two
before a model may serve. `churn.inference.compiler` makes it; `churn.inference.vectorized` scores many customers with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, inf
from typing import Any, NamedTuple, Self

from churn.inference.terms import Condition, Ramp, WeighedRule


@dataclass(frozen=True)
class CompiledModel:
    """The log-odds of churn as a sum of ramps and rules over inputs: numbers, then sums of numbers, then levels of categories.

    Attributes
    ----------
    columns : tuple of str
        The columns that the model reads, in order.
    numbers : tuple of str
        Those of them that are numbers or flags, in the order of the first inputs.
    sums : dict
        Name to the numbers that it adds up.
    levels : dict
        Category to the levels that have an input of their own.
    relations : dict
        Number to the other number that it is computed from where it is missing, and the factor.
    typical : dict
        Value that stands for a missing one in sums and rules, by column: a number, a level, or None.
    category_levels : dict
        Category to all levels of the contract; the codes of `churn.inference.vectorized.logits` count in these.
    ramps, rules : tuple
    intercept : float
    """

    columns: tuple[str, ...]
    numbers: tuple[str, ...]
    sums: dict[str, tuple[str, ...]]
    levels: dict[str, tuple[str, ...]]
    relations: dict[str, tuple[str, float]]
    typical: dict[str, float | str | None]
    category_levels: dict[str, tuple[str, ...]]
    ramps: tuple[Ramp, ...]
    rules: tuple[WeighedRule, ...]
    intercept: float

    def to_document(self) -> dict[str, Any]:
        """Return the model as a JSON document; infinite bounds are null."""
        bounds = [[c.input, _finite(c.low), _finite(c.high)] for rule in self.rules for c in rule.conditions]
        return {
            **{name: getattr(self, name) for name in ("columns", "numbers", "sums", "levels", "relations", "typical")},
            "category_levels": self.category_levels,
            "ramps": [[r.input, _finite(r.low), _finite(r.high), r.weight, r.missing] for r in self.ramps],
            "conditions": bounds,
            "rules": [[len(rule.conditions), rule.weight] for rule in self.rules],
            "intercept": self.intercept,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a document that `to_document` returned.

        Raises
        ------
        ValueError, TypeError, KeyError, IndexError, AttributeError
            If the document is something else.
        """
        conditions = iter([Condition(int(i), _low(low), _high(high)) for i, low, high in document["conditions"]])
        model = cls(
            columns=tuple(document["columns"]),
            numbers=tuple(document["numbers"]),
            sums={name: tuple(parts) for name, parts in document["sums"].items()},
            levels={name: tuple(known) for name, known in document["levels"].items()},
            relations={name: (str(other), float(factor)) for name, (other, factor) in document["relations"].items()},
            typical=dict(document["typical"]),
            category_levels={name: tuple(known) for name, known in document["category_levels"].items()},
            ramps=tuple(Ramp(int(i), _low(low), _high(high), float(w), float(m)) for i, low, high, w, m in document["ramps"]),
            rules=tuple(
                WeighedRule(tuple(next(conditions) for _ in range(length)), float(weight)) for length, weight in document["rules"]
            ),
            intercept=float(document["intercept"]),
        )
        model._program  # noqa: B018 -- every index is looked up once: one that does not exist shows now
        return model

    @property
    def input_names(self) -> list[str]:
        """One name an input; a level's is `column = level`."""
        levels = [f"{column} = {level}" for column, known in self.levels.items() for level in known]
        return [*self.numbers, *self.sums, *levels]

    @property
    def input_columns(self) -> list[tuple[str, ...]]:
        """The columns that each input reads."""
        levels = [(column,) for column, known in self.levels.items() for _ in known]
        return [*((name,) for name in self.numbers), *self.sums.values(), *levels]

    def probability(self, values: Sequence[Any]) -> float:
        """Return one customer's probability of churn; `values` as in `logit`."""
        return expit(self.logit(values))

    def logit(self, values: Sequence[Any]) -> float:
        """Return one customer's log-odds of churn.

        Parameters
        ----------
        values : sequence, as long as `columns`
            In the order of `columns`: a number (flags 0 and 1, or booleans), the text of a category's level, None where missing.
        """
        program = self._program
        missing: set[int] = set()
        if None in values:
            values, missing = self._completed(values)
        inputs = [values[place] for place in program.numbers]
        for places in program.sums:
            total = 0.0
            for place in places:
                total += values[place]
            inputs.append(total)
        for place, level in program.levels:
            inputs.append(values[place] == level)
        logit = self.intercept
        for at, low, high, weight, instead in program.ramps:
            value = inputs[at]
            if at in missing:
                value = instead
            elif value < low:
                value = low
            elif value > high:
                value = high
            logit += weight * value
        for conditions, weight in program.rules:
            for at, low, high in conditions:
                if not low < inputs[at] <= high:
                    break
            else:
                logit += weight
        return float(logit)

    def _completed(self, values: Sequence[Any]) -> tuple[list[Any], set[int]]:
        """Fill missing values from a related number, else with what is typical; return them and the inputs still missing."""
        program = self._program
        known = list(values)
        missing: set[int] = set()
        for place, other, factor, typical, at in program.gaps:
            if values[place] is None:
                if other is not None and values[other] is not None:
                    known[place] = values[other] * factor
                else:
                    known[place] = typical
                    if at is not None:
                        missing.add(at)
        return known, missing

    @cached_property
    def _program(self) -> _Program:
        place = {name: number for number, name in enumerate(self.columns)}
        gaps: list[tuple[int, int | None, float, Any, int | None]] = []
        for name in self.columns:
            other, factor = self.relations.get(name, (None, 1.0))
            at = self.numbers.index(name) if name in self.numbers else None
            gaps.append((place[name], None if other is None else place[other], factor, self.typical[name], at))
        inputs = len(self.input_names)
        used = {*(ramp.input for ramp in self.ramps), *(c.input for rule in self.rules for c in rule.conditions)}
        if not used <= set(range(inputs)):
            raise ValueError("a term reads an input that does not exist")
        # There may be many levels: only those that a term reads are compared.
        first = len(self.numbers) + len(self.sums)
        kept = [*range(first), *sorted(at for at in used if at >= first)]
        moved = {at: number for number, at in enumerate(kept)}
        levels = [(place[column], level) for column, known in self.levels.items() for level in known]
        program = _Program(
            numbers=tuple(place[name] for name in self.numbers),
            sums=tuple(tuple(place[part] for part in parts) for parts in self.sums.values()),
            levels=tuple(levels[at - first] for at in kept[first:]),
            gaps=tuple(gaps),
            ramps=tuple(ramp._replace(input=moved[ramp.input]) for ramp in self.ramps),
            rules=tuple(
                WeighedRule(tuple(c._replace(input=moved[c.input]) for c in rule.conditions), rule.weight) for rule in self.rules
            ),
        )
        return program


class _Program(NamedTuple):
    """The positions of inputs in a customer's values, and the terms over these inputs.

    A gap is (position, position of the related number, factor, typical value, input if it is a number).
    """

    numbers: tuple[int, ...]
    sums: tuple[tuple[int, ...], ...]
    levels: tuple[tuple[int, str], ...]
    gaps: tuple[tuple[int, int | None, float, Any, int | None], ...]
    ramps: tuple[Ramp, ...]
    rules: tuple[WeighedRule, ...]


def expit(logit: float) -> float:
    """Turn log-odds into a probability, for any finite or infinite number.

    Examples
    --------
    >>> [expit(logit) for logit in (-1e308, 0.0, 1e308)]
    [0.0, 0.5, 1.0]
    """
    if logit >= 0:
        return 1.0 / (1.0 + exp(-logit))
    small = exp(logit)
    return small / (1.0 + small)


def _finite(bound: float) -> float | None:
    return None if bound in (inf, -inf) else bound


def _low(bound: float | None) -> float:
    return -inf if bound is None else float(bound)


def _high(bound: float | None) -> float:
    return inf if bound is None else float(bound)
