"""Failure modes: `python -m benchmarks.chaos [--short] [--only NAME,...] [--minutes N] [--out FILE]`.

Injects each fault into real processes under load, prints what was lost, writes build/benchmarks/chaos.json. Exit code 1 if a
promise was broken.
"""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import benchmarks.chaos
from benchmarks.chaos.scenarios import SCENARIOS, Row, Size
from churn.errors import ChurnError

OUT = Path("build/benchmarks/chaos.json")
HEADINGS = ("", "faults", "requests", "failed", "cut off", "lost", "duplicated", "promises")


def main() -> int:
    """Run it."""
    for module in pkgutil.iter_modules(benchmarks.chaos.__path__):
        if not module.name.startswith("__"):
            importlib.import_module(f"benchmarks.chaos.{module.name}")
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--short", action="store_true", help="as few faults as show that the promises hold")
    parser.add_argument("--only", default=",".join(SCENARIOS), help=f"of {', '.join(SCENARIOS)}")
    parser.add_argument("--minutes", type=float, help="how long the soak lasts (default 30, short 0.2)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    unknown = set(options.only.split(",")) - set(SCENARIOS)
    if unknown:
        parser.error(f"no such scenario: {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    minutes = options.minutes or (0.2 if options.short else 30.0)
    # A pipe has no width of its own; the table needs this much.
    console = Console(width=None if sys.stdout.isatty() else 130)
    rows: list[Row] = []
    for name in options.only.split(","):
        console.print(f"[dim]{name}[/dim]", highlight=False)
        with tempfile.TemporaryDirectory(prefix="churn-chaos-") as work:
            try:
                row = SCENARIOS[name](Size(Path(work), options.short, minutes))
            except ChurnError as error:
                row = Row(name, broken=[f"not run: {error}"])
        rows.append(row)
        _write(options.out, options.short, rows)
    console.print(table(rows))
    for row in rows:
        for text in [*row.broken, *filter(None, [row.note])]:
            console.print(f"{row.name}: {escape(text)}", highlight=False)
    console.print(f"written to {options.out}")
    return int(any(row.broken for row in rows))


def table(rows: Sequence[Row]) -> Table:
    """Show what came of each scenario."""
    shown = Table(title="Failure modes")
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading in ("", "promises") else "right", no_wrap=True)
    for row in rows:
        counts = (row.faults, row.made, row.failed, row.cut, row.lost, row.duplicated)
        shown.add_row(row.name, *(f"{count:,}" for count in counts), f"{len(row.broken)} broken" if row.broken else "kept")
    return shown


def _write(out: Path, short: bool, rows: Sequence[Row]) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"short": short, "results": [row.report() for row in rows]}, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
