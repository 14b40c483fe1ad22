"""The part of an attribution that is the same for every customer, computed once per model (see `churn.explain.attribution`)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import inf
from typing import Any, NamedTuple

from churn.explain.interpolation import Blend
from churn.explain.rule_bits import PlannedRule, RuleBits
from churn.inference.compiled import CompiledModel
from churn.inference.terms import Condition, Ramp, WeighedRule


class Slope(NamedTuple):
    """A ramp over one column: the column's position, the ramp, its index, and what it adds for the typical customer."""

    place: int
    low: float
    high: float
    weight: float
    missing: float
    term: int
    typical: float


class SumSlope(NamedTuple):
    """A ramp over a sum, with the blend of that sum."""

    blend: int
    low: float
    high: float
    weight: float
    term: int


class SumStep(NamedTuple):
    """A sum that rules read: its parts with their typical values, the guards of the rules, and the distinct bounds.

    For a value with `n` bounds below it, `above[n]` are the rules whose lower bound it exceeds, and `below[n]` those whose upper
    bound it does not exceed.
    """

    parts: tuple[tuple[int, float], ...]
    reads: int
    cuts: list[float]
    above: list[int]
    below: list[int]


class Plan:
    """All that is known before a customer. Columns are positions, terms are indexes, ramps first.

    Attributes
    ----------
    base : float
        The log-odds of the typical customer.
    typical : list
        One value per column.
    instead : list
        What stands for a missing value, per column: the typical one, or a level of its own.
    follows : list of (int, int, float)
        A number, the related number that it is computed from where it is missing, and the factor.
    slopes, sum_slopes, rules : list
    level_gains : list of (int, dict)
        A category, and for each of its levels the ramps over levels that then add something, and how much more than usual.
    bits : RuleBits
    cut_steps : list of (int, float, bool, int)
        A number with one cut between its stretches, the cut, whether the typical value lies above it, and the bits that are
        otherwise than the typical customer's on the other side.
    number_steps : list of (int, list of float, list of int)
        A number with more cuts, and the same bits of each stretch. A stretch ends with its cut.
    level_steps : list of (int, dict)
        A category, and the same bits of each level.
    sum_steps : list of SumStep
    blends : list of Blend
    tangled : int
        The guards of rules that read a sum, and a part of it alone too.
    term_columns : list of frozenset of int
        The columns that each term reads.
    """

    def __init__(self, model: CompiledModel) -> None:
        place = {name: at for at, name in enumerate(model.columns)}
        self.model = model
        self.typical: list[Any] = [model.typical[name] for name in model.columns]
        self.instead = [model.instead_of(name) for name in model.columns]
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
        self.bits = RuleBits(self.rules)
        self.tangled = sum(rule.guard for rule in self.rules if rule.members)
        self.cut_steps: list[tuple[int, float, bool, int]] = []
        self.number_steps: list[tuple[int, list[float], list[int]]] = []
        self.level_steps: list[tuple[int, dict[Any, int]]] = []
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
            part = weight * clip(self.blends[blend].typical_total(0), low, high)
        else:
            part = weight * clip(self.typical[at], low, high)
            self.slopes.append(Slope(at, low, high, weight, missing, term, part))
        self.base += part

    def _add_level(self, term: int, ramp: Ramp, gains: dict[Any, list[tuple[int, float]]]) -> None:
        at, level = self._reads[ramp.input][0], self._levels[ramp.input - self._sums.stop]
        parts = [ramp.weight * clip(is_it, ramp.low, ramp.high) for is_it in (0.0, 1.0)]
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
        columns = tuple(dict.fromkeys(at for at, _, _ in alone if at not in members))
        usual = [
            all(self._holds(c, self.typical[at]) for c in rule.conditions if self._reads[c.input] == (at,)) for at in columns
        ]
        return PlannedRule(
            rule.weight,
            term,
            columns,
            usual,
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
        """Return all levels that a category may have, the typical one and that of a missing one included."""
        levels = self.model.category_levels[self.model.columns[at]]
        return list(dict.fromkeys([*levels, self.typical[at], self.instead[at]]))

    def _write_steps(self) -> None:
        asked: dict[int, dict[int, list[Condition]]] = {}
        for number, rule in enumerate(self.model.rules):
            for condition in rule.conditions:
                at = self._reads[condition.input][0]
                if condition.input not in self._sums and at in self.rules[number].columns:
                    asked.setdefault(at, {}).setdefault(number, []).append(condition)
        for at, by_rule in sorted(asked.items()):
            if self.model.columns[at] in self.model.category_levels:
                self.level_steps.append((at, {level: self._effect(by_rule, at, level) for level in self._known_levels(at)}))
                continue
            bounds = {bound for conditions in by_rule.values() for c in conditions for bound in (c.low, c.high)}
            cuts = sorted(bounds - {-inf, inf})
            effects = [self._effect(by_rule, at, value) for value in [*cuts, inf]]
            if len(cuts) == 1:
                is_above = self.typical[at] > cuts[0]
                self.cut_steps.append((at, cuts[0], is_above, effects[not is_above]))
            else:
                self.number_steps.append((at, cuts, effects))

    def _effect(self, by_rule: dict[int, list[Condition]], at: int, value: Any) -> int:
        """Return the bits of a column that are otherwise for a value than for the typical one."""
        changed = 0
        for number, conditions in by_rule.items():
            bit = self.rules[number].bit_of(at)
            if all(self._holds(condition, value) for condition in conditions) != bool(self.bits.usual & bit):
                changed |= bit
        return changed

    def _sum_step(self, number: int) -> SumStep:
        asked = {rule: [c for c in weighed.conditions if c.input == number] for rule, weighed in enumerate(self.model.rules)}
        by_rule = {self.rules[rule].guard: conditions for rule, conditions in asked.items() if conditions}
        # (A sum of -inf exceeds no bound, and is a stretch of its own.)
        cuts = sorted(
            {-inf, *(bound for conditions in by_rule.values() for c in conditions for bound in (c.low, c.high))} - {inf}
        )
        return SumStep(
            tuple((at, self.typical[at]) for at in self._reads[number]),
            sum(by_rule),
            cuts,
            [0, *(sum(bit for bit, found in by_rule.items() if all(c.low <= start for c in found)) for start in cuts)],
            [sum(bit for bit, found in by_rule.items() if all(end <= c.high for c in found)) for end in [*cuts, inf]],
        )


def complete(plan: Plan, values: Sequence[Any]) -> tuple[Sequence[Any], Collection[int], Collection[tuple[int, int]]]:
    """Fill missing values as the model does.

    Parameters
    ----------
    plan : Plan
    values : sequence
        As in `CompiledModel.logit`.

    Returns
    -------
    known : sequence
        The values, without None.
    missing : collection of int
        Positions where what stands for a missing value was filled in.
    followed : collection of (int, int)
        Positions computed from a related number, with the position of that.
    """
    known, followed = list(values), []
    for at, other, factor in plan.follows:
        if values[at] is None and values[other] is not None:
            known[at] = values[other] * factor
            followed.append((at, other))
    missing = {at for at, value in enumerate(known) if value is None}
    for at in missing:
        known[at] = plan.instead[at]
    return known, missing, followed


def clip(value: float, low: float, high: float) -> float:
    """Clip a value.

    Parameters
    ----------
    value, low, high : float

    Returns
    -------
    float
        In [low, high].
    """
    return low if value < low else high if value > high else value
