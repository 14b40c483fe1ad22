"""Tell by a file's first bytes what it is, whatever its name says; what is no table is named, with what to do."""

from __future__ import annotations

import codecs
import zipfile
from pathlib import Path
from typing import Literal

from churn.errors import InputError

Kind = Literal["parquet", "gzip", "csv"]
_PARQUET, _GZIP, _ZIP = b"PAR1", b"\x1f\x8b", b"PK\x03\x04"
_AS_CSV = "save it as CSV in UTF-8, with commas"
# First bytes of what people send instead, and what to do about it.
_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"\xd0\xcf\x11\xe0", f"an old Excel workbook (.xls); {_AS_CSV}"),
    (b"ARROW1", "an Arrow or Feather file; save it as Parquet"),
    (b"ORC", "an ORC file; save it as Parquet"),
    (b"Obj\x01", "an Avro file; save it as Parquet"),
    (b"SQLite format 3\0", f"a SQLite database; export the table, and {_AS_CSV}"),
    (b"\x89HDF", "an HDF5 file; save it as Parquet"),
    (b"$FL2", f"an SPSS file; {_AS_CSV}"),
    (b"<stata_dta>", f"a Stata file; {_AS_CSV}"),
    (b"%PDF", f"a PDF; get the table behind it, and {_AS_CSV}"),
    (b"BZh", "compressed by bzip2; unpack it first"),
    (b"\xfd7zXZ\0", "compressed by xz; unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"\xff\xfe", f"text in UTF-16, as Excel's “Unicode Text” is; {_AS_CSV}"),
    (b"\xfe\xff", f"text in UTF-16; {_AS_CSV}"),
    (b"\x80\x04", "a pickle of Python's, which may run code when it is opened; save it as Parquet or CSV"),
    (b"\x80\x05", "a pickle of Python's, which may run code when it is opened; save it as Parquet or CSV"),
    (b"<!DOCTYPE", f"a web page; open it, and {_AS_CSV}"),
    (b"<html", f"a web page (or what some programs call Excel); {_AS_CSV}"),
    (b"<?xml", f"XML; {_AS_CSV}"),
    (b'{"', "JSON; save it as Parquet or CSV"),
    (b'[{"', "JSON; save it as Parquet or CSV"),
)


def file_kind(path: Path) -> Kind:
    """Return how a file is to be read.

    Raises
    ------
    InputError
        If it is something else than CSV text, zipped or not, or Parquet: the message names it, and says what to do.
    """
    with path.open("rb") as opened:
        start = opened.read(64)
    if start.startswith(_PARQUET):
        return "parquet"
    if start.startswith(_GZIP):
        return "gzip"
    if start.startswith(_ZIP):
        raise InputError(f"{path}: is {_zipped(path)}")
    text = start.removeprefix(codecs.BOM_UTF8).lstrip()
    found = next((what for first, what in _OTHERS if (text if first.isascii() else start).startswith(first)), None)
    if found is not None:
        raise InputError(f"{path}: is {found}")
    if path.suffix.lower() in (".parquet", ".pq"):
        raise InputError(f"{path}: not readable as Parquet (it does not begin as Parquet does; is it cut off, or CSV?)")
    return "csv"


def _zipped(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        names = []
    if any(name.startswith("xl/") for name in names):
        return f"an Excel workbook; {_AS_CSV}"
    if "content.xml" in names:
        return f"an OpenDocument spreadsheet; {_AS_CSV}"
    shown = f" of {len(names)} file{'s' if len(names) > 1 else ''} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
    return f"a ZIP archive{shown if names else ''}; unpack it first"


def is_parquet(path: Path) -> bool:
    """Return whether a file is Parquet, or else CSV text.

    Raises
    ------
    InputError
        As `file_kind`.
    """
    return file_kind(path) == "parquet"


def parquet_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a folder as Spark and others write it: what begins with `_` or `.` is no data.

    Raises
    ------
    InputError
        If it holds other files, or none, or folders.
    """
    inside = sorted(path for path in folder.iterdir() if not path.name.startswith(("_", ".")))
    if other := next((path for path in inside if path.is_dir()), None):
        raise InputError(f"{other}: is a folder within a folder, which only `churn score` reads; give one file, or a flat folder")
    if other := next((path for path in inside if not is_parquet(path)), None):
        raise InputError(f"{other}: is no Parquet file; a folder of data holds nothing else (or names that begin with _)")
    if not inside:
        raise InputError(f"{folder}: holds no Parquet file")
    return inside
