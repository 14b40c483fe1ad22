"""Live through a year: `python -m benchmarks.year [--short] [--seed N] [--seeds N] [--customers N] [--only WORLDS]`.

Results are added to build/benchmarks/year.jsonl, a line a world and seed: a run that was broken off goes on where it was, and
more seeds are added. Prints a table a world, and what issue 19 asks; draws a plot beside it.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from benchmarks.year.picture import draw
from benchmarks.year.results import YearResult, read_results
from benchmarks.year.tables import world_table
from benchmarks.year.targets import compare, target_table
from benchmarks.year.year import run_seed
from churn.simulation.world import telecom_worlds

OUT = Path("build/benchmarks/year.json")
SEED, SHORT_CUSTOMERS = 1, 3_000


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--short", action="store_true", help="one world, one seed, few customers, to see that it works")
    parser.add_argument("--seed", type=int, default=SEED, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from the first on")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--only", default=",".join(telecom_worlds()), help="worlds, comma-separated")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    worlds, customers, seeds = (
        tuple(options.only.split(",")),
        options.customers,
        range(options.seed, options.seed + options.seeds),
    )
    if options.short:
        worlds, customers, seeds = ("price-rise",), SHORT_CUSTOMERS, range(options.seed, options.seed + 1)
    lines = options.out.with_suffix(".jsonl")
    results = live_through(worlds, seeds, customers, lines, options.jobs)
    console = Console(width=130)
    for world in worlds:
        console.print(world_table([result for result in results if result.world == world]))
    targets = compare(results)
    console.print(target_table(targets))
    document = {"results": [asdict(result) for result in results], "targets": [asdict(target) for target in targets]}
    options.out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    draw(results, options.out.with_suffix(".png"))
    console.print(f"written to {options.out}, .jsonl and .png")


def live_through(worlds: tuple[str, ...], seeds: range, customers: int, lines: Path, jobs: int) -> list[YearResult]:
    """Run what is not yet among the lines, and return all results of these worlds and this size, of whichever seed.

    Parameters
    ----------
    worlds : tuple of str
    seeds : range
    customers : int
    lines : Path
        Where results are kept.
    jobs : int
        Processes.
    """
    done = {result.key for result in read_results(lines)}
    open_ = {seed: tuple(world for world in worlds if (world, seed, customers) not in done) for seed in seeds}
    waiting = {seed: left for seed, left in open_.items() if left}
    with Progress(transient=True) as progress, ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        work = progress.add_task("living", total=len(waiting))
        futures = [pool.submit(run_seed, left, seed, customers, lines) for seed, left in waiting.items()]
        for future in as_completed(futures):
            future.result()
            progress.advance(work)
    known = [result for result in read_results(lines) if result.world in worlds and result.customers == customers]
    return sorted(known, key=lambda result: (worlds.index(result.world), result.seed))


if __name__ == "__main__":
    main()
