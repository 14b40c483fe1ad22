"""Compare drift detectors: `python -m benchmarks.drift [--short] [--only SCENARIOS] [--seed N]`.

Prints a table, writes JSON and a plot to build/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from joblib import Memory, Parallel, delayed
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.drift import by_slice, concept, newcomers, same_base, scale
from benchmarks.drift.baselines import NAMES
from benchmarks.drift.picture import draw
from benchmarks.drift.populations import LABELS, SHIFTS
from benchmarks.drift.simulations import OURS, Cell, Result, run_cell
from benchmarks.drift.targets import compare
from churn.config.settings import load_settings
from churn.contract import load_contract

OUT = Path("build/benchmarks/drift.json")
SEED = 17
SIZES = (50, 200, 500, 1_000, 5_000)
SCENARIOS = ("false-alarms", "shifts", "same-base", "newcomers", "by-slice", "concept", "scale")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.drift", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few small cells, to see that it works")
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"scenarios, comma-separated: {', '.join(SCENARIOS)}")
    parser.add_argument("--trials", type=int, default=1_000, help="of each cell without drift; a fifth of each shift")
    parser.add_argument("--lives", type=int, default=20, help="of each case of same-base and newcomers")
    parser.add_argument("--references", type=int, default=16, help="of by-slice without drift; a quarter of each change")
    parser.add_argument("--populations", default="real,simulated", help="comma-separated: real, simulated")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--resume", action="store_true", help="keep each cell's result beside --out, and take those kept before")
    options = parser.parse_args()
    wanted, console, contract = options.only.split(","), Console(), load_contract()
    jobs = 1 if options.short else options.jobs

    cells = (
        short_cells(options.seed)
        if options.short
        else all_cells(wanted, options.populations.split(","), options.trials, options.seed)
    )
    kept = Memory(options.out.with_suffix(".cells") if options.resume else None, verbose=0)
    results = judge(cells, load_settings().data, jobs, console, kept)
    streams, runs, bases, groups, others, alike = [], [], [], [], [], []
    if "same-base" in wanted:
        if options.short:
            told = same_base.run(1, options.seed, nights=3, customers=200, cases=same_base.CASES[:1])
        else:
            told = same_base.run(options.lives, options.seed)
        bases = [row for lives in told for row in lives.figures()]
    if "newcomers" in wanted:
        sizes = (400,) if options.short else newcomers.SIZES
        others = newcomers.run(1 if options.short else options.lives, options.seed, sizes=sizes, jobs=jobs)
        alike = newcomers.calibrate(10 if options.short else 20 * options.trials, options.seed, jobs=jobs)
    if "by-slice" in wanted:
        data, calm = load_settings().data, options.references
        if options.short:
            groups = by_slice.run(data, 1, 1, options.seed, sizes=(500,), windows=2)
        else:
            groups = by_slice.run(data, calm, calm // 4, options.seed, jobs=jobs)
    if "concept" in wanted:
        streams = concept.run(
            20 if options.short else 1_000, options.seed, peers=not options.short, work=options.out.parent / "river"
        )
    if "scale" in wanted:
        rows = (2_000, 5_000) if options.short else (100_000, 1_000_000)
        runs = [
            scale.beside_evidently(contract, rows[0], options.seed),
            scale.from_store(contract, rows[1], options.seed, options.out.parent / "scale"),
        ]
    for table in [*tables(results, streams, runs), *base_tables(bases), *newcomer_tables(others, alike), *slice_tables(groups)]:
        console.print(table)
    targets = compare(results, streams, runs, groups)
    console.print(target_table(targets))

    options.out.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "seed": options.seed,
        "short": options.short,
        "results": [result.report() for result in results],
        "concept": streams,
        "scale": runs,
        "same_base": bases,
        "newcomers": others,
        "newcomers_alike": alike,
        "by_slice": groups,
        "targets": targets,
    }
    options.out.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
    if results:
        draw(results, options.out.with_suffix(".png"))
    console.print(f"written to {options.out}")


def short_cells(seed: int) -> list[Cell]:
    """Give two small cells."""
    return [Cell("real", 200, None, 10, 1, seed), Cell("real", 500, "service calls", 5, 0, seed)]


def all_cells(wanted: Sequence[str], populations: Sequence[str], trials: int, seed: int) -> list[Cell]:
    """Give all cells, the largest first so that no process ends up alone with one."""
    fewer = trials // 5
    nulls = [Cell(population, rows, None, trials, 40, seed) for population in populations for rows in SIZES]
    shifts = [
        Cell(population, rows, shift, fewer, 20, seed) for population in populations for rows in SIZES[1:] for shift in SHIFTS
    ]
    cells = [*(nulls if "false-alarms" in wanted else ()), *(shifts if "shifts" in wanted else ())]
    return sorted(cells, key=lambda cell: -cell.trials * (cell.rows + 1_000))


def judge(cells: list[Cell], data: Path, jobs: int, console: Console, kept: Memory) -> list[Result]:
    """Run the cells side by side; those whose result was kept are not run again."""
    run, results = kept.cache(run_cell), []
    with Progress(console=console, transient=True) as progress:
        work = progress.add_task("judging", total=len(cells))
        for result in Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(run)(cell, data) for cell in cells):
            results.append(result)
            progress.advance(work)
    return sorted(results, key=lambda r: (r.cell.population, r.cell.shift or "", r.cell.rows))


def tables(results: list[Result], streams: list[dict[str, Any]], runs: list[dict[str, Any]]) -> list[Table]:
    """Show who alarmed how often, who heard a change when, and what a monitoring run cost."""
    found = []
    if results:
        table = Table(title="Share of windows with an alarm, at alpha 1 %", caption="without drift: the fewer the better")
        for heading in ("population", "change", "rows", OURS, *NAMES):
            table.add_column(heading, justify="right")
        for result in results:
            change = LABELS[result.cell.shift] if result.cell.shift else "none"
            rates = [f"{result.rate(who)[0]:.1%}" if result.trials[who] else "-" for who in (OURS, *NAMES)]
            table.add_row(result.cell.population, change, f"{result.cell.rows:,}", *rates)
        found.append(table)
    return found + [
        _plain(title, rows) for title, rows in (("Streams of outcomes", streams), ("What a monitoring run costs", runs)) if rows
    ]


def base_tables(bases: list[dict[str, Any]]) -> list[Table]:
    """Show what was said of a base that is scored every night: without a change, and with one."""
    calm, changed = ([row for row in bases if row["case"].startswith("none") is which] for which in (True, False))
    titles = ("The same base every night, without a change", "The same base every night, with a change on one of them")
    return [_plain(title, rows) for title, rows in zip(titles, (calm, changed), strict=True) if rows]


def newcomer_tables(others: list[dict[str, Any]], alike: list[dict[str, Any]]) -> list[Table]:
    """Show how soon it is found that only the newcomers of a base differ, and how often some differ that are of one kind."""
    # Without a change the figures are others.
    calm = [row for row in others if row["newcomers"].startswith("none")]
    found = [row for row in others if row not in calm]
    titles = {
        "Newcomers of one kind, 5 % of the base a month, at alpha 1 %": calm,
        "Only newcomers differ, 5 % of the base a month, at alpha 1 %": found,
        "Newcomers of one kind: share of comparisons with such a p-value": alike,
    }
    return [_plain(title, rows) for title, rows in titles.items() if rows]


def slice_tables(groups: list[dict[str, Any]]) -> list[Table]:
    """Show how often each alarmed on a change of a tenth of the customers, and without one."""
    return [_plain("A tenth of the customers: share of windows with an alarm, at alpha 1 %", groups)] if groups else []


def target_table(targets: list[dict[str, Any]]) -> Table:
    """Show what was asked for, and what was measured."""
    rows = [{**target, "reached": "reached" if target["reached"] else "MISSED"} for target in targets]
    return _plain("Targets", rows)


def _plain(title: str, rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    headings = list(dict.fromkeys(key for row in rows for key in row))
    for heading in headings:
        table.add_column(heading)
    for row in rows:
        table.add_row(*(_said(row.get(heading)) for heading in headings))
    return table


def _said(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
