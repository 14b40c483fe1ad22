"""Tell by a file's first bytes what it is, whatever its name says."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal

from churn.data.foreign_files import START_BYTES, foreign_file, foreign_folder, zip_contents
from churn.errors import InputError

Kind = Literal["parquet", "gzip", "csv"]
_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"


def file_kind(path: Path) -> Kind:
    """Return how a file is to be read.

    Raises
    ------
    InputError
        If it is something else than CSV text, zipped or not, or Parquet: the message names it, and says what to do.
    """
    with path.open("rb") as opened:
        start = opened.read(START_BYTES)
    if start.startswith(_PARQUET):
        return "parquet"
    if start.startswith(_GZIP):
        if (what := _packed(path)) is not None:
            raise InputError(f"{path}: holds, packed by gzip, {what}")
        return "gzip"
    if start.startswith(_ZIP):
        raise InputError(f"{path}: is {zip_contents(path)}")
    if (what := foreign_file(start)) is not None:
        raise InputError(f"{path}: is {what}")
    if path.suffix.lower() in (".parquet", ".pq"):
        raise InputError(f"{path}: not readable as Parquet (it does not begin as Parquet does; is it cut off, or CSV?)")
    return "csv"


def _packed(path: Path) -> str | None:
    """Return what a gzip file holds if it is no CSV text, and what to do."""
    try:
        with gzip.open(path) as opened:
            start = opened.read(START_BYTES)
    except (OSError, EOFError, zlib.error):
        return None  # whoever reads it says what is wrong with it
    if start.startswith((_PARQUET, _ZIP, _GZIP)):
        return "another packed file; unpack it first"
    return foreign_file(start)


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, or else CSV text.

    Raises
    ------
    InputError
        As `file_kind`.
    """
    return file_kind(path) == "parquet"


def check_folder(folder: Path) -> None:
    """Refuse a folder whose Parquet files do not all count, as those of a Delta table do not.

    Raises
    ------
    InputError
        Which names it, and says what to do.
    """
    if (what := foreign_folder(folder)) is not None:
        raise InputError(f"{folder}: is {what}")


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder as Spark and others write it: what begins with `_` or `.` is no data.

    Raises
    ------
    InputError
        If it holds other files, or none, or folders, or is a table of which not every file counts.
    """
    check_folder(folder)
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith(("_", ".")))
    if other := next((path for path in inside if path.is_dir()), None):
        raise InputError(f"{other}: is a folder within a folder, which only `churn score` reads; give one file, or a flat folder")
    if other := next((path for path in inside if not is_parquet(path)), None):
        raise InputError(f"{other}: is no Parquet file; a folder of data holds nothing else (or names that begin with _)")
    if not inside:
        raise InputError(f"{folder}: holds no Parquet file")
    return inside
