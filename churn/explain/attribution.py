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

from churn.explain.mixed import Mixed
from churn.explain.plan import Plan, clip, complete
from churn.inference.compiled import CompiledModel


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
        self.plan = plan = Plan(model)
        self._has_ramps = bool(plan.slopes or plan.level_gains or plan.sum_slopes)

    def attribute(self, values: Sequence[Any]) -> Attribution:
        """Attribute one customer's log-odds to columns; `values` as in `CompiledModel.logit`."""
        plan = self.plan
        contributions = [0.0] * len(values)
        gains: dict[int, float] = {}
        mixed: dict[int, Mixed] = {}
        if None in values:
            known, missing, followed = complete(plan, values)
            if self._has_ramps:
                _add_ramps(plan, known, missing, contributions, gains, mixed)
            _add_rules(plan, known, contributions, gains, mixed)
            for name, origin in followed:
                # The contribution of a value computed from a related column belongs to that column.
                contributions[origin] += contributions[name]
                contributions[name] = 0.0
            return Attribution(plan.base, contributions, gains, True)
        if self._has_ramps:
            _add_ramps(plan, values, (), contributions, gains, mixed)
        _add_rules(plan, values, contributions, gains, mixed)
        return Attribution(plan.base, contributions, gains, False)


def _add_ramps(
    plan: Plan,
    known: Sequence[Any],
    missing: Collection[int],
    contributions: list[float],
    gains: dict[int, float],
    mixed: dict[int, Mixed],
) -> None:
    for at, low, high, weight, instead, term, typical in plan.slopes:
        gain = weight * (instead if at in missing else clip(known[at], low, high)) - typical
        if gain:
            contributions[at] += gain
            gains[term] = gain
    for at, by_level in plan.level_gains:
        for term, gain in by_level.get(known[at], ()):
            contributions[at] += gain
            gains[term] = gain
    for blend, low, high, weight, term in plan.sum_slopes:
        if blend not in mixed:
            mixed[blend] = plan.blends[blend].mix(known)
        gain, parts = mixed[blend].ramp(low, high)
        if gain:
            gains[term] = weight * gain
        for at, part in parts:
            contributions[at] += weight * part


def _add_rules(
    plan: Plan, known: Sequence[Any], contributions: list[float], gains: dict[int, float], mixed: dict[int, Mixed]
) -> None:
    """Attribute each rule that holds for some interpolated customers and not for others."""
    own, left, undecided = changed_rules(plan, known)
    undecided |= plan.tangled
    by_guard = plan.bits.by_guard
    while left:
        guard = left & -left
        left ^= guard
        rule = by_guard[guard]
        field = own >> rule.shift & rule.mask
        if not guard & undecided:
            outcome = rule.outcomes.get(field) or rule.outcome(field)
        else:
            if rule.blend not in mixed:
                mixed[rule.blend] = plan.blends[rule.blend].mix(known)
            outcome = mixed[rule.blend].outcome(rule, field)
        parts, gain = outcome
        for at, part in parts:
            contributions[at] += part
        if gain:
            gains[rule.term] = gain


def changed_rules(plan: Plan, known: Sequence[Any]) -> tuple[int, int, int]:
    """Return which rules matter for a customer.

    Parameters
    ----------
    plan : Plan
    known : sequence
        The customer's values, without None.

    Returns
    -------
    own : int
        The customer's bits, see `RuleBits`.
    left : int
        The guards of rules that do not hold for all interpolated customers alike.
    undecided : int
        The guards of rules whose bounds on sums some interpolated customers may meet, and others not.
    """
    bits, own = plan.bits, plan.bits.usual
    for at, cut, is_above, changes in plan.cut_steps:
        if (known[at] > cut) is not is_above:
            own ^= changes
    for at, cuts, by_stretch in plan.number_steps:
        own ^= by_stretch[bisect_left(cuts, known[at])]
    for at, by_level in plan.level_steps:
        own ^= by_level[known[at]]
    # A rule with a condition that neither customer meets holds for nobody between them.
    alive = (own | bits.usual) + bits.ones & bits.guards
    undecided, dead = _bound_sums(plan, known, alive)
    return own, ((own ^ bits.usual) + bits.fields | undecided | plan.tangled) & alive & ~dead, undecided


def _bound_sums(plan: Plan, known: Sequence[Any], alive: int) -> tuple[int, int]:
    """Return the rules whose bounds on sums may hold for some interpolated customers only; and those that hold for none."""
    undecided = dead = 0
    for parts, reads, cuts, above, below in plan.sum_steps:
        if not reads & alive:
            continue
        least = most = 0.0
        for at, usual in parts:
            own = known[at]
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
