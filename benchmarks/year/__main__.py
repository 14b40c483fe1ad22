"""Live through a year: `python -m benchmarks.year [--campaign] [--short] [--seed N] [--seeds N] [--customers N] [--only NAMES]`.

With --life NAMES [--rise DAY] the loop alone lives through other lives than the year's (`benchmarks/year/lives.py`), by 1,000
customers unless said otherwise. With --campaign everybody whom a model names is called, each month; results go to
year-campaign.jsonl.

Results are added to build/benchmarks/year.jsonl, a line a scenario and seed: a run that was broken off goes on where it was, and
more seeds are added. Prints a table a scenario, and the targets; without --campaign, draws a plot beside it.
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

from benchmarks.year.campaign import CAMPAIGN_SCENARIOS, run_campaign_scenario
from benchmarks.year.campaign_tables import campaign_table, campaign_targets
from benchmarks.year.lives import LIVES
from benchmarks.year.other_lives import live_lives
from benchmarks.year.picture import draw
from benchmarks.year.results import YearResult, read_results
from benchmarks.year.tables import scenario_table
from benchmarks.year.targets import compare, target_table, year_targets
from benchmarks.year.year import Live, run_scenario, run_seed
from churn.simulation.scenario import telecom_scenarios

OUT, CAMPAIGN_OUT = Path("build/benchmarks/year.json"), Path("build/benchmarks/year-campaign.json")
LIFE_OUT = Path("build/benchmarks/lives.jsonl")
SEED, CUSTOMERS, SHORT_CUSTOMERS = 1, 20_000, 1_000


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--campaign", action="store_true", help="every month's list is called")
    parser.add_argument("--life", help=f"other lives, comma-separated: {', '.join(LIVES)}")
    parser.add_argument("--rise", type=int, help="with --life: the day of a price rise")
    parser.add_argument("--short", action="store_true", help="one scenario, one seed, few customers, to see that it works")
    parser.add_argument("--seed", type=int, default=SEED, help="the first seed")
    parser.add_argument("--seeds", type=int, default=1, help="how many, from the first on")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--only", help="scenarios, comma-separated; by default all, and with --campaign calm and price-rise")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.life:
        seeds = range(options.seed, options.seed + options.seeds)
        customers = SHORT_CUSTOMERS if options.customers == CUSTOMERS else options.customers
        Console(width=150).print(live_lives(options.life.split(","), seeds, customers, options.rise, LIFE_OUT))
        return
    options.out = options.out or (CAMPAIGN_OUT if options.campaign else OUT)
    options.only = options.only or ",".join(CAMPAIGN_SCENARIOS if options.campaign else telecom_scenarios())
    scenarios, customers, seeds = (
        tuple(options.only.split(",")),
        options.customers,
        range(options.seed, options.seed + options.seeds),
    )
    if options.short:
        scenarios, customers, seeds = ("price-rise",), SHORT_CUSTOMERS, range(options.seed, options.seed + 1)
    lines = options.out.with_suffix(".jsonl")
    live = run_campaign_scenario if options.campaign else run_scenario
    results = live_through(scenarios, seeds, customers, lines, options.jobs, live)
    console = Console(width=150)
    for scenario in scenarios:
        mine = [result for result in results if result.scenario == scenario]
        console.print(campaign_table(mine) if options.campaign else scenario_table(mine))
    targets = compare(results, campaign_targets if options.campaign else year_targets)
    console.print(target_table(targets, 20 if options.campaign else 19))
    document = {"results": [asdict(result) for result in results], "targets": [asdict(target) for target in targets]}
    options.out.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")
    if not options.campaign:
        draw(results, options.out.with_suffix(".png"))
    console.print(f"written to {options.out.with_suffix('')}.*")


def live_through(
    scenarios: tuple[str, ...], seeds: range, customers: int, lines: Path, jobs: int, live: Live
) -> list[YearResult]:
    """Run what is not yet among the lines, and return all results of these scenarios and this size, of whichever seed.

    Parameters
    ----------
    scenarios : tuple of str
    seeds : range
    customers : int
    lines : Path
        Where results are kept.
    jobs : int
        Processes.
    live : callable
        `run_scenario`, or `run_campaign_scenario`.
    """
    done = {result.key for result in read_results(lines)}
    open_ = {seed: tuple(scenario for scenario in scenarios if (scenario, seed, customers) not in done) for seed in seeds}
    waiting = {seed: left for seed, left in open_.items() if left}
    with Progress(transient=True) as progress, ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        work = progress.add_task("living", total=len(waiting))
        futures = [pool.submit(run_seed, live, left, seed, customers, lines) for seed, left in waiting.items()]
        for future in as_completed(futures):
            future.result()
            progress.advance(work)
    known = [result for result in read_results(lines) if result.scenario in scenarios and result.customers == customers]
    return sorted(known, key=lambda result: (scenarios.index(result.scenario), result.seed))


if __name__ == "__main__":
    main()
