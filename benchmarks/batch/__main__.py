"""Compare batch scorers: `python -m benchmarks.batch [--short]`. Prints two tables, writes build/benchmarks/batch.json.

Files lie in the page cache: what is measured is processors. A file of a million customers is linked as often as needed, so that
fifty million need no room; its answers do (6 bytes a customer), and are deleted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.batch.baselines import BASELINES, CORES
from benchmarks.serving.fixture import Fixture, make_fixture

OUT = Path("build/benchmarks/batch.json")
FILE_ROWS, GROUP_ROWS = 1_000_000, 250_000
# Those that need no second look, and those that take a hundred times as long.
FAST_ROWS, SLOW_ROWS = 10_000_000, 2_000_000
FAST = ("churn score", "read and write, no scoring", "copy of all columns", "churn score, Dask")
# A short run leaves out who starts a cluster, or imports MLflow.
QUICK = ["churn score", "read and write, no scoring", "copy of all columns", "pandas + pipeline"]
MEMORY_ROWS = (1_000_000, 10_000_000, 50_000_000)
# Of every so many customers' columns one is missing.
GAP = 97
POLL_SECONDS = 0.02


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few thousand customers, to see that it works")
    parser.add_argument("--repeats", type=int, default=3, help="of the fast ones; the best counts (default 3)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    console = Console(width=130)
    with tempfile.TemporaryDirectory(prefix="churn-batch-") as name:
        folder = Path(name)
        fixture = make_fixture(folder / "home", "terms", short=options.short)
        file = write_file(
            fixture, folder / "million.parquet", 4_000 if options.short else FILE_ROWS, 1_000 if options.short else GROUP_ROWS
        )
        rows = pq.read_metadata(file).num_rows
        fast, slow = (2, 2) if options.short else (FAST_ROWS // rows, SLOW_ROWS // rows)
        names = QUICK if options.short else list(BASELINES)
        results = compare(fixture, file, names, fast, slow, 1 if options.short else options.repeats)
        console.print(race_table(results))
        counts = (1,) if options.short else tuple(count // rows for count in MEMORY_ROWS)
        memory = [measure(fixture, "churn score", links(folder, file, count), count * rows) for count in counts]
        console.print(memory_table(memory))
    document = {"cores": CORES, "file_rows": rows, "results": results, "memory": memory}
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(document, indent=2) + "\n")
    console.print(f"written to {options.out}")


def write_file(fixture: Fixture, path: Path, rows: int, group: int) -> Path:
    """Write invented customers with ids and gaps."""
    frame = fixture.customers(rows)
    for number, column in enumerate(frame.columns):
        gaps = frame.index % (GAP * len(frame.columns)) == number
        frame[column] = frame[column].mask(gaps)
    frame.insert(0, "customer_id", [f"c-{row:09d}" for row in range(rows)])
    pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path, row_group_size=group)
    return path


def links(folder: Path, file: Path, count: int) -> Path:
    """Make a folder that holds one file under many names."""
    source = folder / f"customers-{count}"
    if not source.exists():
        source.mkdir()
        for number in range(count):
            os.link(file, source / f"part-{number:04d}.parquet")
    return source


def compare(fixture: Fixture, file: Path, names: list[str], fast: int, slow: int, repeats: int) -> list[dict[str, Any]]:
    """Let all score, the fast ones more customers and in turns, so that a noisy minute hits all of them."""
    rows, quick = pq.read_metadata(file).num_rows, [name for name in names if name in FAST]
    rounds = [quick] * (repeats - 1) + [names]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for turn in rounds:
        for name in turn:
            count = fast if name in FAST else slow
            found[name].append(measure(fixture, name, links(file.parent, file, count), count * rows))
    best = [max(runs, key=lambda run: run["rows_per_second"]) for runs in found.values()]
    return [{**one, "runs": [run["rows_per_second"] for run in found[one["name"]]]} for one in best]


def measure(fixture: Fixture, name: str, source: Path, rows: int) -> dict[str, Any]:
    """Run one baseline in a process of its own; its answers are counted and deleted."""
    out = source.parent / "answers"
    known = {"home": str(fixture.home), "pipeline": str(fixture.pipeline), "mlflow_model": str(fixture.mlflow_model)}
    command = [sys.executable, "-m", "benchmarks.batch.baselines", name, str(source), str(out), json.dumps(known)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        most = watch(child)
        options, complaints = child.communicate()
    if child.returncode:
        raise SystemExit(f"{name} ended with {child.returncode}:\n{complaints}")
    whole = time.perf_counter() - start
    written = sum(pq.read_metadata(made).num_rows for made in out.rglob("*.parquet"))
    assert written == rows, f"{name} wrote {written} of {rows} rows"
    size = sum(made.stat().st_size for made in out.rglob("*.parquet"))
    shutil.rmtree(out)
    told = json.loads(options.splitlines()[-1])
    seconds, cpu = told["seconds"], told["cpu_seconds"]
    return {
        "name": name,
        "rows": rows,
        "seconds": seconds,
        "rows_per_second": rows / seconds,
        "rows_per_core_second": None if cpu is None else rows / cpu,
        "whole_process_seconds": whole,
        "peak_mb": most / 2**20,
        "bytes_per_answer": size / rows,
    }


def watch(child: subprocess.Popen[str]) -> int:
    """Give the most memory (RSS, bytes) that a process and its children had together."""
    most, process = 0, psutil.Process(child.pid)
    while child.poll() is None:
        with suppress(psutil.NoSuchProcess):
            most = max(most, sum(one.memory_info().rss for one in [process, *process.children(recursive=True)]))
        time.sleep(POLL_SECONDS)
    return most


def race_table(results: list[dict[str, Any]]) -> Table:
    """Show who scored how fast."""
    bare = next(one for one in results if one["name"] == "read and write, no scoring")["rows_per_second"]
    table = Table(
        title=f"Parquet to Parquet on {CORES} cores, 20 columns in", caption="of bare: beside reading and writing alone"
    )
    for heading in ("", "rows", "rows/s", "of bare", "rows/s of CPU", "all runs, million rows/s", "peak MB"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for one in results:
        runs = " ".join(f"{run / 1e6:.2f}" for run in one["runs"])
        share = f"{one['rows_per_second'] / bare:.0%}"
        each = "" if one["rows_per_core_second"] is None else f"{one['rows_per_core_second']:,.0f}"
        counted = f"{one['rows']:,}", f"{one['rows_per_second']:,.0f}"
        table.add_row(one["name"], *counted, share, each, runs, f"{one['peak_mb']:.0f}")
    return table


def memory_table(results: list[dict[str, Any]]) -> Table:
    """Show that memory does not grow with the rows."""
    table = Table(title="churn score: memory by rows")
    for heading in ("rows", "seconds", "rows/s", "peak MB", "bytes an answer"):
        table.add_column(heading, justify="right")
    for one in results:
        cells = f"{one['rows']:,}", f"{one['seconds']:.2f}", f"{one['rows_per_second']:,.0f}"
        table.add_row(*cells, f"{one['peak_mb']:.0f}", f"{one['bytes_per_answer']:.1f}")
    return table


if __name__ == "__main__":
    main()
