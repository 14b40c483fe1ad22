"""What is no table is told by its first bytes, and a header that begins alike is none of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

from churn.data.foreign_files import START_BYTES, foreign_file, foreign_folder, zip_contents

TOLD = {
    b"\xd0\xcf\x11\xe0": "old Excel", b"PARE\0": "encrypted footer", b"ARROW1\0\0": "Feather", b"FEA1\0": "old Feather",
    b"\xff\xff\xff\xff\x10\x01\0\0": "Arrow stream", b"ORC\x01": "ORC", b"Obj\x01": "Avro", b"SQLite format 3\0": "SQLite",
    b"12345678DUCK\0": "DuckDB", b"\0\x01\0\0Standard ACE DB": "Access", b"\x89HDF": "HDF5", b"\x93NUMPY": "NumPy",
    b"$FL2": "SPSS", b"<stata_dta>": "Stata", b"\x72\x01\x01\0": "Stata", b"\0" * 12 + b"\xc2\xea\x81\x60": "SAS",
    b"RDX3\n": "R's", b"X\n\0\0\0\x03": "R's", b"%PDF": "PDF", b"GIF89a": "picture", b"{\\rtf": "RTF", b"BZh9\x01": "bzip2",
    b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"\xff\x06\0\0sNaPpY": "Snappy",
    b"\x1f\x9d": ".Z",
    b"7z\xbc\xaf\x27\x1c": "7-Zip", b"Rar!\x1a\x07": "RAR", b"\xff\xfe\0\0": "UTF-32", b"\xff\xfea\0": "UTF-16",
    b"\xfe\xff\0a": "UTF-16", b"a\0" * 8: "UTF-16", b"\x80\x04": "pickle", b"\xef\xbb\xbf \n<!DOCTYPE html>": "web page",
    b"<?xml": "XML", b'{"a": 1}': "JSON", b"[1, 2]": "JSON", b"version https://git-lfs": "Git LFS", b"md5: 1": "DVC",
    b"a.csv\0" + b"\0" * 251 + b"ustar": "tar",
}  # fmt: skip


def test_each_is_named_with_what_to_do() -> None:
    for start, word in TOLD.items():
        found = foreign_file(start)
        assert found is not None, word
        assert word in found
        assert ";" in found, "and what to do"


def test_what_may_be_a_table_is_not_refused() -> None:
    headers = (
        b"PARENT,a",
        b"ORCID,a",
        b"ARROW1,b",
        b"FEA1,b",
        b"BZh,a",
        b"Rar!,a",
        b"12345678DUCK,a",
        b"{a},b",
        b"[a],b",
        b"md5,a",
    )
    for start in (*headers, b"", b"state,churn\n", b"PAR1\x15\x04"):
        assert foreign_file(start) is None
    assert 257 + len(b"ustar") < START_BYTES


def test_folders_of_tables_whose_files_do_not_all_count(tmp_path: Path) -> None:
    assert foreign_folder(tmp_path) is None
    (tmp_path / "metadata").mkdir()
    assert foreign_folder(tmp_path) is None, "a folder of that name alone says nothing"
    (tmp_path / "metadata" / "v1.metadata.json").touch()
    assert "Iceberg" in (foreign_folder(tmp_path) or "")
    (tmp_path / ".hoodie").mkdir()
    assert "Hudi" in (foreign_folder(tmp_path) or "")
    (tmp_path / "_delta_log").touch()
    assert "Hudi" in (foreign_folder(tmp_path) or ""), "a file is no log"


def test_a_zip_archive_is_named_by_what_is_in_it(tmp_path: Path) -> None:
    def of(*names: str) -> str:
        with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
            for name in names:
                archive.writestr(name, "")
        return zip_contents(tmp_path / "a.zip")

    assert of("xl/workbook.xml", "a") == "an Excel workbook; save it as CSV in UTF-8, with commas"
    assert of("content.xml", "a") == "an OpenDocument spreadsheet; save it as CSV in UTF-8, with commas"
    assert of("a") == "a ZIP archive of 1 file (a); unpack it first"
    assert of("a", "b", "c") == "a ZIP archive of 3 files (a, b, c); unpack it first"
    assert of("a", "b", "c", "d") == "a ZIP archive of 4 files (a, b, c, …); unpack it first"
    (tmp_path / "b.zip").write_bytes(b"PK")
    assert zip_contents(tmp_path / "b.zip") == "a ZIP archive; unpack it first"
