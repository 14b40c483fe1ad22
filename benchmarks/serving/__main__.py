"""Compare servers: `python -m benchmarks.serving [--short] [--form terms|plain] [--only SCENARIO,...] [--out FILE]`.

Installs the peers once under .peers/, runs everything in one sitting, prints tables, writes build/benchmarks/serving.json.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.serving import race, scenarios
from benchmarks.serving.baselines import BARE, DATAFRAME, MLFLOW, NO_MODEL, OURS
from benchmarks.serving.fixture import make_fixture
from benchmarks.serving.targets import Target, targets
from churn.errors import ChurnError

OUT = Path("build/benchmarks/serving.json")
SCENARIOS = ("single", "batch", "columnar", "reasons", "start", "memory", "workers")
# The others start the same servers again.
SHORT_SCENARIOS = ("single", "batch", "columnar", "start")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--short", action="store_true", help="no peers, a second each: to see that it works")
    parser.add_argument("--form", choices=["terms", "plain"], default="terms", help="of the model that all serve (default terms)")
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--requests", type=int, default=500_000, help="for the memory scenario (default 500,000)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    # A pipe has no width of its own; the tables need this much.
    console = Console(width=None if sys.stdout.isatty() else 120)
    short = options.short
    wanted = [scenario for scenario in options.only.split(",") if not short or scenario in SHORT_SCENARIOS]
    if shutil.which("wrk") is None:
        console.print("wrk is missing (apt-get install wrk): only what needs none is measured")
        wanted = [scenario for scenario in wanted if scenario in ("columnar", "start")]

    def announce(what: str) -> None:
        console.print(f"[dim]{what}[/dim]", highlight=False)

    with tempfile.TemporaryDirectory(prefix="churn-serving-") as name:
        work = Path(name)
        announce("training the model that everybody serves")
        fixture = make_fixture(work / "home", options.form, short=short)
        announce(f"it was trained on {fixture.trained_on}")
        seconds, repeats, peers = (1, 1, False) if short else (4, 3, True)
        run: dict[str, Callable[[], Any]] = {
            "single": lambda: race.single_answers(fixture, work, announce, seconds=seconds, repeats=repeats, peers=peers),
            "batch": lambda: scenarios.json_batches(
                fixture, work, announce, rows=500 if short else 10_000, seconds=2 * seconds, peers=peers
            ),
            "columnar": lambda: scenarios.columnar_batches(fixture, work, rows=5_000 if short else 500_000),
            "reasons": lambda: scenarios.reasons(fixture, work, seconds=seconds, repeats=repeats),
            "start": lambda: scenarios.starts(fixture, work),
            "memory": lambda: scenarios.memory(fixture, work, announce, requests=2_000 if short else options.requests),
            "workers": lambda: scenarios.workers(fixture, work, announce, seconds=seconds),
        }
        results: dict[str, Any] = {}
        for scenario in wanted:
            try:
                results[scenario] = run[scenario]()
            except ChurnError as error:
                console.print(f"[red]{scenario}: {error}[/red]")
                results[scenario] = {"failed": str(error)}
    show(console, results)
    met = targets(results)
    console.print(target_table(met))
    document = {
        **scenarios.machine(),
        "form": options.form,
        "short": short,
        "trained_on": fixture.trained_on,
        "results": results,
        "targets": [t.report() for t in met],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"written to {options.out}")


def show(console: Console, results: dict[str, Any]) -> None:
    """Print what was measured."""
    if isinstance(single := results.get("single"), list):
        console.print(single_table(single))
    for scenario in ("batch", "columnar"):
        if isinstance(found := results.get(scenario), list):
            table = Table(title={"batch": "dataframe_split as JSON", "columnar": "columnar bodies, a core"}[scenario])
            for heading in ("", "rows/s"):
                table.add_column(heading, justify="left" if not heading else "right")
            for one in found:
                table.add_row(one["name"], f"{one['rows_per_second']:,.0f}" if "rows_per_second" in one else one["failed"])
            console.print(table)
    if "cost" in (found := results.get("reasons", {})):
        console.print(
            f"reasons: {found['with_reasons']:,.0f}/s with three, {found['plain']:,.0f}/s without: {found['cost']:.0%} of the "
            f"throughput; CPU {found['with_reasons_cpu_us']:.1f} and {found['plain_cpu_us']:.1f} µs an answer"
        )
    for scenario in ("start", "workers"):
        if scenario in results:
            console.print(scenario, results[scenario])
    if "start_mb" in (found := results.get("memory", {})):
        console.print(f"memory: {found['start_mb']:.0f} MB after the start, {found['end_mb']:.0f} MB at the end")


def single_table(single: list[dict[str, Any]]) -> Table:
    """Show the race for single answers."""
    table = Table(title="One customer a request, one worker, 32 connections")
    for heading in ("", "requests/s", "of bare", "p50 ms", "p99 ms", "1 conn. p50", "CPU µs", "ready s", "RSS MB"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    bare = next((one["rate"] for one in single if one["name"] == BARE and "rate" in one), float("nan"))
    order = [BARE, NO_MODEL, OURS, DATAFRAME, MLFLOW]
    for one in sorted(single, key=lambda one: order.index(one["name"]) if one["name"] in order else len(order)):
        if "failed" in one:
            table.add_row(one["name"], "failed", one["failed"][:60])
            continue
        table.add_row(
            one["name"],
            f"{one['rate']:,.0f}",
            f"{one['rate'] / bare:.3f}",
            f"{one['p50_ms']:.2f}",
            f"{one['p99_ms']:.2f}",
            f"{one['one_connection_p50_ms']:.3f}",
            f"{one['cpu_us']:.1f}",
            f"{one['ready_seconds']:.1f}",
            f"{one['rss_mb']:.0f}",
        )
    return table


def target_table(met: list[Target]) -> Table:
    """Show what was aimed at, and what was reached."""
    table = Table(title="Aims")
    for heading in ("", "aim", "measured", ""):
        table.add_column(heading)
    for target in met:
        table.add_row(target.name, target.aim, target.measured, "met" if target.met else "[bold]not met[/bold]")
    return table


if __name__ == "__main__":
    main()
