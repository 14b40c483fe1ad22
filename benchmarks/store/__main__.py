"""Ask everything of a store of millions of predictions on PostgreSQL: `python -m benchmarks.store [--rows N] [--short]`.

Prints how long each question takes and by which indexes, bytes a prediction, and inserts a second; fails if any of the questions
reads all predictions. Writes all plans to build/benchmarks/store.json. Needs PostgreSQL's server programs.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.store.filling import feature_texts, fill, sizes
from benchmarks.store.inserts import measure_inserts
from benchmarks.store.plans import Asked, Watch
from benchmarks.store.questions import questions
from benchmarks.store.server import postgres
from churn.contract import load_contract
from churn.store.store import Store

OUT = Path("build/benchmarks/store.json")
SEED = 17
LARGEST_WINDOW, GATE_ROWS = 1_000_000, 200_000


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.store", description=__doc__)
    parser.add_argument("--rows", type=int, default=3_000_000, help="predictions (default 3,000,000)")
    parser.add_argument("--short", action="store_true", help="few rows, and only whether indexes serve, to see that it works")
    parser.add_argument("--folder", type=Path, help="where the database's files go (default: the system's temporary folder)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = min(options.rows, 20_000) if options.short else options.rows
    console = Console(width=None if sys.stdout.isatty() else 150)
    contract = load_contract()
    texts = feature_texts(contract, SEED)
    with postgres(options.folder) as url:
        store = Store.open(url)
        started = time.perf_counter()
        with console.status(f"filling {rows:,} predictions"):
            fill(store, texts, rows)
        console.print(f"{rows:,} predictions filled in {time.perf_counter() - started:.0f} s")
        bytes_each = sizes(store, rows)
        # Of a small table all is read sooner than by any index: there it only counts whether an index serves at all.
        watch = Watch(store, without_seqscan=options.short)
        window = min(LARGEST_WINDOW, rows // 4)
        asked = [watch.ask(*one) for one in questions(store, contract, window=window, gate_rows=min(GATE_ROWS, rows // 20))]
        store.close()
        written = list(measure_inserts(url, texts, 0.2 if options.short else 5.0))
    console.print(_questions_table(asked, rows))
    console.print(_sizes_table(bytes_each))
    console.print(_inserts_table(written))
    whole = [one.name for one in asked if any(plan.scanned_whole("predictions") for plan in one.plans)]
    document: dict[str, Any] = {
        "rows": rows,
        "window": window,
        "bytes": bytes_each,
        "inserts": written,
        "results": [
            {
                "name": a.name,
                "seconds": a.seconds,
                "rows": a.rows,
                "plans": [vars(plan) | {"pages": plan.pages} for plan in a.plans],
            }
            for a in asked
        ],
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"written to {options.out}")
    silent = [one.name for one in asked if not one.plans]
    if whole or silent:
        sys.exit(f"read all predictions: {whole}; told no plan: {silent}")


def _questions_table(asked: list[Asked], rows: int) -> Table:
    table = Table(title=f"What is asked of {rows:,} predictions", caption="in PostgreSQL: sum of its statements; pages of 8 KiB")
    for name in ("question", "rows", "s in all", "ms in PostgreSQL", "pages", "by"):
        table.add_column(name, justify="left" if name in ("question", "by") else "right")
    for one in asked:
        table.add_row(
            one.name,
            "" if one.rows is None else f"{one.rows:,}",
            f"{one.seconds:.3f}",
            f"{sum(plan.milliseconds for plan in one.plans):,.1f}",
            f"{sum(plan.pages for plan in one.plans):,}",
            ", ".join(sorted(set().union(*(plan.ways() for plan in one.plans)))),
        )
    return table


def _sizes_table(bytes_each: dict[str, float]) -> Table:
    table = Table("bytes a row", "", title="On disk")
    for name, size in bytes_each.items():
        table.add_row(name, f"{size:,.1f}")
    return table


def _inserts_table(written: list[dict[str, Any]]) -> Table:
    table = Table("rows a commit", "services", "commits/s", "rows/s", title="Written, each commit synced to the disk")
    for case in written:
        table.add_row(*(f"{case[name]:,.0f}" for name in ("group", "writers", "commits_per_second", "rows_per_second")))
    return table


if __name__ == "__main__":
    main()
