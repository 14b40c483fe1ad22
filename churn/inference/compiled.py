"""The compiled model: a fitted pipeline as plain numbers, which scores one customer without scikit-learn, pandas or NumPy.

Imputing, scaling and weighing are linear in each term: together they are one weight a term, one value for a missing number, and
one intercept. The logit is a short sum. The pipeline stays the reference: `service.model_loading.parity_check` compares the two
before a model may serve. `churn.inference.compiler` makes it; `churn.inference.vectorized` scores many customers with it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import exp, inf
from operator import add
from typing import Any, Self

from churn.customers.cell_rule import MISSING_LEVEL
from churn.inference.program import Program
from churn.inference.terms import Condition, Ramp, WeighedRule, sums_by_byte

MANY_RULES = 128


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
        Category to the levels that have an input of their own; that of lacking it (`MISSING_LEVEL`) may be one of them.
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
            **{name: getattr(self, name) for name in ("columns", "numbers", "relations", "typical")},
            # Pairs: the order counts, and whoever spells a mapping may sort it.
            "sums": list(self.sums.items()),
            "levels": list(self.levels.items()),
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
            sums={name: tuple(parts) for name, parts in document["sums"]},
            levels={name: tuple(known) for name, known in document["levels"]},
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

    def instead_of(self, name: str) -> float | str | None:
        """Return what stands for a missing value of a column: the typical one, or the level of lacking it if that is an input."""
        return MISSING_LEVEL if MISSING_LEVEL in self.levels.get(name, ()) else self.typical[name]

    @property
    def columns_told_missing(self) -> set[str]:
        """The columns of which it makes a difference that they are missing, whatever is typical."""
        numbers = {self.numbers[ramp.input] for ramp in self.ramps if ramp.low == ramp.high and ramp.input < len(self.numbers)}
        return numbers | {name for name, known in self.levels.items() if MISSING_LEVEL in known}

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
        logit = self.intercept
        totals = []
        for places in program.sums:
            total = 0.0
            for place in places:
                total += values[place]
            totals.append(total)
        if program.ramps:
            inputs = [values[place] for place in program.numbers]
            inputs += totals
            inputs += [values[place] == level for place, level in program.levels]
            for at, low, high, weight, instead in program.ramps:
                value = inputs[at]
                if at in missing:
                    value = instead
                elif value < low:
                    value = low
                elif value > high:
                    value = high
                logit += weight * value
        # Which rules hold, a bit each: those that every input that they ask for lets hold.
        holding = program.every_rule
        for place, cuts, by_stretch in program.number_steps:
            holding &= by_stretch[bisect_left(cuts, values[place])]
        for number, cuts, by_stretch in program.sum_steps:
            holding &= by_stretch[bisect_left(cuts, totals[number])]
        for place, by_level, otherwise in program.level_steps:
            holding &= by_level.get(values[place], otherwise)
        return float(program.add_weights(logit, holding))

    def clipped(self, values: Sequence[Any]) -> list[float]:
        """Return the value of each ramp for one customer, before its weight; `values` as in `logit`."""
        program, missing = self._program, set[int]()
        if None in values:
            values, missing = self._completed(values)
        # (`sum` may round otherwise than one addition after another.)
        totals = [reduce(add, [values[place] for place in places], 0.0) for places in program.sums]
        levels = [values[place] == level for place, level in program.levels]
        inputs = [*(values[place] for place in program.numbers), *totals, *levels]
        return [instead if at in missing else min(max(inputs[at], low), high) for at, low, high, _, instead in program.ramps]

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
    def _program(self) -> Program:
        place = {name: number for number, name in enumerate(self.columns)}
        inputs = len(self.input_names)
        by_ramps = {ramp.input for ramp in self.ramps}
        if not by_ramps | {c.input for rule in self.rules for c in rule.conditions} <= set(range(inputs)):
            raise ValueError("a term reads an input that does not exist")
        # There may be many levels: only those that a ramp reads are compared.
        first = len(self.numbers) + len(self.sums)
        kept = [*range(first), *sorted(at for at in by_ramps if at >= first)]
        moved = {at: number for number, at in enumerate(kept)}
        levels = [(place[column], level) for column, known in self.levels.items() for level in known]
        level_steps = []
        at = first
        for column, known in self.levels.items():
            by_level, otherwise = self._level_steps(at, known)
            at += len(known)
            if by_level:
                level_steps.append((place[column], by_level, otherwise))
        steps = [self._steps(at) for at in range(first)]
        numbers = tuple(place[name] for name in self.numbers)
        return Program(
            numbers=numbers,
            sums=tuple(tuple(place[part] for part in parts) for parts in self.sums.values()),
            levels=tuple(levels[at - first] for at in kept[first:]),
            gaps=tuple(self._gap(name, place) for name in self.columns),
            ramps=tuple(ramp._replace(input=moved[ramp.input]) for ramp in self.ramps),
            every_rule=(1 << len(self.rules)) - 1,
            weights={1 << number: rule.weight for number, rule in enumerate(self.rules)},
            by_byte=sums_by_byte([rule.weight for rule in self.rules]) if len(self.rules) > MANY_RULES else (),
            number_steps=tuple((at, *found) for at, found in zip(numbers, steps, strict=False) if found[0]),
            sum_steps=tuple((at, *found) for at, found in enumerate(steps[len(numbers) :]) if found[0]),
            level_steps=tuple(level_steps),
        )

    def _gap(self, name: str, place: Mapping[str, int]) -> tuple[int, int | None, float, Any, int | None]:
        """Return what fills a missing value: its place, the related place and factor; else what stands for it, and the input."""
        other, factor = self.relations.get(name, (None, 1.0))
        at = self.numbers.index(name) if name in self.numbers else None
        return place[name], None if other is None else place[other], factor, self.instead_of(name), at

    def _steps(self, at: int) -> tuple[list[float], list[int]]:
        """Return the cuts between the stretches of an input, each of which ends with its cut, and the rules that each lets hold.

        Both are empty if no rule asks for the input.
        """
        asked = [(1 << number, c) for number, rule in enumerate(self.rules) for c in rule.conditions if c.input == at]
        if not asked:
            return [], []
        # Even -inf is no lower than a bound of -inf, and a stretch of its own.
        cuts = sorted({-inf, *(bound for _, c in asked for bound in (c.low, c.high))} - {inf})
        return cuts, [self._holding([bit for bit, c in asked if not c.low < value <= c.high]) for value in [*cuts, inf]]

    def _level_steps(self, first: int, known: tuple[str, ...]) -> tuple[dict[Any, int], int]:
        """Return, of levels with inputs from `first` on, the rules that each lets hold, and those that all others let hold."""
        asked = [
            (1 << number, known[c.input - first], c)
            for number, rule in enumerate(self.rules)
            for c in rule.conditions
            if first <= c.input < first + len(known)
        ]

        def holding(level: str | None) -> int:
            return self._holding([bit for bit, wanted, c in asked if not c.low < float(level == wanted) <= c.high])

        return {level: holding(level) for _, level, _ in asked}, holding(None)

    def _holding(self, failing: list[int]) -> int:
        """Return all rules but the failing ones, a bit each."""
        return (1 << len(self.rules)) - 1 - sum(set(failing))


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
