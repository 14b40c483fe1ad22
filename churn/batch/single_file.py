"""One file into one file: parts beside it first, as for a folder, then one file of them, which appears whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import orjson

from churn.atomic_write import is_same_file
from churn.batch.answer_file import REJECTED, Done
from churn.batch.joined import join
from churn.batch.log import FileLog
from churn.batch.model import Scorer
from churn.batch.output import SUCCESS
from churn.batch.plan import Plan, Terms
from churn.batch.run import OnPart, Runner, Summary, renamed, score_folder, usable_cores
from churn.errors import InputError

ENDINGS = (".parquet", ".csv", ".csv.gz")
# Of other files: whoever gives one of them does not mean a folder.
FOREIGN_ENDINGS = frozenset(
    {
        *(".xlsx", ".xls", ".xlsb", ".xlsm", ".ods", ".json", ".jsonl", ".ndjson", ".tsv", ".txt", ".xml", ".html", ".pdf"),
        *(".feather", ".arrow", ".ipc", ".orc", ".avro", ".pq", ".parq", ".pkl", ".pickle", ".npy", ".npz", ".h5", ".hdf5"),
        *(".db", ".sqlite", ".sqlite3", ".duckdb", ".sql", ".dta", ".sav", ".sas7bdat", ".rds", ".dbf"),
        *(".gz", ".zip", ".zst", ".bz2", ".xz", ".7z", ".tar", ".tgz", ".csv", ".parquet"),
    }
)


def is_file_name(output: Path) -> bool:
    """Tell whether an output is meant to be a file, and not a folder of them.

    Parameters
    ----------
    output : Path

    Returns
    -------
    bool

    Raises
    ------
    InputError
        If its name is that of a file of another kind.
    """
    if output.is_dir():
        return False
    if output.name.endswith(ENDINGS):
        return True
    if output.suffix.lower() in FOREIGN_ENDINGS:
        raise InputError(f"{output}: answers are written as {', '.join(ENDINGS)} (so spelled), or into a folder with no ending")
    return False


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
    log: FileLog | None = None,
) -> Summary:
    """Score one file into one file; customers that are set apart go to `NAME.rejected.parquet` beside it.

    In CSV, a text that a spreadsheet would take for a formula begins with `'`.

    Parameters
    ----------
    scorer, source
        As for `score_folder`.
    output : Path
        The file to write: `.csv` or `.parquet`.
    terms, run, overwrite, on_plan, on_part, log
        As for `score_folder`.

    Returns
    -------
    Summary

    Raises
    ------
    InputError, ChurnError
        As for `score_folder`.
    """
    if not source.exists():
        raise InputError(f"{source}: no such file")
    if not source.is_file():
        raise InputError(f"{source}: is no file; the answers of a folder go to a folder")
    folder = output.with_name(f".{output.name}.parts")
    rejected = output.with_name(f"{output.name}.rejected.parquet")
    if is_same_file(output, source):
        raise InputError(f"{output}: is the file of customers; name another one for the answers")
    if is_same_file(rejected, source):
        raise InputError(f"{output}: customers who are set apart go to {rejected}, the file of customers; name another OUTPUT")
    if output.exists() and not overwrite:
        raise InputError(f"{output}: is there already; name another file, or give --overwrite")
    try:
        summary = score_folder(scorer, source, folder, terms, run, overwrite=True, on_plan=on_plan, on_part=on_part, log=log)
    except InputError:
        # Another file, or other options, are asked for next time: there is nothing to go on from.
        shutil.rmtree(folder, ignore_errors=True)
        raise
    parts = [folder / part["path"] for part in orjson.loads((folder / SUCCESS).read_bytes())["parts"]]
    apart = [folder / REJECTED / part.relative_to(folder) for part in parts]
    join([part for part in apart if part.exists()], rejected, usable_cores())
    join(parts, output, usable_cores())
    shutil.rmtree(folder)
    return renamed(summary, output)
