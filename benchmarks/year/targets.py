"""The targets of the loop, beside what was measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.table import Table

from benchmarks.year.results import YearResult
from benchmarks.year.tables import false_alarms, found_after, lead, mended_after, rate_with_bound, shares_of_oracle
from benchmarks.year.year import BASELINES, OURS

ALPHA, GATE = 0.01, 0.04
QUIET = ("calm", "season")
# A month's outcomes are whole after 30 days; then seven more.
FOUND_WITHIN, MENDED_WITHIN_DAYS = 30 + 7, 35
# Scenarios in which customers leave for other reasons, so that a model has to be mended; the fault is mended where it arose.
BROKEN = ("price-rise", "slow-drift")


@dataclass(frozen=True)
class Target:
    """One promise: what is asked, what was found, and whether that is enough."""

    scenario: str
    asked: str
    found: str
    reached: bool


def compare(results: Sequence[YearResult], judge: Callable[[list[YearResult]], list[Target]]) -> list[Target]:
    """Hold results against what is asked, scenario by scenario.

    Parameters
    ----------
    results : sequence of YearResult
        Of any scenarios and seeds.
    judge : callable
        Of the results of one scenario: `year_targets`, or `benchmarks.year.campaign_tables.campaign_targets`.

    Returns
    -------
    list of Target
    """
    scenarios = list(dict.fromkeys(result.scenario for result in results))
    return [target for scenario in scenarios for target in judge([one for one in results if one.scenario == scenario])]


def year_targets(results: list[YearResult]) -> list[Target]:
    """Hold results of one scenario against the targets."""
    scenario = results[0].scenario
    found: list[Target] = []
    if scenario in QUIET:
        alarms, runs = false_alarms(results)
        rate, high = rate_with_bound(alarms, runs)
        asked = f"false alarms ≤ {ALPHA:.0%} a run, upper bound ≤ {2 * ALPHA:.0%}"
        found.append(
            Target(scenario, asked, f"{rate:.1%}, at most {high:.1%} ({alarms} of {runs})", rate <= ALPHA and high <= 2 * ALPHA)
        )
        trained = sum(len(one.accounts[OURS].trainings) for one in results)
        worse = sum(p.worse_by > 0 for one in results for p in one.accounts[OURS].promotions)
        rate, _ = rate_with_bound(worse, trained)
        found.append(
            Target(scenario, f"worse promotions ≤ {GATE:.0%} of the gate's decisions", f"{worse} of {trained}", rate <= GATE)
        )
    else:
        soon = np.mean([found_after(one) <= FOUND_WITHIN for one in results])
        found.append(Target(scenario, "found within 7 days of whole outcomes in ≥ 95 %", f"{soon:.0%}", bool(soon >= 0.95)))
        if scenario in BROKEN:
            mended = np.mean([mended_after(one, OURS) <= MENDED_WITHIN_DAYS for one in results])
            found.append(
                Target(scenario, f"mended within {MENDED_WITHIN_DAYS} days in ≥ 95 %", f"{mended:.0%}", bool(mended >= 0.95))
            )
    share = float(np.mean(shares_of_oracle(results, OURS)))
    found.append(Target(scenario, "profit ≥ 97 % of the oracle's", f"{share:.1%}", share >= 0.97))
    for baseline in BASELINES:
        ahead, mean, low, high = lead(results, baseline)
        said = f"{ahead:.0%}, {mean:+.2f} [{low:+.2f}, {high:+.2f}]"
        found.append(Target(scenario, f"ahead of “{baseline}” in ≥ 90 %, interval above 0", said, ahead >= 0.9 and low > 0))
    return found


def target_table(targets: Sequence[Target], issue: int) -> Table:
    """Show them.

    Parameters
    ----------
    targets : sequence of Target
    issue : int
        Which asks for them.
    """
    table = Table(title=f"What issue {issue} asks")
    for heading in ("scenario", "asked", "found", ""):
        table.add_column(heading)
    for target in targets:
        table.add_row(target.scenario, target.asked, target.found, "reached" if target.reached else "NOT reached")
    return table
