"""Compare `churn score` with bare reading and writing, format by format: `python -m benchmarks.batch.formats [--short]`.

Bare means: pyarrow reads the same columns of the same file, and writes as many answers, with the same columns and compression,
from numbers that were there before, with as many digits; no value is looked at. Both use two threads and take turns in one
process. Ratios of a turn are compared: their median, least and largest are shown, and the median of those of CPU time. Prints a
table, writes build/benchmarks/formats.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from benchmarks.batch.__main__ import GROUP_ROWS, links, write_file
from benchmarks.batch.baselines import CORES, known_answers, load_scorer, read_and_write
from benchmarks.serving.fixture import make_fixture
from churn.batch.answer_file import COMPRESSION, REPEATED
from churn.batch.pieces import PIECE_ROWS
from churn.batch.plan import Terms
from churn.batch.run import on_threads, score_folder
from churn.batch.single_file import score_file

OUT = Path("build/benchmarks/formats.json")
ROWS, SHORT_ROWS = 500_000, 4_000
# Columns of others in a wide file, which nobody reads.
OTHERS = 40
FILES = 4


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch.formats", description=__doc__)
    parser.add_argument("--short", action="store_true", help="a few thousand customers, to see that it works")
    parser.add_argument("--turns", type=int, default=5, help="of both, one after the other (default 5)")
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    console = Console(width=130)
    pa.set_cpu_count(CORES)
    with tempfile.TemporaryDirectory(prefix="churn-formats-") as name:
        folder = Path(name)
        fixture = make_fixture(folder / "home", "terms", short=options.short)
        rows = SHORT_ROWS if options.short else ROWS
        narrow = write_file(fixture, folder / "narrow.parquet", rows, GROUP_ROWS // 2)
        scorer = load_scorer({"home": str(fixture.home)})
        results = [compare(scorer, folder, *case, options.turns) for case in cases(folder, narrow)]
        console.print(table_of(results))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"cores": CORES, "rows": rows, "results": results}, indent=2) + "\n")


def cases(folder: Path, narrow: Path) -> Iterator[tuple[str, Path, str]]:
    """Give what is compared: its name, its input, and the ending of its output (empty: a folder)."""
    table = pq.read_table(narrow)
    drawn = np.random.default_rng(1).random(table.num_rows)
    wide = table
    for number in range(OTHERS):
        wide = wide.append_column(f"other_{number}", pa.array(np.round(drawn + number, 3)))
    pq.write_table(wide, folder / "wide.parquet", row_group_size=GROUP_ROWS // 2)
    pa.csv.write_csv(table, folder / "quoted.csv")
    for name, columns in (("narrow", table), ("wide", wide)):
        pa.csv.write_csv(columns, folder / f"{name}.csv", pa.csv.WriteOptions(quoting_style="none"))
    yield f"{FILES} Parquet files → a folder", links(folder, narrow, FILES), ""
    yield "Parquet → a folder", narrow, ""
    yield f"Parquet, {OTHERS} other columns → a folder", folder / "wide.parquet", ""
    yield "Parquet → Parquet, one file each", narrow, ".parquet"
    yield "Parquet → CSV", narrow, ".csv"
    yield "CSV → a folder", folder / "narrow.csv", ""
    yield "CSV → CSV", folder / "narrow.csv", ".csv"
    yield "CSV with quotes → CSV", folder / "quoted.csv", ".csv"
    yield f"CSV, {OTHERS} other columns → CSV", folder / "wide.csv", ".csv"


def compare(scorer: Any, folder: Path, name: str, source: Path, ending: str, turns: int) -> dict[str, Any]:
    """Let both work, in turns."""
    out, columns = folder / f"answers{ending}", pq.read_schema(folder / "narrow.parquet").names
    into = score_file if ending else score_folder

    def ours() -> None:
        into(scorer, source, out, Terms(), on_threads(CORES))

    def bare() -> None:
        if source.is_dir():
            read_and_write(source, out, {})
        elif source.suffix == ".csv":
            options = pa.csv.ConvertOptions(include_columns=columns)
            write(out, iter(pa.csv.read_csv(source, convert_options=options).to_batches(PIECE_ROWS)))
        else:
            with pq.ParquetFile(source, read_dictionary=["state", "area_code"]) as file:
                write(out, file.iter_batches(PIECE_ROWS, columns=columns, use_threads=True))

    files = len(list(source.iterdir())) if source.is_dir() else 1
    rows = files * pq.read_metadata(folder / "narrow.parquet").num_rows
    times = [(timed(bare, out), timed(ours, out)) for _ in range(turns + 1)][1:]
    ratios = sorted(one / other for (one, _), (other, _) in times)
    found = {"bare": rows / median(one for (one, _), _ in times), "ours": rows / median(other for _, (other, _) in times)}
    by_cpu = median(one / other for (_, one), (_, other) in times)
    return {
        "name": name,
        "rows": rows,
        **found,
        "ratio": median(ratios),
        "least": ratios[0],
        "largest": ratios[-1],
        "cpu": by_cpu,
    }


def write(out: Path, batches: Iterator[Any]) -> None:
    """Write answers that were there before, one for each row that was read."""
    schema, answers = known_answers()
    staging, writer = out, None
    if not out.suffix:
        out.mkdir()
        staging = out / "answers.parquet"
    if out.suffix == ".csv":
        writer = pa.csv.CSVWriter(staging, schema, write_options=pa.csv.WriteOptions(quoting_style="none", quoting_header="none"))
    else:
        writer = pq.ParquetWriter(staging, schema, compression=COMPRESSION, use_dictionary=REPEATED)
    with writer:
        for batch in batches:
            writer.write_batch(answers(batch))
    with staging.open("rb") as written:
        os.fsync(written.fileno())


def timed(work: Callable[[], None], out: Path) -> tuple[float, float]:
    """Return the seconds of it, by the clock and of CPU; what it wrote is deleted."""
    start, before = time.perf_counter(), time.process_time()
    work()
    seconds = time.perf_counter() - start, time.process_time() - before
    shutil.rmtree(out) if out.is_dir() else out.unlink()
    return seconds


def table_of(results: list[dict[str, Any]]) -> Table:
    """Show how near each comes to bare reading and writing."""
    table = Table(title=f"churn score beside bare reading and writing, {CORES} threads each")
    for heading in ("", "bare, million rows/s", "churn score", "ratio", "least to largest", "by CPU time"):
        table.add_column(heading, justify="right" if heading else "left")
    for one in results:
        speeds = f"{one['bare'] / 1e6:.2f}", f"{one['ours'] / 1e6:.2f}"
        table.add_row(
            one["name"], *speeds, f"{one['ratio']:.2f}", f"{one['least']:.2f} to {one['largest']:.2f}", f"{one['cpu']:.2f}"
        )
    return table


if __name__ == "__main__":
    main()
