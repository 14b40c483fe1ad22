"""The gate's check of fairness: whether a gap between groups of customers is wider under the challenger than the champion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from churn.config.params import FairnessParams, GateParams
from churn.evaluation.paired import Answers
from churn.evaluation.statistics import Customers
from churn.fairness.gaps import Groups, Widening, widenings
from churn.lifecycle.gate_checks import Check

NAME = "no_gap_widens"


def no_gap_widens(
    outcome: np.ndarray,
    champion: Answers | None,
    challenger: Answers,
    groups: Groups,
    notes: Sequence[str],
    params: FairnessParams,
    gate: GateParams,
    seed: int,
    customer: Customers | None = None,
) -> Check:
    """Check that no gap between groups is wider than the champion's by more than `margin`, or not beyond chance.

    All bounds hold at once with probability `confidence` (Bonferroni). A challenger that is as fair as the champion fails with
    probability 1 - confidence at most, however many columns there are. Why a first model passes, whatever its gaps are, and why
    it is recall that is judged: docs/adr/0029-fairness-that-acts.md.

    Parameters
    ----------
    outcome : array of 0 and 1, shape (n,)
    champion : Answers or None
        None if there is no champion to compare with.
    challenger : Answers
    groups : mapping of str to sequence of Slice
    notes : sequence of str
        Why customers or columns are in no group; both as `churn.fairness.gaps.groups_of` gives them.
    params : FairnessParams
    gate : GateParams
    seed : int
        Of the bootstrap.
    customer : array of int, shape (n,), optional
        Which rows are about the same customer; None if each is about another one.

    Returns
    -------
    Check
        Its value is the largest widening; None where none could be measured.
    """
    found = widenings(
        *(outcome, champion or challenger, challenger, groups, params.gaps),
        confidence=gate.confidence,
        resamples=gate.resamples,
        seed=seed,
        customer=customer,
    )
    limit, left_out = params.margin, f" ({'; '.join(notes)})" if notes else ""
    if not found:
        return Check(NAME, True, None, limit, f"no gap between groups could be judged{left_out}", {"notes": list(notes)})
    if champion is None:
        gaps = ", ".join(f"{gap.name} {gap.second:.3f}" for gap in found)
        alone = [
            {"column": gap.column, "measure": gap.measure, "second": gap.second}
            | {"rates": {level: after for level, (_, after) in gap.rates.items()}}
            for gap in found
        ]
        detail = {"gaps": alone, "notes": list(notes)}
        return Check(NAME, True, None, limit, f"no champion to compare the gaps between groups with: {gaps}{left_out}", detail)
    failed = [gap for gap in found if gap.change > limit and gap.low > 0]
    worst = max(found, key=lambda gap: gap.change)
    if failed:
        said = f"gaps between groups widen by more than {limit:g}, beyond chance: {', '.join(map(_failure, failed))}"
    else:
        said = f"none of {len(found)} gaps between groups widens by more than {limit:g} beyond chance; most: {_numbers(worst)}"
    detail = {"gaps": [asdict(gap) for gap in found], "notes": list(notes)}
    return Check(NAME, not failed, worst.change, limit, said + left_out, detail)


def _numbers(gap: Widening) -> str:
    return f"{gap.name} from {gap.first:.3f} to {gap.second:.3f} ({gap.change:+.3f} [{gap.low:+.3f}, {gap.high:+.3f}])"


def _failure(gap: Widening) -> str:
    low, high = (choose(gap.rates.items(), key=lambda rate: rate[1][1]) for choose in (min, max))
    return f"{_numbers(gap)}, now {low[1][1]:.3f} for {low[0]} and {high[1][1]:.3f} for {high[0]}"
