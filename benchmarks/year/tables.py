"""The tables of the benchmark: one a scenario, over all seeds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.table import Table
from scipy.stats import binomtest, t

from benchmarks.year.fixture import DAYS_OF_MONTH
from benchmarks.year.results import Account, YearResult
from benchmarks.year.year import NEVER, ORACLE, OURS, STRATEGIES

# A model is mended once its excess of log loss over the oracle's is at most this share of that of a model that is never
# retrained, or so many nats.
MENDED_SHARE, MENDED_NATS = 0.1, 0.01


def scenario_table(results: Sequence[YearResult]) -> Table:
    """Return the table of one scenario.

    Parameters
    ----------
    results : sequence of YearResult
        Of that scenario, one a seed.
    """
    first = results[0]
    table = Table(title=f"{first.scenario}: {len(results)} seeds, {first.customers:,} customers")
    for heading in (
        "",
        "log loss",
        "profit",
        "of the oracle's",
        "false alarms / runs",
        "trainings",
        "promotions",
        "worse",
        "mended after, days",
    ):
        table.add_column(heading, justify="left" if not heading else "right")
    for name in STRATEGIES:
        accounts = [result.accounts[name] for result in results]
        alarms, runs = false_alarms(results, name)
        table.add_row(
            name,
            f"{np.mean([account.log_loss for account in accounts]):.4f}",
            f"{np.mean([sum(account.profit) for account in accounts]):.2f}",
            f"{np.mean(shares_of_oracle(results, name)):.1%}",
            f"{alarms} / {runs}" if runs else "",
            f"{np.mean([len(account.trainings) for account in accounts]):.1f}",
            str(sum(len(account.promotions) for account in accounts)),
            str(sum(promotion.worse_by > 0 for account in accounts for promotion in account.promotions)),
            _days(results, name),
        )
    return table


def shares_of_oracle(results: Sequence[YearResult], name: str, oracle: str = ORACLE) -> list[float]:
    """Return a strategy's profit over the year as a share of an oracle's, for each seed.

    Parameters
    ----------
    results : sequence of YearResult
    name, oracle : str
        Of the strategies.
    """
    return [sum(result.accounts[name].profit) / sum(result.accounts[oracle].profit) for result in results]


def false_alarms(results: Sequence[YearResult], name: str = OURS) -> tuple[int, int]:
    """Count runs that alarmed before anything had happened, and all runs until then that judged something.

    Parameters
    ----------
    results : sequence of YearResult
    name : str
        Of the strategy.
    """
    alarms = runs = 0
    for result in results:
        account, until = result.accounts[name], first_day(result)
        alarmed = {*account.concept_alarms, *account.covariate_alarms}
        alarms += sum(day < until for day in alarmed)
        runs += sum(day < until for day in account.runs)
    return alarms, runs


def first_day(result: YearResult) -> float:
    """Return the day on which something happens; infinite where nothing does."""
    return np.inf if result.event is None else DAYS_OF_MONTH * result.event


def found_after(result: YearResult, name: str = OURS) -> float:
    """Return how many days after the event our monitor first alarmed; infinite if it did not.

    Parameters
    ----------
    result : YearResult
    name : str
        Of a strategy with our monitor.

    Returns
    -------
    float
    """
    account, event = result.accounts[name], first_day(result)
    alarmed = sorted({*account.concept_alarms, *account.covariate_alarms})
    return next((day - event for day in alarmed if day >= event), np.inf)


def mended_after(result: YearResult, name: str) -> float:
    """Return how many days after the event a strategy first scored with a model about as good as the oracle's; infinite: never.

    Parameters
    ----------
    result : YearResult
        Of a scenario in which something happens.
    name : str
        Of the strategy.
    """
    if result.event is None:
        return 0.0
    losses, oracle, never = (result.accounts[one].log_loss for one in (name, ORACLE, NEVER))
    for month in range(result.event, len(losses)):
        if losses[month] - oracle[month] <= max(MENDED_NATS, MENDED_SHARE * (never[month] - oracle[month])):
            return float(DAYS_OF_MONTH * (month - result.event))
    return np.inf


def _days(results: Sequence[YearResult], name: str) -> str:
    if results[0].event is None:
        return ""
    days = sorted(mended_after(result, name) for result in results)
    middle = days[len(days) // 2]
    never = sum(np.isinf(days))
    return ("never" if np.isinf(middle) else f"{middle:.0f}") + (f" ({never} never)" if 0 < never < len(days) else "")


def lead(results: Sequence[YearResult], baseline: str) -> tuple[float, float, float, float]:
    """Compare our profit with another strategy's, paired by seed.

    Parameters
    ----------
    results : sequence of YearResult
    baseline : str

    Returns
    -------
    share, mean, low, high : float
        Share of seeds in which ours is at least as high; mean difference over the year per customer, and its 95 % interval
        (Student).
    """
    gains = np.array([_year(result.accounts[OURS]) - _year(result.accounts[baseline]) for result in results])
    mean, reach = float(gains.mean()), np.inf
    if len(gains) > 1:
        reach = float(t.isf(0.025, len(gains) - 1) * gains.std(ddof=1) / np.sqrt(len(gains)))
    return float((gains >= 0).mean()), mean, mean - reach, mean + reach


def rate_with_bound(count: int, of: int) -> tuple[float, float]:
    """Return a rate and its one-sided upper 95 % bound (Clopper and Pearson, Biometrika 26, 1934).

    Parameters
    ----------
    count, of : int
    """
    if not of:
        return 0.0, 1.0
    return count / of, float(binomtest(count, of).proportion_ci(0.90, method="exact").high)


def _year(account: Account) -> float:
    return sum(account.profit)
