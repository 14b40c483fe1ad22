"""Attribute one customer's log-odds to columns, against the typical customer. Exact: contributions add up to the logit.

The logit is a sum of terms, and a term may read several columns (a large bill *and* no voice mail). The difference of such a term
from the typical customer's is shared among its columns by their Shapley value: each column's effect, averaged over all orders in
which the columns could change from the typical customer's value to this one's (Sundararajan and Najmi, The Many Shapley Values
for Model Explanation, ICML 2020: "baseline Shapley"). The difference of a term of one column belongs to that column.

The interval that each value lies in tells which rules can differ at all; most cannot. Each of the others is a game with a closed
form (`churn.explain.shapley`); rules over sums need all interpolated customers (`churn.explain.interpolation`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from churn.explain.interpolation import Mixed
from churn.explain.plan import Plan, PlannedRule, clip, complete
from churn.inference.compiled import CompiledModel

# A share that is 0 may come out as a rounding error of the others.
NOTHING = 1e-13


class Attribution(NamedTuple):
    """One customer's log-odds: logit = base + the sum of all contributions.

    Attributes
    ----------
    base : float
        The log-odds of the typical customer.
    contributions : list of float
        One per column of the model, in log-odds.
    term_gains : dict
        Index of a term (ramps first, then rules) to its difference from the typical customer's, in log-odds; differences of 0
        are left out.
    has_gaps : bool
        Whether a value is missing.
    """

    base: float
    contributions: list[float]
    term_gains: dict[int, float]
    has_gaps: bool


class Attributor:
    """Attributes the predictions of one compiled model."""

    def __init__(self, model: CompiledModel) -> None:
        self.plan = Plan(model)

    def attribute(self, values: Sequence[Any]) -> Attribution:
        """Attribute one customer's log-odds to columns; `values` as in `CompiledModel.logit`."""
        work = _Work(self.plan, values)
        work.add_ramps()
        work.add_rules()
        return work.done()


class _Work:
    """The attribution of one customer while it is computed."""

    _known: Sequence[Any]
    _missing: Collection[int] = ()
    _followed: Collection[tuple[int, int]] = ()

    def __init__(self, plan: Plan, values: Sequence[Any]) -> None:
        self._plan = plan
        self._has_gaps = None in values
        if self._has_gaps:
            self._known, self._missing, self._followed = complete(plan, values)
        else:
            self._known = values
        self._contributions = [0.0] * len(values)
        # What each column's value does to the rules; see `Plan`.
        self._effects = [0] * len(values)
        self._gains: dict[int, float] = {}
        self._mixed: dict[int, Mixed] = {}

    def add_ramps(self) -> None:
        contributions, gains = self._contributions, self._gains
        for at, low, high, weight, instead, term, typical in self._plan.slopes:
            gain = weight * (instead if at in self._missing else clip(self._known[at], low, high)) - typical
            if gain:
                contributions[at] += gain
                gains[term] = gain
        for at, by_level in self._plan.level_gains:
            for term, gain in by_level.get(self._known[at], ()):
                contributions[at] += gain
                gains[term] = gain
        for blend, low, high, weight, term in self._plan.sum_slopes:
            gain, parts = self._mix(blend).ramp(low, high)
            if gain:
                gains[term] = weight * gain
            for at, part in parts:
                contributions[at] += weight * part

    def add_rules(self) -> None:
        """Find the rules that hold for some interpolated customers and not for others, and attribute each."""
        known, plan, effects = self._known, self._plan, self._effects
        found = 0
        for at, cuts, by_stretch in plan.number_steps:
            effects[at] = effect = by_stretch[bisect_left(cuts, known[at])]
            found |= effect
        for at, by_level in plan.level_steps:
            effects[at] = effect = by_level[known[at]]
            found |= effect
        size = len(plan.rules)
        alive = plan.every_rule & ~(found >> 2 * size)
        undecided, dead = self._bound_sums(alive)
        changed = (found | found >> size | undecided) & alive & ~dead
        while changed:
            bit = changed & -changed
            changed ^= bit
            rule = plan.rules[bit.bit_length() - 1]
            if bit & undecided:
                self._attribute_mixed_rule(rule, bit, bit << size)
            else:
                self._attribute_rule(rule, bit, bit << size)

    def _bound_sums(self, alive: int) -> tuple[int, int]:
        """Return the rules whose bounds on sums may hold for some interpolated customers only; and those that hold for none."""
        known, typical = self._known, self._plan.typical
        undecided, dead = self._plan.tangled, 0
        for parts, reads, cuts, above, below in self._plan.sum_steps:
            if not reads & alive:
                continue
            least = most = 0.0
            for at in parts:
                own, usual = known[at], typical[at]
                if own < usual:
                    least += own
                    most += usual
                else:
                    least += usual
                    most += own
            first, last = bisect_left(cuts, least), bisect_left(cuts, most)
            undecided |= reads & ~(above[first] & below[last])
            dead |= reads & ~(above[last] & below[first])
        return undecided, dead

    def _attribute_rule(self, rule: PlannedRule, comes: int, goes: int) -> None:
        """Share a rule's weight among columns that make it hold, and columns that make it fail."""
        contributions, effects = self._contributions, self._effects
        on = [at for at in rule.columns if effects[at] & comes]
        if len(on) == len(rule.columns):
            off: list[int] = []
        else:
            off = [at for at in rule.columns if effects[at] & goes]
        share_on, share_off = rule.shares[len(on)][len(off)]
        for at in on:
            contributions[at] += share_on
        for at in off:
            contributions[at] += share_off
        if not on:
            self._gains[rule.term] = -rule.weight
        elif not off:
            self._gains[rule.term] = rule.weight

    def _attribute_mixed_rule(self, rule: PlannedRule, comes: int, goes: int) -> None:
        """The same for a rule that depends on how columns within sums are mixed: they have shares, too."""
        mixed = self._mixed.get(rule.blend)
        if mixed is None:
            mixed = self._mix(rule.blend)
        holds = mixed.holds(rule.sums, rule.members)
        if holds is None:
            return
        weight, contributions, effects = rule.weight, self._contributions, self._effects
        on = [at for at in rule.columns if effects[at] & comes]
        off = [at for at in rule.columns if effects[at] & goes]
        share_on, share_off, *others = mixed.shares(len(on), len(off), holds)
        for at, share in zip(mixed.players, others, strict=True):
            if share > NOTHING or share < -NOTHING:
                contributions[at] += weight * share
        before, after = mixed.ends(holds)
        if gain := (after and not off) - (before and not on):
            self._gains[rule.term] = weight * gain
        for at in on:
            contributions[at] += weight * share_on
        for at in off:
            contributions[at] += weight * share_off

    def _mix(self, blend: int) -> Mixed:
        found = self._mixed.get(blend)
        if found is None:
            found = self._mixed[blend] = self._plan.blends[blend].mix(self._known)
        return found

    def done(self) -> Attribution:
        for name, origin in self._followed:
            # The contribution of a value computed from a related column belongs to that column.
            self._contributions[origin] += self._contributions[name]
            self._contributions[name] = 0.0
        return Attribution(self._plan.base, self._contributions, self._gains, self._has_gaps)
