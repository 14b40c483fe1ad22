"""A year as a plot: log loss and profit by month, one row of axes a scenario."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.year.fixture import YEAR
from benchmarks.year.results import YearResult
from benchmarks.year.year import ORACLE, OURS, STRATEGIES

COLOURS = {
    "never retrain": "#999999",
    "every month, no gate": "#d95f02",
    "Evidently's drift": "#7570b3",
    "accuracy, 2 of 5": "#e6ab02",
    ORACLE: "black",
    OURS: "#1b9e77",
}


def draw(results: Sequence[YearResult], path: Path) -> None:
    """Draw the means over seeds, each beside the oracle's.

    Parameters
    ----------
    results : sequence of YearResult
        Of any scenarios and seeds.
    path : Path
        A PNG.
    """
    scenarios = list(dict.fromkeys(result.scenario for result in results))
    figure = Figure(figsize=(13, 3.2 * len(scenarios)), layout="constrained")
    axes = figure.subplots(len(scenarios), 2, squeeze=False)
    months = np.arange(1, YEAR + 1)
    for (left, right), scenario in zip(axes, scenarios, strict=True):
        mine = [result for result in results if result.scenario == scenario]
        for name in STRATEGIES:
            loss = np.mean([result.accounts[name].log_loss for result in mine], axis=0)
            profit = np.mean([np.divide(result.accounts[name].profit, result.accounts[ORACLE].profit) for result in mine], axis=0)
            style = {
                "color": COLOURS[name],
                "linewidth": 2.6 if name == OURS else 1.3,
                "linestyle": "--" if name == ORACLE else "-",
            }
            left.plot(months, loss, label=name, marker="o", markersize=3, **style)
            right.plot(months, 100 * profit, label=name, marker="o", markersize=3, **style)
        left.set_title(f"{scenario}: log loss, {len(mine)} seeds", loc="left")
        right.set_title(f"{scenario}: profit, % of the oracle's", loc="left")
        for one in (left, right):
            one.set_xticks(months)
            one.grid(alpha=0.3)
            if mine[0].event is not None:
                one.axvline(mine[0].event + 1, color="red", alpha=0.4, linestyle=":")
    axes[-1][0].set_xlabel("month")
    axes[-1][1].set_xlabel("month")
    axes[0][0].legend(fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)
