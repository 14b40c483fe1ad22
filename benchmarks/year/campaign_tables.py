"""The tables of the year with campaigns: what became of each strategy, and the targets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from benchmarks.year.campaign import CAMPAIGN_STRATEGIES, FAIR_ORACLE, NO_CAMPAIGN, UNTOLD
from benchmarks.year.results import YearResult
from benchmarks.year.tables import false_alarms, found_after, rate_with_bound, shares_of_oracle
from benchmarks.year.targets import ALPHA, Target
from benchmarks.year.year import ORACLE, OURS

MAX_LOST_NATS, MIN_COVERAGE, MIN_PROFIT, MIN_AHEAD, SLOWER = 0.003, 0.92, 0.95, 0.9, 1.2


def campaign_table(results: Sequence[YearResult]) -> Table:
    """Return the table of one scenario.

    Parameters
    ----------
    results : sequence of YearResult
        Of that scenario, one a seed.
    """
    first = results[0]
    table = Table(title=f"{first.scenario}, a campaign each month: {len(results)} seeds, {first.customers:,} customers")
    headings = ("log loss, clean, at the end", "of the oracle's profit", "alarms before the event / runs", "trainings")
    table.add_column("")
    for heading in (*headings, "promotions", "worse", "found after, days"):
        table.add_column(heading, justify="right")
    for name in CAMPAIGN_STRATEGIES:
        accounts = [result.accounts[name] for result in results]
        clean = [account.clean_log_loss for account in accounts if account.clean_log_loss is not None]
        alarms, runs = false_alarms(results, name)
        table.add_row(
            name,
            f"{np.mean(clean):.4f}" if clean else "",
            "" if name == NO_CAMPAIGN else f"{np.mean(shares_of_oracle(results, name)):.1%}",
            f"{alarms} / {runs}" if runs else "",
            f"{np.mean([len(account.trainings) for account in accounts]):.1f}",
            str(sum(len(account.promotions) for account in accounts)),
            str(sum(promotion.worse_by > 0 for account in accounts for promotion in account.promotions)),
            _found(results, name) if runs and first.event is not None else "",
        )
    return table


def covered(results: Sequence[YearResult]) -> tuple[int, int]:
    """Count the campaigns whose interval holds what is true, and all of them; one of which nothing is said holds nothing.

    Parameters
    ----------
    results : sequence of YearResult
    """
    said = [one for result in results for one in result.accounts[OURS].saved]
    return sum(low > -1e9 and low <= truth <= high for _, low, high, truth in said), len(said)


def campaign_targets(results: list[YearResult]) -> list[Target]:
    """Hold results of one scenario against the targets."""
    scenario = results[0].scenario
    alarms, runs = false_alarms(results)
    rate, high = rate_with_bound(alarms, runs)
    found = [Target(scenario, f"false alarms ≤ {ALPHA:.0%} a run", f"{alarms} of {runs}, at most {high:.1%}", rate <= ALPHA)]
    if results[0].event is None:
        lost = float(np.mean([_clean(one, OURS) - _clean(one, NO_CAMPAIGN) for one in results]))
        asked = f"clean log loss at most {MAX_LOST_NATS} worse than without campaigns"
        found.append(Target(scenario, asked, f"{lost:+.4f}", lost <= MAX_LOST_NATS))
    else:
        with_it, without = (np.median([found_after(one, name) for one in results]) for name in (OURS, NO_CAMPAIGN))
        said = f"{with_it:.0f} days, {without:.0f} without"
        found.append(Target(scenario, "found within 20 % of the time without campaigns", said, bool(with_it <= SLOWER * without)))
    right, campaigns = covered(results)
    share = right / campaigns if campaigns else 0.0
    found.append(
        Target(scenario, f"intervals hold the truth ≥ {MIN_COVERAGE:.0%}", f"{right} of {campaigns}", share >= MIN_COVERAGE)
    )
    for oracle in (ORACLE, FAIR_ORACLE):
        profit = float(np.mean(shares_of_oracle(results, OURS, oracle)))
        found.append(Target(scenario, f"profit ≥ {MIN_PROFIT:.0%} of “{oracle}”", f"{profit:.1%}", profit >= MIN_PROFIT))
    for baseline in ("every month, no gate", UNTOLD):
        pairs = zip(shares_of_oracle(results, OURS), shares_of_oracle(results, baseline), strict=True)
        ahead = float(np.mean([ours > theirs for ours, theirs in pairs]))
        found.append(Target(scenario, f"profit above “{baseline}” in ≥ {MIN_AHEAD:.0%}", f"{ahead:.0%}", ahead >= MIN_AHEAD))
    return found


def _clean(result: YearResult, name: str) -> float:
    found = result.accounts[name].clean_log_loss
    return np.nan if found is None else found


def _found(results: Sequence[YearResult], name: str) -> str:
    middle = float(np.median([found_after(one, name) for one in results]))
    return "never" if np.isinf(middle) else f"{middle:.0f}"
