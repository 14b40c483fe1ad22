"""One file into one file: parts beside it first, as for a folder, then one file of them, which appears whole."""

from __future__ import annotations

import csv
import gzip
import io
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from churn.batch.model import Scorer
from churn.batch.output import SUCCESS
from churn.batch.part import COMPRESSION, REJECTED, Done, whole_file
from churn.batch.plan import Plan, Terms
from churn.batch.run import OnPart, Runner, Summary, renamed, score_folder
from churn.customers.column_names import CUSTOMER_ID
from churn.customers.spreadsheet import safe_text
from churn.errors import InputError

ENDINGS = (".parquet", ".csv", ".csv.gz")


def is_file_name(output: Path) -> bool:
    """Tell whether an output is meant to be a file."""
    return output.name.endswith(ENDINGS) and not output.is_dir()


def score_file(
    scorer: Scorer,
    source: Path,
    output: Path,
    terms: Terms,
    run: Runner,
    *,
    overwrite: bool = False,
    on_plan: Callable[[Plan, Sequence[Done]], None] | None = None,
    on_part: OnPart | None = None,
) -> Summary:
    """Score one file into one file; customers that are set apart go to `NAME.rejected.parquet` beside it.

    In CSV, a text that a spreadsheet would take for a formula begins with `'`.

    Parameters
    ----------
    scorer, source
        As for `score_folder`.
    output : Path
        The file to write: `.csv` or `.parquet`.
    terms, run, overwrite, on_plan, on_part
        As for `score_folder`.

    Returns
    -------
    Summary

    Raises
    ------
    InputError, ChurnError
        As for `score_folder`.
    """
    if not source.is_file():
        raise InputError(f"{source}: is no file; the answers of a folder go to a folder")
    if output.exists() and (not overwrite or output.samefile(source)):
        raise InputError(f"{output}: is there already; name another file, or give --overwrite")
    folder = output.with_name(f".{output.name}.parts")
    rejected = output.with_name(f"{output.name}.rejected.parquet")
    try:
        summary = score_folder(scorer, source, folder, terms, run, overwrite=True, on_plan=on_plan, on_part=on_part)
    except InputError:
        # Another file, or other options, are asked for next time: there is nothing to go on from.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    parts = [folder / part["path"] for part in orjson.loads((folder / SUCCESS).read_bytes())["parts"]]
    apart = [folder / REJECTED / part.relative_to(folder) for part in parts]
    _join([part for part in apart if part.exists()], rejected)
    _join(parts, output)
    shutil.rmtree(folder)
    return renamed(summary, output)


def _join(parts: list[Path], target: Path) -> None:
    if not parts:
        target.unlink(missing_ok=True)
        return
    with whole_file(target) as staging:
        if target.name.endswith(".parquet"):
            schema = pq.read_schema(parts[0]).remove_metadata()
            repeated = [name for name in ("threshold", "model_version") if name in schema.names]
            with pq.ParquetWriter(staging, schema, compression=COMPRESSION, use_dictionary=repeated) as writer:
                for part in parts:
                    for batch in _batches(part):
                        writer.write_batch(batch.replace_schema_metadata(None))
            return
        zipped = target.suffix == ".gz"
        with (
            gzip.open(staging, "wb") if zipped else staging.open("wb") as opened,
            io.TextIOWrapper(opened, encoding="utf-8", newline="") as text,
        ):
            _write_csv(parts, csv.writer(text, lineterminator="\n"))


def _write_csv(parts: list[Path], writer: Any) -> None:
    writer.writerow(pq.read_schema(parts[0]).names)
    for part in parts:
        for batch in _batches(part):
            columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
            columns["churn"] = ["true" if churn else "false" for churn in columns["churn"]]
            if CUSTOMER_ID in columns:
                columns[CUSTOMER_ID] = [safe_text(one) if isinstance(one, str) else one for one in columns[CUSTOMER_ID]]
            writer.writerows(zip(*columns.values(), strict=True))


def _batches(part: Path) -> Any:
    with pq.ParquetFile(part) as file:
        yield from file.iter_batches(use_threads=False)
