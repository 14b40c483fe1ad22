"""The serving race: `python -m benchmarks.serving [--short] [--form terms|plain] [--only SCENE,...] [--out FILE]`.

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

from benchmarks.serving import scenes
from benchmarks.serving.contestants import BARE, DATAFRAME, MLFLOW, NO_MODEL, OURS
from benchmarks.serving.targets import Target, targets
from benchmarks.serving.world import make_world
from churn.errors import ChurnError

OUT = Path("build/benchmarks/serving.json")
SCENES = ("single", "batch", "columnar", "reasons", "start", "memory", "workers")
# The others start the same servers again.
SHORT_SCENES = ("single", "batch", "columnar", "start")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--short", action="store_true", help="no peers, a second each: to see that it works")
    parser.add_argument("--form", choices=["terms", "plain"], default="terms", help="of the model that all serve (default terms)")
    parser.add_argument("--only", default=",".join(SCENES), help=f"of {', '.join(SCENES)}")
    parser.add_argument("--requests", type=int, default=1_000_000, help="for the memory scene (default a million)")
    parser.add_argument("--out", type=Path, default=OUT)
    said = parser.parse_args()
    # A pipe has no width of its own; the tables need this much.
    console = Console(width=None if sys.stdout.isatty() else 120)
    short = said.short
    wanted = [scene for scene in said.only.split(",") if not short or scene in SHORT_SCENES]
    if shutil.which("wrk") is None:
        console.print("wrk is missing (apt-get install wrk): only what needs none is measured")
        wanted = [scene for scene in wanted if scene in ("columnar", "start")]

    def say(what: str) -> None:
        console.print(f"[dim]{what}[/dim]", highlight=False)

    with tempfile.TemporaryDirectory(prefix="churn-serving-") as name:
        work = Path(name)
        say("training the model that everybody serves")
        world = make_world(work / "home", said.form, short=short)
        seconds, repeats, peers = (1, 1, False) if short else (5, 3, True)
        run: dict[str, Callable[[], Any]] = {
            "single": lambda: scenes.single_answers(world, work, say, seconds=seconds, repeats=repeats, peers=peers),
            "batch": lambda: scenes.json_batches(
                world, work, say, rows=500 if short else 10_000, seconds=2 * seconds, peers=peers
            ),
            "columnar": lambda: scenes.columnar_batches(world, work, rows=5_000 if short else 500_000),
            "reasons": lambda: scenes.reasons(world, work, seconds=seconds, repeats=repeats),
            "start": lambda: scenes.starts(world, work),
            "memory": lambda: scenes.memory(world, work, say, requests=2_000 if short else said.requests),
            "workers": lambda: scenes.workers(world, work, say, seconds=seconds),
        }
        results: dict[str, Any] = {}
        for scene in wanted:
            try:
                results[scene] = run[scene]()
            except ChurnError as error:
                console.print(f"[red]{scene}: {error}[/red]")
                results[scene] = {"failed": str(error)}
    show(console, results)
    met = targets(results)
    console.print(target_table(met))
    document = {**scenes.machine(), "form": said.form, "short": short, "results": results, "targets": [t.report() for t in met]}
    said.out.parent.mkdir(parents=True, exist_ok=True)
    said.out.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"written to {said.out}")


def show(console: Console, results: dict[str, Any]) -> None:
    """Print what was measured."""
    if isinstance(single := results.get("single"), list):
        console.print(single_table(single))
    for scene in ("batch", "columnar"):
        if isinstance(found := results.get(scene), list):
            table = Table(title={"batch": "dataframe_split as JSON", "columnar": "columnar bodies, a core"}[scene])
            for heading in ("", "rows/s"):
                table.add_column(heading, justify="left" if not heading else "right")
            for one in found:
                table.add_row(one["name"], f"{one['rows_per_second']:,.0f}" if "rows_per_second" in one else one["failed"])
            console.print(table)
    for scene in ("reasons", "start", "workers"):
        if scene in results:
            console.print(scene, results[scene])
    if "start_mb" in (found := results.get("memory", {})):
        console.print(f"memory: {found['start_mb']:.0f} MB after the start, {found['end_mb']:.0f} MB at the end")


def single_table(single: list[dict[str, Any]]) -> Table:
    """Show the race for single answers."""
    table = Table(title="One customer a request, one worker, 32 connections")
    for heading in ("", "requests/s", "of bare", "p50 ms", "p99 ms", "1 conn. p50 ms", "ready s", "RSS MB"):
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
