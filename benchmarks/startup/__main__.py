"""Measure how long starting takes, beside the interpreter's own bare start: `python -m benchmarks.startup [--short]`.

Commands by their median, in a home of its own, on the data of CHURN_DATA; `churn up` from nothing once (it trains the first
model), and again on what that left. Prints a table, writes build/benchmarks/startup.json.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.startup.system import System
from churn.errors import ChurnError

OUT = Path("build/benchmarks/startup.json")
CHURN = (sys.executable, "-m", "pipelines.cli.main")
MAX_SECONDS = 300.0
BARE = (sys.executable, "-c", "pass")


def main() -> None:
    """Measure everything, print one table, write the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="how often each command is run (default 5)")
    parser.add_argument("--starts", type=int, default=3, help="how often the system is started again (default 3)")
    parser.add_argument("--short", action="store_true", help="everything once: to see that it works")
    parser.add_argument("--max-seconds", type=float, default=MAX_SECONDS, help="for a start, and for a stop (default 300)")
    parser.add_argument("--out", type=Path, default=OUT, help=f"where the figures go (default {OUT})")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="churn-startup-") as folder:
        home = Path(folder) / "home"
        repeats, starts = (1, 1) if told.short else (told.repeats, told.starts)
        try:
            found = measure_all(home, repeats, starts, told.max_seconds)
        except ChurnError as error:
            sys.exit(str(error))
    table = Table("what", "median, s", "of")
    for name, seconds in found.items():
        table.add_row(name, f"{statistics.median(seconds):.2f}", str(len(seconds)))
    Console(width=110).print(table)
    told.out.parent.mkdir(parents=True, exist_ok=True)
    told.out.write_bytes(orjson.dumps({"results": found}, option=orjson.OPT_INDENT_2))


def measure_commands(home: Path, repeats: int) -> dict[str, list[float]]:
    """Time what needs no running system.

    Parameters
    ----------
    home : Path
        CHURN_HOME; its registry is listed.
    repeats : int

    Returns
    -------
    dict of list of float
        Seconds of each run, by what was run.
    """
    here = {"CHURN_HOME": str(home)}
    return {
        "the interpreter's bare start": _timed(BARE, repeats),
        "churn --help": _timed((*CHURN, "--help"), repeats),
        "churn score --help": _timed((*CHURN, "score", "--help"), repeats),
        "churn model list, SQLite": _timed((*CHURN, "model", "list"), repeats, **here),
    }


def measure_all(home: Path, repeats: int, starts: int, max_seconds: float) -> dict[str, list[float]]:
    """Time `churn up` from nothing and again, each part of the latter, and the commands in between.

    Parameters
    ----------
    home : Path
        CHURN_HOME, not there yet.
    repeats, starts : int
    max_seconds : float
        For each start and each stop.

    Returns
    -------
    dict of list of float

    Raises
    ------
    ChurnError
        If something takes longer.
    """
    system = System(home, max_seconds)
    try:
        found = {"churn up, from nothing": [system.start()["everything"]]}
        mlflow = {"CHURN_HOME": str(home), "CHURN_TRACKING_URI": system.mlflow}
        over_http = _timed((*CHURN, "model", "list"), repeats, **mlflow)
    finally:
        system.stop()
    found = measure_commands(home, repeats) | {"churn model list, MLflow's server": over_http} | found
    for _ in range(starts):
        try:
            for part, seconds in system.start().items():
                found.setdefault(f"churn up, again: {part}", []).append(seconds)
        finally:
            system.stop()
    return found


def _timed(command: tuple[str, ...], repeats: int, **environment: str) -> list[float]:
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run(command, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, check=True, timeout=MAX_SECONDS)
        seconds.append(time.perf_counter() - started)
    return seconds


if __name__ == "__main__":
    main()
