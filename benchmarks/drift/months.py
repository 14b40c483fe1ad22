"""Months that differ by themselves: `python -m benchmarks.drift.months [--trials N] [--rows N] [--month-rows N]`.

A reference of twelve months, in each of which every usage column is higher or lower as a whole: by chance (normal, each column by
itself), or with the year (one cosine). Then a thirteenth month that differs in the same way, and the same with a change. How
often does the comparison alarm at 1 %, with the months known and without? Customers are simulated after the telecom contract.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy import stats

from churn.contract import Contract, load_contract
from churn.data.row_time import MONTH
from churn.simulation.shift import Shift
from churn.simulation.simulate import simulate
from monitoring.drift.detect import detect_drift
from monitoring.drift.profile import ReferenceProfile

ALPHA, MONTHS, SEED = 0.01, 12, 33
# Of each usage column's mean: the standard deviation of months, or the amplitude of the year, in shares of it.
USAGE = {"total_day_minutes": 0.03, "total_eve_minutes": 0.03, "total_night_minutes": 0.03, "total_intl_minutes": 0.06}
KINDS = ("months alike", "months differ by chance", "a season")
PLAN = "international_plan"
CHANGES = {
    "none": Shift(),
    "day minutes +10 %": Shift(scale={"total_day_minutes": 1.1}),
    "day minutes +15 %": Shift(scale={"total_day_minutes": 1.15}),
    "day minutes +25 %": Shift(scale={"total_day_minutes": 1.25}),
    "a quarter has the international plan": Shift(share={PLAN: 0.25}),
    "3 % of service calls lost": Shift(missing={"customer_service_calls": 0.03}),
}


def factors(kind: str, rng: np.random.Generator) -> list[dict[str, float]]:
    """Draw what each month does to usage: thirteen months, of which the last is the window's.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    rng : numpy.random.Generator
    """
    if kind == "months alike":
        return [dict.fromkeys(USAGE, 1.0)] * (MONTHS + 1)
    if kind == "a season":
        first = int(rng.integers(MONTHS))
        heights = np.cos(2 * np.pi * (np.arange(MONTHS + 1) + first) / MONTHS)
        return [{name: 1 + size * height for name, size in USAGE.items()} for height in heights.tolist()]
    return [{name: 1 + size * float(rng.normal()) for name, size in USAGE.items()} for _ in range(MONTHS + 1)]


def run_trial(contract: Contract, kind: str, rows: int, month_rows: int, seed: int) -> Mapping[tuple[str, bool], bool]:
    """Draw a reference and its windows, and compare them.

    Parameters
    ----------
    contract : Contract
        The telecom's.
    kind : str
        One of `KINDS`.
    rows, month_rows : int
        Customers of the window, and of each month of the reference.
    seed : int

    Returns
    -------
    mapping of (str, bool) to bool
        By change, and whether months were known: whether it alarmed.
    """
    rng = np.random.default_rng(seed)
    *history, last = factors(kind, rng)
    months = []
    for place, scale in enumerate(history):
        month = simulate(contract, month_rows, seed * 100 + place, shift=Shift(scale=scale)).features
        months.append(month.assign(**{MONTH: f"2025-{place + 1:02}"}))
    reference = pd.concat(months, ignore_index=True)
    profiles = {
        known: ReferenceProfile.of(reference if known else reference.drop(columns=MONTH), contract) for known in (True, False)
    }
    found = {}
    for name, change in CHANGES.items():
        scale = {column: factor * change.scale.get(column, 1.0) for column, factor in last.items()}
        window = simulate(contract, rows, seed * 100 + 99, shift=change.model_copy(update={"scale": scale})).features
        for known, profile in profiles.items():
            found[name, known] = detect_drift(profile, window, contract, ALPHA).alarm
    return found


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift.months", description=__doc__)
    parser.add_argument("--trials", type=int, default=200, help="references of each kind")
    parser.add_argument("--rows", type=int, default=3_000, help="customers of a window")
    parser.add_argument("--month-rows", type=int, default=250, help="customers of each month of the reference")
    parser.add_argument("--only", default=",".join(KINDS), help="kinds of months, comma-separated")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    contract, console = load_contract(), Console()
    for kind in options.only.split(","):
        alarms: Counter[tuple[str, bool]] = Counter()
        for trial in track(range(options.trials), kind, console=console, transient=True):
            alarms.update(run_trial(contract, kind, options.rows, options.month_rows, options.seed * 1_000 + trial))
        title = (
            f"{kind}: windows of {options.rows}, {MONTHS} months of {options.month_rows}, {options.trials} trials at {ALPHA:.0%}"
        )
        table = Table("change", "months known", "95 % upper bound", "months not known", title=title)
        for name in CHANGES:
            upper = stats.binomtest(alarms[name, True], options.trials).proportion_ci(0.9, method="exact").high
            shares = [f"{alarms[name, known] / options.trials:.1%}" for known in (True, False)]
            table.add_row(name, shares[0], f"{upper:.1%}", shares[1])
        console.print(table)


if __name__ == "__main__":
    main()
