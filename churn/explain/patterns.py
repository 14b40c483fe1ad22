"""What decides about a customer's attribution, as a key: customers of one pattern have the same, and what is said of it is kept.

A sum of rules makes few patterns of all customers: which rules differ from the typical customer's, and by which columns. Where a
rule reads a sum, the interpolated customers' sums decide too: not by how much, but between which of the rule's bounds they lie.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Sequence
from functools import partial
from math import inf
from typing import Any, NamedTuple

from churn.explain.attribution import changed_rules
from churn.explain.plan import Plan, complete
from churn.explain.shapley import MAX_MIXED

Pattern = tuple[Hashable, ...]
# So many sets of rules are looked up, not put together.
MAX_SETS = 1024


class _Compared(NamedTuple):
    """What is compared where some rules matter.

    Attributes
    ----------
    fields : int
        All bits of these rules.
    blends : list of (int, list of (int, list of float))
        The number of a blend, and the sums of it with the bounds that they are compared with.
    members : list of (int, list of float)
        Columns that are compared alone too.
    """

    fields: int
    blends: list[tuple[int, list[tuple[int, list[float]]]]]
    members: list[tuple[int, list[float]]]


class Patterns:
    """Finds the patterns of one model's customers.

    Parameters
    ----------
    plan : Plan
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        # What ramps add differs from customer to customer.
        self._has_ramps = bool(plan.slopes or plan.level_gains or plan.sum_slopes)
        self._compared: dict[tuple[int, int], _Compared] = {}

    def of(self, values: Sequence[Any]) -> Pattern | None:
        """Return a customer's pattern.

        Parameters
        ----------
        values : sequence
            As in `CompiledModel.logit`.

        Returns
        -------
        Pattern or None
            The rules that matter, those of them whose sums are undecided, the customer's bits, the places of missing values, and
            what is compared with bounds on sums. None if the model has ramps, or if more than `MAX_MIXED` parts of a sum differ
            from the typical customer's.
        """
        if self._has_ramps:
            return None
        plan, gaps = self._plan, tuple[int, ...]()
        if None in values:
            gaps = tuple([at for at, value in enumerate(values) if value is None])
            values, _, _ = complete(plan, values)
        own, left, undecided = changed_rules(plan, values)
        compared = self._compared.get((left, undecided)) or self._compare(left, undecided)
        # These say what each of the others means.
        found: list[Hashable] = [left, undecided & left, own & compared.fields, gaps]
        for number, sums in compared.blends:
            blend = plan.blends[number]
            players = blend.players(values)
            if len(players) > MAX_MIXED:
                return None
            found.append(players)
            for one, cuts in sums:
                found.append(tuple(map(partial(bisect_left, cuts), blend.totals(one, values, players))))
        for at, cuts in compared.members:
            found.append(bisect_left(cuts, values[at]))
        return tuple(found)

    def _compare(self, left: int, undecided: int) -> _Compared:
        """Put together what is compared where these rules matter, and the sums of the others are undecided."""
        fields = 0
        blends: dict[int, dict[int, set[float]]] = {}
        members: dict[int, set[float]] = {}
        for guard, rule in self._plan.bits.by_guard.items():
            if not guard & left:
                continue
            fields |= rule.mask << rule.shift
            if not guard & (undecided | self._plan.tangled):
                continue
            sums = blends.setdefault(rule.blend, {})
            # (Sums that are decided lie within all bounds, or the rule would not be left.)
            for number, *bounds in rule.sums if guard & undecided else ():
                sums.setdefault(number, set()).update(bounds)
            for at, *bounds in rule.members:
                members.setdefault(at, set()).update(bounds)
        found = _Compared(
            fields,
            [(blend, [(number, _cuts(bounds)) for number, bounds in sums.items()]) for blend, sums in blends.items()],
            [(at, _cuts(bounds)) for at, bounds in members.items()],
        )
        if len(self._compared) >= MAX_SETS:
            self._compared.clear()
        self._compared[left, undecided] = found
        return found


def _cuts(bounds: set[float]) -> list[float]:
    """Return the bounds of stretches, each of which ends with its own; -inf, which exceeds no bound, is a stretch by itself."""
    return sorted({-inf, *bounds} - {inf})
