"""What taking a model's answers apart needs, and what no customer changes: worked out once a model (see `churn.explain.attribution`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf
from typing import Any, NamedTuple

from churn.explain.interpolation import Blend, Bounds
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp, WeighedRule


class Step(NamedTuple):
    """What a value of one column does to the rules, a bit each: makes them hold, stops them from holding, leaves them failing."""

    on: int
    off: int
    dead: int


class Slope(NamedTuple):
    """A ramp over one column: the column's place, the ramp, its number, and what it adds for the typical customer."""

    place: int
    low: float
    high: float
    weight: float
    missing: float
    term: int
    typical: float


class SumSlope(NamedTuple):
    """A ramp over a sum, which is a blend of its own."""

    blend: int
    low: float
    high: float
    weight: float
    term: int


class SumStep(NamedTuple):
    """A sum that rules read, a bit each: its parts, the cuts in its bounds, and for a stretch who holds for all from there on.

    With `n` cuts below a value, `above[n]` are the rules whose lower bound it is above, and `below[n]` those whose upper bound it
    is not above.
    """

    parts: tuple[int, ...]
    reads: int
    cuts: list[float]
    above: list[int]
    below: list[int]


class PlannedRule(NamedTuple):
    """A rule: the columns that it reads alone, and its blend (-1: none), with bounds on the sums and members of that."""

    weight: float
    term: int
    columns: tuple[int, ...]
    blend: int
    sums: Bounds
    members: Bounds


class Plan:
    """All that is known beforehand. Columns are called by their place, terms by their number, ramps first.

    Attributes
    ----------
    base : float
        The log-odds of the typical customer.
    typical : list
        One value a column.
    follows : list of (int, int, float)
        A number, the one that it follows from where it is missing, and the factor.
    slopes, sum_slopes, rules : list
    level_gains : list of (int, dict)
        A category, and for each of its levels the ramps over levels that then add something, and how much more than usual.
    number_steps : list of (int, list of float, list of Step)
        A number, the cuts between its stretches, and what each stretch does. A stretch ends with its cut.
    level_steps : list of (int, dict)
        A category, and what each level does.
    sum_steps : list of SumStep
    blends : list of Blend
    tangled : int
        The rules that read a sum, and a part of it alone too, a bit each.
    term_columns : list of frozenset of int
        The columns that each term reads.
    """

    def __init__(self, model: CompiledModel) -> None:
        place = {name: at for at, name in enumerate(model.columns)}
        self.model = model
        self.typical: list[Any] = [model.typical[name] for name in model.columns]
        self.follows = [(place[name], place[other], factor) for name, (other, factor) in model.relations.items()]
        self._reads = [tuple(place[name] for name in names) for names in model.input_columns]
        self._sums = range(len(model.numbers), len(model.numbers) + len(model.sums))
        self._levels = [level for known in model.levels.values() for level in known]
        self.blends: list[Blend] = []
        self._blend_numbers: dict[tuple[int, ...], int] = {}

        self.base = model.intercept
        self.slopes: list[Slope] = []
        self.sum_slopes: list[SumSlope] = []
        gains: dict[int, dict[Any, list[tuple[int, float]]]] = {}
        for term, ramp in enumerate(model.ramps):
            if ramp.input >= self._sums.stop:
                self._add_level(term, ramp, gains.setdefault(self._reads[ramp.input][0], {}))
            else:
                self._add_slope(term, ramp)
        self.level_gains = list(gains.items())
        self.rules = [self._rule(term, rule) for term, rule in enumerate(model.rules, start=len(model.ramps))]
        self.base += sum(rule.weight for rule in model.rules if self._is_typical(rule))
        self.tangled = sum(1 << number for number, rule in enumerate(self.rules) if rule.members)
        self.number_steps: list[tuple[int, list[float], list[Step]]] = []
        self.level_steps: list[tuple[int, dict[Any, Step]]] = []
        self._write_steps()
        self.sum_steps = [step for number in self._sums if (step := self._sum_step(number)).reads]
        inputs = [*([ramp.input] for ramp in model.ramps), *([c.input for c in rule.conditions] for rule in model.rules)]
        self.term_columns = [frozenset(at for number in read for at in self._reads[number]) for read in inputs]

    def _add_slope(self, term: int, ramp: Ramp) -> None:
        number, low, high, weight, missing = ramp
        at = self._reads[number][0]
        if number in self._sums:
            blend = self._blend((number,))
            self.sum_slopes.append(SumSlope(blend, low, high, weight, term))
            part = weight * held(self.blends[blend].typical_total(0), low, high)
        else:
            part = weight * held(self.typical[at], low, high)
            self.slopes.append(Slope(at, low, high, weight, missing, term, part))
        self.base += part

    def _add_level(self, term: int, ramp: Ramp, gains: dict[Any, list[tuple[int, float]]]) -> None:
        at, level = self._reads[ramp.input][0], self._levels[ramp.input - self._sums.stop]
        parts = [ramp.weight * held(is_it, ramp.low, ramp.high) for is_it in (0.0, 1.0)]
        usual = parts[self.typical[at] == level]
        self.base += usual
        for known in self._known_levels(at):
            if gain := parts[known == level] - usual:
                gains.setdefault(known, []).append((term, gain))

    def _rule(self, term: int, rule: WeighedRule) -> PlannedRule:
        on_sums = [c for c in rule.conditions if c.input in self._sums]
        alone = [(self._reads[c.input][0], c.low, c.high) for c in rule.conditions if c.input not in self._sums]
        sums = tuple(dict.fromkeys(c.input for c in on_sums))
        blend = self._blend(sums) if sums else -1
        members = self.blends[blend].members if sums else ()
        return PlannedRule(
            rule.weight,
            term,
            tuple(dict.fromkeys(at for at, _, _ in alone if at not in members)),
            blend,
            tuple((sums.index(c.input), c.low, c.high) for c in on_sums),
            tuple(bounds for bounds in alone if bounds[0] in members),
        )

    def _blend(self, sums: tuple[int, ...]) -> int:
        if sums not in self._blend_numbers:
            self._blend_numbers[sums] = len(self.blends)
            self.blends.append(Blend([self._reads[number] for number in sums], self.typical))
        return self._blend_numbers[sums]

    def _is_typical(self, rule: WeighedRule) -> bool:
        for number, low, high in rule.conditions:
            if number in self._sums:
                total = self.blends[self._blend((number,))].typical_total(0)
                if not low < total <= high:
                    return False
            elif not self._holds(Condition(number, low, high), self.typical[self._reads[number][0]]):
                return False
        return True

    def _holds(self, condition: Condition, value: Any) -> bool:
        first = self._sums.stop
        known = value if condition.input < first else value == self._levels[condition.input - first]
        return bool(condition.low < known <= condition.high)

    def _known_levels(self, at: int) -> list[Any]:
        """Give all that a category may be known as."""
        return list(dict.fromkeys([*self.model.category_levels[self.model.columns[at]], self.typical[at]]))

    def _write_steps(self) -> None:
        asked: dict[int, dict[int, list[Condition]]] = {}
        for number, rule in enumerate(self.model.rules):
            for condition in rule.conditions:
                at = self._reads[condition.input][0]
                if condition.input not in self._sums and at in self.rules[number].columns:
                    asked.setdefault(at, {}).setdefault(number, []).append(condition)
        for at, by_rule in sorted(asked.items()):
            if self.model.columns[at] in self.model.category_levels:
                self.level_steps.append((at, {level: self._step(by_rule, at, level) for level in self._known_levels(at)}))
            else:
                bounds = {bound for conditions in by_rule.values() for c in conditions for bound in (c.low, c.high)}
                cuts = sorted(bounds - {-inf, inf})
                self.number_steps.append((at, cuts, [self._step(by_rule, at, value) for value in [*cuts, inf]]))

    def _step(self, by_rule: dict[int, list[Condition]], at: int, value: Any) -> Step:
        on = off = dead = 0
        for number, conditions in by_rule.items():
            now, usually = (all(self._holds(condition, one) for condition in conditions) for one in (value, self.typical[at]))
            on |= (now and not usually) << number
            off |= (usually and not now) << number
            dead |= (not now and not usually) << number
        return Step(on, off, dead)

    def _sum_step(self, number: int) -> SumStep:
        asked = {rule: [c for c in weighed.conditions if c.input == number] for rule, weighed in enumerate(self.model.rules)}
        by_rule = {1 << rule: conditions for rule, conditions in asked.items() if conditions}
        cuts = sorted({bound for conditions in by_rule.values() for c in conditions for bound in (c.low, c.high)} - {-inf, inf})
        return SumStep(
            self._reads[number],
            sum(by_rule),
            cuts,
            [sum(bit for bit, found in by_rule.items() if all(c.low <= start for c in found)) for start in [-inf, *cuts]],
            [sum(bit for bit, found in by_rule.items() if all(end <= c.high for c in found)) for end in [*cuts, inf]],
        )


def complete(plan: Plan, values: Sequence[Any]) -> tuple[Sequence[Any], Collection[int], Collection[tuple[int, int]]]:
    """Fill what is missing, as the model does; tell what had nothing to follow from, and what followed from where."""
    known, followed = list(values), []
    for at, other, factor in plan.follows:
        if values[at] is None and values[other] is not None:
            known[at] = values[other] * factor
            followed.append((at, other))
    missing = {at for at, value in enumerate(known) if value is None}
    for at in missing:
        known[at] = plan.typical[at]
    return known, missing, followed


def held(value: float, low: float, high: float) -> float:
    """Hold a value between two bounds."""
    return low if value < low else high if value > high else value
