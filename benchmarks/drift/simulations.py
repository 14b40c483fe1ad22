"""Windows judged by everybody, cell by cell; cells run side by side in processes."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.drift.baselines import ALPHA, BASELINES, SLOW
from benchmarks.drift.populations import REFERENCE_ROWS, load_population
from churn.contract import load_contract
from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile

OURS = "churn"
# Windows that one reference is compared with: the rate is one over references, too.
WINDOWS_A_REFERENCE = 25


@dataclass(frozen=True)
class Cell:
    """Trials of one kind; `shift` None is no drift."""

    population: str
    rows: int
    shift: str | None
    trials: int
    slow_trials: int
    seed: int


@dataclass
class Result:
    """How often everybody alarmed."""

    cell: Cell
    alarms: Counter[str] = field(default_factory=Counter)
    trials: Counter[str] = field(default_factory=Counter)

    def rate(self, who: str) -> tuple[float, float, float]:
        """Give the share of alarms and its 95 % interval (Clopper-Pearson)."""
        found = stats.binomtest(self.alarms[who], max(self.trials[who], 1)).proportion_ci(method="exact")
        return self.alarms[who] / max(self.trials[who], 1), float(found.low), float(found.high)

    def upper(self, who: str) -> float:
        """Give the one-sided 95 % upper bound of the share of alarms (Clopper-Pearson)."""
        test = stats.binomtest(self.alarms[who], max(self.trials[who], 1), alternative="less")
        return float(test.proportion_ci(method="exact").high)

    def report(self) -> dict[str, Any]:
        """Give it JSON-ready."""
        rates = {who: self.rate(who) for who in self.trials}
        return vars(self.cell) | {
            "rates": {w: {"rate": r, "interval": [lo, hi], "trials": self.trials[w]} for w, (r, lo, hi) in rates.items()}
        }


def run_cell(cell: Cell, data: Path) -> Result:
    """Judge a cell's windows; the same cell gives the same result."""
    warnings.simplefilter("ignore")  # SciPy's and Evidently's about small counts, thousands of times
    contract = load_contract()
    population = load_population(cell.population, contract, data, cell.seed)
    rng = np.random.default_rng([cell.seed, cell.rows, sum(map(ord, cell.shift or "")), len(cell.population)])
    result = Result(cell)
    for trial in range(cell.trials):
        if trial % WINDOWS_A_REFERENCE == 0:
            reference = population.draw(REFERENCE_ROWS, rng)
            profile = ReferenceProfile.of(reference, contract)
        window = population.window(cell.shift, cell.rows, rng)
        verdicts = {OURS: detect_drift(profile, window, contract, ALPHA).alarm}
        for baseline in BASELINES:
            if baseline is not SLOW or trial < cell.slow_trials:
                verdicts |= baseline(reference, window, contract)
        for name, alarm in verdicts.items():
            result.alarms[name] += alarm
            result.trials[name] += 1
    return result
