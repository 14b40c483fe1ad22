"""Trials: draw fresh customers, let the gate decide, count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

from benchmarks.gate.baselines import CHALLENGER, CHAMPION, Population, Reader, draw_fresh, model_of, read_with_auc
from churn.config.params import Params
from churn.contract import Contract
from churn.lifecycle.gate import GateDecision, decide

# The truth itself has .918: there must be room above the champion.
CHAMPION_AUC = 0.87
TOWN_ROWS = 40_000


@dataclass(frozen=True)
class Cell:
    """One question: how often is a challenger taken that is better by so much ROC AUC, judged on so many rows?"""

    better_by: float
    rows: int
    shared: float


@dataclass(frozen=True)
class Result:
    """What the trials of a cell came to.

    Attributes
    ----------
    counts : dict
        How often the gate promoted (`taken`), how often each check failed (`failed <check>`), and how often other rules than the
        gate's would have promoted (`log loss alone`, `both better`).
    """

    cell: Cell
    trials: int
    counts: dict[str, int]

    def rate(self, name: str = "taken") -> tuple[float, float, float]:
        """Give a rate and its 95 % interval."""
        return rate_of(self.counts.get(name, 0), self.trials)

    def report(self) -> dict[str, Any]:
        """Give it JSON-ready."""
        rate, low, high = self.rate()
        return {**vars(self.cell), "trials": self.trials, "taken": rate, "interval": [low, high], "counts": self.counts}


def rate_of(count: int, trials: int) -> tuple[float, float, float]:
    """Give a rate and its 95 % interval (Wilson, JASA 22, 1927)."""
    found = binomtest(count, trials)
    interval = found.proportion_ci(0.95, method="wilson")
    return float(found.statistic), float(interval.low), float(interval.high)


def pooled(results: list[Result]) -> Result:
    """Put the trials of several cells together; the cell is that of the first."""
    counts: Counter[str] = Counter()
    for result in results:
        counts.update(result.counts)
    return Result(results[0].cell, sum(result.trials for result in results), dict(counts))


def run_cell(cell: Cell, population: Population, contract: Contract, params: Params, *, trials: int, seed: int) -> Result:
    """Judge `trials` fresh draws; the same seed gives the same counts."""
    champion = read_with_auc(population, CHAMPION_AUC)
    challenger: Reader = read_with_auc(population, CHAMPION_AUC + cell.better_by) if cell.better_by else champion
    rng = np.random.default_rng([seed, cell.rows, round(cell.better_by * 1000), round(cell.shared * 100)])
    models = model_of(CHALLENGER, params.profit), model_of(CHAMPION, params.profit)

    def judged() -> Iterator[GateDecision]:
        for trial in range(trials):
            fresh = draw_fresh(population, challenger, champion, rows=cell.rows, shared=cell.shared, rng=rng)
            yield decide(*models, fresh, params.model_copy(update={"seed": trial}), contract, serving=None)

    return Result(cell, trials, count(judged()))


def count(decisions: Iterator[GateDecision]) -> dict[str, int]:
    """Count what was decided, why, and what other rules would have decided."""
    counts: Counter[str] = Counter()
    for decision in decisions:
        checks = decision.evidence["checks"]
        counts["taken"] += decision.promote
        counts.update(f"failed {name}" for name, check in checks.items() if not check["passed"])
        if "profit_not_worse" in checks:
            alone = checks["better_log_loss"]["passed"]
            counts["log loss alone"] += alone
            counts["both better"] += alone and checks["profit_not_worse"]["detail"]["interval"][0] > 0
    return dict(counts)


def run_all(
    cells: list[Cell],
    contract: Contract,
    params: Params,
    *,
    trials: int,
    seed: int,
    done: Callable[[Result], None] = lambda result: None,
) -> list[Result]:
    """Run the cells one after the other; `done` is told of each."""
    population = Population.of(contract, TOWN_ROWS, seed)
    results = []
    for cell in cells:
        results.append(run_cell(cell, population, contract, params, trials=trials, seed=seed))
        done(results[-1])
    return results
