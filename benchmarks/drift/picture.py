"""The race as a plot: false alarms on the left, what was found on the right."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from benchmarks.drift.baselines import ALPHA, NAMES
from benchmarks.drift.populations import LABELS, SHIFTS
from benchmarks.drift.simulations import OURS, Result


def draw(results: list[Result], path: Path) -> None:
    """Draw the first population's results."""
    population = results[0].cell.population
    mine = [result for result in results if result.cell.population == population]
    figure = Figure(figsize=(15, 8), layout="constrained")
    figure.suptitle(f"Share of windows with an alarm, by rows in the window ({population} customers, alpha {ALPHA:.0%})")
    for place, shift in enumerate((None, *SHIFTS)):
        axes = figure.add_subplot(2, 3, place + 1)
        axes.set_title(LABELS[shift] if shift else "no drift (the lower the better)")
        cells = sorted((r for r in mine if r.cell.shift == shift), key=lambda r: r.cell.rows)
        for who in (OURS, *NAMES):
            seen = [r for r in cells if r.trials[who]]
            width = 3 if who == OURS else 1.2
            axes.plot([r.cell.rows for r in seen], [r.rate(who)[0] for r in seen], marker="o", label=who, linewidth=width)
        axes.set_xscale("log")
        axes.set_xticks([r.cell.rows for r in cells], labels=[f"{r.cell.rows:,}" for r in cells], minor=False)
        axes.minorticks_off()
        axes.set_ylim(-0.03, 1.03)
        axes.set_xlabel("rows")
        if shift is None:
            axes.axhline(ALPHA, color="grey", linestyle=":")
            axes.legend(fontsize=8)
    figure.savefig(path, dpi=90)
