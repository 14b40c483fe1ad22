"""What it costs to have SQLite wait for the disk at each commit of the prediction log: `synchronous=FULL` beside `NORMAL`.

    python -m benchmarks.synchronous [--short] [--seconds N] [--folder DIR] [--out FILE]

The prediction log's own writer commits groups of predictions, by turns with each setting, so that whatever else the machine does
meets both. Compare the ratios; the times are those of this disk. See docs/adr/0026.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from churn.clock import now
from churn.ids import new_id
from churn.store.predictions.sqlite_writer import SqliteRowWriter
from churn.store.records import TIME_FORMAT, PredictionRow
from churn.store.store import Store

OUT = Path("build/benchmarks/synchronous.json")
SETTINGS = ("NORMAL", "FULL")
# Predictions that share a commit: one client, some clients, many clients, a batch.
GROUPS = (1, 8, 32, 1_000)
FEATURES = '{"day_minutes": 180.5, "customer_service_calls": 1, "international_plan": "no"}'


def make_rows(number: int) -> list[PredictionRow]:
    """Return predictions as they are logged."""
    at = now().strftime(TIME_FORMAT)
    return [PredictionRow(new_id(), None, at, "1", 0.25, 0.5, False, FEATURES) for _ in range(number)]


def measure(folder: Path, group: int, seconds: float) -> dict[str, tuple[float, float, float]]:
    """Commit groups with each setting by turns.

    Parameters
    ----------
    folder : Path
        Where the files are made.
    group : int
        Rows a commit.
    seconds : float
        How long, for both together.

    Returns
    -------
    dict of str to (float, float, float)
        For each setting the median of a commit's milliseconds, its CPU milliseconds, and its rows a second.
    """
    writers, times, cpu = {}, {name: list[float]() for name in SETTINGS}, dict.fromkeys(SETTINGS, 0.0)
    for name in SETTINGS:
        file = folder / f"{name}-{group}.db"
        Store.open(f"sqlite:///{file}").close()
        writers[name] = SqliteRowWriter(file, 15.0)
        writers[name]._connected().execute(f"PRAGMA synchronous={name}")
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name, writer in writers.items():
            rows = make_rows(group)
            begun, used = time.perf_counter(), time.process_time()
            writer.write(rows)
            times[name].append(time.perf_counter() - begun)
            cpu[name] += time.process_time() - used
    for writer in writers.values():
        writer.close()
    return {
        name: (1e3 * statistics.median(took), 1e3 * cpu[name] / len(took), group * len(took) / sum(took))
        for name, took in times.items()
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each size of a commit")
    parser.add_argument("--short", action="store_true", help="a fifth of a second each, to see that it works")
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--folder", type=Path, help="on the disk that is meant; default: the temporary folder")
    asked = parser.parse_args()
    results: list[dict[str, object]] = []
    table = Table("rows a commit", "setting", "ms (median)", "CPU ms", "rows/s", "rows/s beside NORMAL")
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        for group in GROUPS:
            found = measure(Path(folder), group, 0.2 if asked.short else asked.seconds)
            for name, (took, used, rate) in found.items():
                share = rate / found["NORMAL"][2]
                results.append({"rows": group, "setting": name, "ms": took, "cpu_ms": used, "rows_per_second": rate})
                table.add_row(f"{group:,}", name, f"{took:.2f}", f"{used:.2f}", f"{rate:,.0f}", f"{share:.2f}")
    Console().print(table)
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(json.dumps({"results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
