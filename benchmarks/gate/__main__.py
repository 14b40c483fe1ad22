"""Measure the gate: `python -m benchmarks.gate [--trials N] [--gaps] [--short]`. Prints a table, writes JSON under build/."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.gate.gaps import GapCell, all_gap_cells, gap_table, run_gap_cells
from benchmarks.gate.simulations import CHAMPION_AUC, Cell, Result, pooled, run_all
from churn.config.params import Params, load_params
from churn.contract import load_contract

OUT = Path("build/benchmarks/gate.json")
GAPS_OUT = OUT.with_name("gate-gaps.json")
SEED = 17
# How alike real models of the same customers err.
SHARED = 0.8
ROWS = (200, 500, 1_000, 2_000, 5_000)
BETTER_BY = (0.0, 0.01, 0.02, 0.04)
# What the gate promises, at 2,000 rows.
MAX_EQUALS, LEAST_BETTER = 0.05, 0.90


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gate", description=__doc__)
    parser.add_argument("--trials", type=int, default=400, help="of each cell (default 400)")
    parser.add_argument("--short", action="store_true", help="two small cells, to see that it works")
    parser.add_argument("--gaps", action="store_true", help="only the check of gaps between groups")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    cells = [Cell(0.0, 300, SHARED), Cell(0.04, 1_000, SHARED)] if options.short else all_cells()
    trials = min(options.trials, 20) if options.short else options.trials
    params, console = load_params(Path("params.yaml")), Console()
    if options.gaps:
        measure_gaps([GapCell(0.1, 0.1, 800, 1, 2, SHARED)] if options.short else all_gap_cells(SHARED), params, trials, console)
        return

    with Progress(console=console, transient=True) as progress:
        work = progress.add_task("judging", total=len(cells))
        results = run_all(
            cells,
            load_contract(),
            params,
            trials=trials,
            seed=SEED,
            done=lambda _: progress.advance(work),
        )
    console.print(table_of(results, params))
    equals = pooled([result for result in results if not result.cell.better_by])
    rate, low, high = equals.rate()
    console.print(f"equals exchanged in all: {rate:.1%} [{low:.1%}, {high:.1%}] of {equals.trials:,} trials")
    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "seed": SEED,
        "champion_auc": CHAMPION_AUC,
        "gate": params.gate.model_dump(),
        "promise": {"most_equals_taken": MAX_EQUALS, "least_better_taken": LEAST_BETTER},
        "equals_taken": {"rate": rate, "interval": [low, high], "trials": equals.trials},
        "results": [result.report() for result in results],
    }
    options.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    console.print(f"written to {options.out}")


def measure_gaps(cells: list[GapCell], params: Params, trials: int, console: Console) -> None:
    """Measure the check of gaps between groups, and print its table."""
    with Progress(console=console, transient=True) as progress:
        work = progress.add_task("judging", total=len(cells))
        results = run_gap_cells(cells, load_contract(), params, trials=trials, seed=SEED, done=lambda: progress.advance(work))
    console.print(gap_table(results, params))
    GAPS_OUT.parent.mkdir(parents=True, exist_ok=True)
    document = {"seed": SEED, "fairness": params.fairness.model_dump(), "results": [result.report() for result in results]}
    GAPS_OUT.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    console.print(f"written to {GAPS_OUT}")


def all_cells() -> list[Cell]:
    """Give the power curve, then the hardest case: two models that err independently."""
    curve = [Cell(better_by, rows, SHARED) for better_by in BETTER_BY for rows in ROWS]
    return [*curve, *(Cell(better_by, 2_000, 0.0) for better_by in (0.0, 0.02))]


def table_of(results: list[Result], params: Params) -> Table:
    """Show how often a challenger was taken, and how often two other rules would have taken it."""
    table = Table(
        title=f"How often the gate takes a challenger, at confidence {params.gate.confidence:g}; {results[0].trials} trials each",
        caption="shared: how the errors correlate; alone: if log loss decided alone; both: if profit had to be better too",
    )
    for heading in ("ROC AUC", "rows", "shared", "taken", "95 % (Wilson)", "alone", "both"):
        table.add_column(heading, justify="right", no_wrap=True)
    for result in results:
        cell, (rate, low, high) = result.cell, result.rate()
        table.add_row(
            f"+{cell.better_by:.2f}" if cell.better_by else "equal",
            f"{cell.rows:,}",
            f"{cell.shared:g}",
            f"{rate:.1%}",
            f"{low:.1%} to {high:.1%}",
            f"{result.rate('log loss alone')[0]:.1%}",
            f"{result.rate('both better')[0]:.1%}",
        )
    return table


if __name__ == "__main__":
    main()
