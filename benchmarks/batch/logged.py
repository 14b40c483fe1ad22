"""Score a file and log it: `python -m benchmarks.batch.logged [--short] [--customers N]`, into SQLite and into PostgreSQL.

`churn score FILE ANSWERS --log` runs as a person runs it, on an empty store each time. CPU is that of the command, of its
children, and not of PostgreSQL's server, which is one of its own on the same machine. Writes build/benchmarks/batch-logged.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from benchmarks.batch.__main__ import FILE_ROWS, write_file
from benchmarks.serving.fixture import Fixture, environment, make_fixture
from churn.store.store import Store
from churn.store.tables import predictions
from tools.postgres import NotHere, running_cluster

OUT = Path("build/benchmarks/batch-logged.json")
SHORT_ROWS = 4_000
POLL_SECONDS = 0.05
AIM_SECONDS = 60.0


@dataclass(frozen=True)
class Logged:
    """One run.

    Attributes
    ----------
    database : str
    customers : int
        Scored and logged.
    seconds, cpu_seconds : float
        By the clock, and of the command's processors, from its start to its end.
    memory_mb : float
        Most resident memory that was seen.
    """

    database: str
    customers: int
    seconds: float
    cpu_seconds: float
    memory_mb: float


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch.logged", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a quickly trained model and few customers")
    parser.add_argument("--customers", type=int, help="a million, or with --short a few thousand")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    rows = options.customers or (SHORT_ROWS if options.short else FILE_ROWS)
    console = Console(width=110)
    results = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="churn-logged-")))
        fixture = make_fixture(folder / "home", "terms", short=options.short)
        file = write_file(fixture, folder / "customers.parquet", rows, max(rows // 4, 1))
        results.append(measure(fixture, file, "SQLite", f"sqlite:///{folder / 'logged.db'}", rows))
        try:
            url = stack.enter_context(stack.enter_context(running_cluster()).database())
        except NotHere as error:
            console.print(f"PostgreSQL is left out: it {error}", markup=False)
        else:
            results.append(measure(fixture, file, "PostgreSQL", url, rows))
    console.print(table_of(results))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"results": [asdict(one) for one in results]}, indent=1) + "\n")
    console.print(f"written to {options.out}")


def measure(fixture: Fixture, file: Path, database: str, url: str, rows: int) -> Logged:
    """Score and log a file into an empty store.

    Parameters
    ----------
    fixture : Fixture
    file : Path
    database, url : str
        What it is called, and where it is.
    rows : int
        Customers of the file: all must be there in the end.

    Returns
    -------
    Logged
    """
    answers = file.with_name(f"answers-{database}.parquet")
    arguments = ["score", str(file), str(answers), "--log", "--json"]
    command = [sys.executable, "-m", "pipelines.cli.main", *arguments]
    began, before = time.perf_counter(), os.times()
    child = psutil.Popen(command, env=environment(fixture, 0) | {"CHURN_STORE_URL": url})
    most = 0
    while child.poll() is None:
        try:
            most = max(most, child.memory_info().rss)
        except psutil.Error:
            break
        time.sleep(POLL_SECONDS)
    if child.wait():
        raise SystemExit(f"{database}: `churn score --log` ended with {child.returncode}")
    seconds, after = time.perf_counter() - began, os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    store = Store.open(url)
    with store.engine.connect() as connection:
        stored = connection.execute(sa.select(sa.func.count()).select_from(predictions)).scalar_one()
    store.close()
    if stored != rows:
        raise SystemExit(f"{database}: {stored:,} of {rows:,} customers are in the log")
    return Logged(database, rows, round(seconds, 1), round(cpu, 1), round(most / 2**20))


def table_of(results: list[Logged]) -> Table:
    """Show runs.

    Parameters
    ----------
    results : list of Logged
    """
    table = Table(title=f"churn score --log; aimed at are {AIM_SECONDS:.0f} s for a million customers into SQLite")
    for heading in ("into", "customers", "seconds", "CPU seconds", "customers/s", "memory MB"):
        table.add_column(heading, justify="left" if heading == "into" else "right")
    for one in results:
        speed = f"{one.customers / one.seconds:,.0f}"
        table.add_row(one.database, f"{one.customers:,}", f"{one.seconds}", f"{one.cpu_seconds}", speed, f"{one.memory_mb:,.0f}")
    return table


if __name__ == "__main__":
    main()
