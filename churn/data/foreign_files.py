"""What people send that is no table we read: each is told by its first bytes, and named with what to do."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

# So much of a file is looked at; a tar archive says what it is at byte 257.
START_BYTES = 512
AS_CSV = "save it as CSV in UTF-8, with commas"
_AS_PARQUET, _AS_EITHER, _UNPACK = "save it as Parquet", "save it as Parquet or CSV", "unpack it first"
_PICKLE = f"a pickle of Python's, which may run code when it is opened; {_AS_EITHER}"
_EXPORT = f"export the table, and {AS_CSV}"
# Somewhere after letters with which a header might begin as well (PARENT, ORCID).
_NO_TEXT = rb"(?=.*[\0-\x08\x0e-\x1f])"
_BINARY: tuple[tuple[bytes, str], ...] = (
    (rb"\xd0\xcf\x11\xe0", f"an old Excel workbook (.xls); {AS_CSV}"),
    (rb"PARE" + _NO_TEXT, "Parquet with an encrypted footer; save it without encryption"),
    (rb"ARROW1" + _NO_TEXT, f"an Arrow or Feather file; {_AS_PARQUET}"),
    (rb"\xff{4}[^\xff]..\0", f"an Arrow stream; {_AS_PARQUET}"),
    (rb"FEA1" + _NO_TEXT, f"an old Feather file; {_AS_PARQUET}"),
    (rb"ORC" + _NO_TEXT, f"an ORC file; {_AS_PARQUET}"),
    (rb"Obj\x01", f"an Avro file; {_AS_PARQUET}"),
    (rb"SQLite format 3\0", f"a SQLite database; {_EXPORT}"),
    (rb".{8}DUCK" + _NO_TEXT, f"a DuckDB database; {_EXPORT}"),
    (rb"\0\x01\0\0Standard (Jet|ACE) DB", f"an Access database; {_EXPORT}"),
    (rb"\x89HDF", f"an HDF5 file; {_AS_PARQUET}"),
    (rb"\x93NUMPY", f"an array of NumPy's, without names; {_AS_EITHER}"),
    (rb"\$FL[23]", f"an SPSS file; {AS_CSV}"),
    (rb"<stata_dta>|[\x71-\x73][\x01\x02]\x01\0", f"a Stata file; {AS_CSV}"),
    (rb"\0{12}\xc2\xea\x81\x60", f"a SAS file; {AS_CSV}"),
    (rb"RD[AX][23]\n|X\n\0\0\0[\x02\x03]", f"a file of R's; write it by write.csv(…, row.names = FALSE), or {_AS_PARQUET}"),
    (rb"%PDF", f"a PDF; get the table behind it, and {AS_CSV}"),
    (rb"\x89PNG|\xff\xd8\xff|GIF8[79]a", f"a picture; get the table behind it, and {AS_CSV}"),
    (rb"\{\\rtf", f"a text document (RTF); {AS_CSV}"),
    (rb"BZh" + _NO_TEXT, f"compressed by bzip2; {_UNPACK}"),
    (rb"\xfd7zXZ\0", f"compressed by xz; {_UNPACK}"),
    (rb"\x28\xb5\x2f\xfd", f"compressed by zstd; {_UNPACK}"),
    (rb"\x04\x22\x4d\x18", f"compressed by lz4; {_UNPACK}"),
    (rb"\xff\x06\0\0sNaPpY", f"compressed by Snappy; {_UNPACK}"),
    (rb"\x1f[\x9d\xa0]", f"compressed by compress (.Z); {_UNPACK}"),
    (rb"7z\xbc\xaf\x27\x1c", f"a 7-Zip archive; {_UNPACK}"),
    (rb"Rar!" + _NO_TEXT, f"a RAR archive; {_UNPACK}"),
    (rb"[^\0]{1,100}\0.{156,255}ustar", f"a tar archive; {_UNPACK}"),
    (rb"\xff\xfe\0\0|\0\0\xfe\xff", f"text in UTF-32; {AS_CSV}"),
    (rb"\xff\xfe", f"text in UTF-16, as Excel's “Unicode Text” is; {AS_CSV}"),
    (rb"\xfe\xff", f"text in UTF-16; {AS_CSV}"),
    (rb"([\x09\x20-\x7e]\0){8}|(\0[\x09\x20-\x7e]){8}", f"text in UTF-16; {AS_CSV}"),
    (rb"\x80[\x02-\x05]", _PICKLE),
)
# Told after a byte order mark and blanks.
_TEXT: tuple[tuple[bytes, str], ...] = (
    (rb"<!doctype|<html|<table", f"a web page (or what some programs call Excel); {AS_CSV}"),
    (rb"<\?xml", f"XML; {AS_CSV}"),
    (rb"\{\s*(\"|\}|$)|\[\s*([\[{\"\]]|-?[\d.]+\s*,|$)", f"JSON; {_AS_EITHER}"),
    (rb"version https://git-lfs", "a pointer of Git LFS and not the file itself; fetch it by git lfs pull"),
    (rb"(md5|outs):\s", "a note of DVC's and not the file itself; fetch that by dvc pull, and name it without .dvc"),
)


def _compiled(patterns: tuple[tuple[bytes, str], ...], flags: int) -> list[tuple[re.Pattern[bytes], str]]:
    return [(re.compile(pattern, flags), what) for pattern, what in patterns]


_FIRST_BYTES, _FIRST_WORDS = _compiled(_BINARY, re.DOTALL), _compiled(_TEXT, re.IGNORECASE)
# Folders whose own files say which of their Parquet files count: the others hold rows that were removed or changed.
_LOGS = {"_delta_log": "a Delta table", ".hoodie": "a Hudi table", "metadata": "an Iceberg table"}


def foreign_file(start: bytes) -> str | None:
    r"""Return what a file is, and what to do, by its first bytes; None if it may be a table.

    Examples
    --------
    >>> foreign_file(b"BZh91AY&SY\x00")
    'compressed by bzip2; unpack it first'
    """
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    found = (what for pattern, what in _FIRST_BYTES if pattern.match(start))
    return next(found, None) or next((what for pattern, what in _FIRST_WORDS if pattern.match(text)), None)


def foreign_folder(folder: Path) -> str | None:
    """Return what a folder is if some of its Parquet files may not count, and what to do; else None."""
    for name, what in _LOGS.items():
        log = folder / name
        if log.is_dir() and (name != "metadata" or any(log.glob("*.metadata.json"))):
            return f"{what}, of which not every file counts; save what it holds now as Parquet, in another folder"
    return None


def zip_contents(path: Path) -> str:
    """Return what a ZIP archive is, and what to do."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        names = []
    if any(name.startswith("xl/") for name in names):
        return f"an Excel workbook; {AS_CSV}"
    if "content.xml" in names:
        return f"an OpenDocument spreadsheet; {AS_CSV}"
    shown = f" of {len(names)} file{'s' if len(names) > 1 else ''} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
    return f"a ZIP archive{shown if names else ''}; {_UNPACK}"
