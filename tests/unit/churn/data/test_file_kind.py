"""Files that are not called what they are, and files that are no tables: each is read, or named with what to do."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.batch.plan import Terms, make_plan
from churn.contract import Column, Contract
from churn.data.dataset import read_dataset
from churn.data.files import read_tabular_file
from churn.data.unvalidated import read_unvalidated
from churn.errors import ChurnError, InputError

CONTRACT = Contract(
    name="firm",
    columns=(
        Column(name="spent", source="Spent", kind="number", nullable=True),
        Column(name="plan", source="Plan", kind="category", levels=("a", "b"), nullable=True),
    ),
)
FRAME = pd.DataFrame({"Spent": [1.5, 2.5, 3.5], "Plan": ["a", "b", "a"], "Churn": [True, False, True]})
TEXT = FRAME.to_csv(index=False).encode()


def parquet_bytes() -> bytes:
    sink = io.BytesIO()
    FRAME.to_parquet(sink)
    return sink.getvalue()


def zipped(*names: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return sink.getvalue()


READERS: dict[str, Callable[[Path], object]] = {
    "training": lambda path: read_dataset(path, CONTRACT),
    "drift": lambda path: read_unvalidated(path, CONTRACT),
    "draft": read_tabular_file,
}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.parquet", parquet_bytes()),
        ("a.pq", parquet_bytes()),
        ("a.PARQUET", parquet_bytes()),
        ("a", parquet_bytes()),
        ("a.csv", parquet_bytes()),
        ("a.csv", TEXT),
        ("a.CSV", TEXT),
        ("a.txt", TEXT),
        ("a.csv.gz", gzip.compress(TEXT)),
        ("a.csv", gzip.compress(TEXT)),
        ("a.csv", b"\xef\xbb\xbf" + TEXT),
        ("a.csv", TEXT.replace(b"\n", b"\r\n")),
        ("a.csv", TEXT.replace(b"\n", b"\r")),
    ],
)
def test_a_table_is_read_whatever_it_is_called(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_dataset(path, CONTRACT).features["spent"].tolist() == [1.5, 2.5, 3.5]
    assert read_unvalidated(path, CONTRACT).frame["plan"].tolist() == ["a", "b", "a"]
    (part,) = make_plan(path, "digest", Terms()).parts
    assert (part.groups is not None) is content.startswith(b"PAR1")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.xlsx", zipped("[Content_Types].xml", "xl/workbook.xml"), "is an Excel workbook; save it as CSV in UTF-8"),
        ("a.csv", zipped("[Content_Types].xml", "xl/workbook.xml"), "is an Excel workbook"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is an old Excel workbook"),
        ("a.ods", zipped("mimetype", "content.xml"), "is an OpenDocument spreadsheet"),
        ("a.zip", zipped("export.csv"), r"is a ZIP archive of 1 file \(export.csv\); unpack it first"),
        ("a.zip", b"PK\x03\x04cut off", "is a ZIP archive; unpack it first"),
        ("a.feather", b"ARROW1\0\0", "is an Arrow or Feather file; save it as Parquet"),
        ("a.orc", b"ORC\n\x1d\n", "is an ORC file"),
        ("a.json", b'{"a": 1}', "is JSON; save it"),
        ("a.json", b'\n [{"a": 1}]', "is JSON; save it"),
        ("a.json", b'{\n  "a": 1}', "is JSON; save it"),
        ("a.json", b"[[1, 2], [3, 4]]", "is JSON; save it"),
        ("a.arrows", b"\xff\xff\xff\xff\x70\x01\0\0\x10", "is an Arrow stream; save it as Parquet"),
        ("a.parquet", b"PARE" + parquet_bytes()[4:], "is Parquet with an encrypted footer; save it without encryption"),
        ("a.csv.gz", gzip.compress(zipped("xl/workbook.xml")), "holds, packed by gzip, another packed file; unpack it first"),
        ("a.gz", gzip.compress(parquet_bytes()), "another packed file; unpack it first"),
        ("a.tar.gz", gzip.compress(b"a.csv".ljust(257, b"\0") + b"ustar\0"), "packed by gzip, a tar archive; unpack it first"),
        ("a.rds", gzip.compress(b"X\n\0\0\0\x03\0\x04"), "packed by gzip, a file of R's"),
        ("a.tar", b"a.csv".ljust(257, b"\0") + b"ustar\0", "is a tar archive; unpack it first"),
        ("a.sas7bdat", b"\0" * 12 + b"\xc2\xea\x81\x60\xb3", "is a SAS file; save it as CSV"),
        ("a.dta", b"\x72\x02\x01\0", "is a Stata file; save it as CSV"),
        ("a.mdb", b"\0\x01\0\0Standard Jet DB\0", "is an Access database; export the table"),
        ("a.duckdb", b"\1" * 8 + b"DUCK\x40\0\0\0", "is a DuckDB database; export the table"),
        ("a.npy", b"\x93NUMPY\x01\0v", "is an array of NumPy's"),
        ("a.pkl", b"\x80\x02}q\0.", "is a pickle of Python's, which may run code"),
        ("a.html", b"<!doctype html><table>", "is a web page"),
        ("a.xls", b"<table><tr><td>1</td></tr></table>", "is a web page"),
        ("a.rtf", b"{\\rtf1\\ansi", r"is a text document \(RTF\)"),
        ("a.csv", TEXT.decode().encode("utf-16-le"), "is text in UTF-16"),
        ("a.csv", TEXT.decode().encode("utf-32"), "is text in UTF-32"),
        ("a.csv", b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n", "is a pointer of Git LFS and not the file"),
        ("a.csv.dvc", b"outs:\n- md5: 4d7a\n  path: a.csv\n", "is a note of DVC's and not the file itself"),
        ("a.pkl", b"\x80\x05\x95\0", "is a pickle of Python's, which may run code"),
        ("a.xls", b"<html><table>", "is a web page"),
        ("a.csv", TEXT.decode().encode("utf-16"), "is text in UTF-16"),
        ("a.parquet", TEXT, "does not begin as Parquet does"),
        ("a.csv", TEXT.replace(b"Plan", "Größe".encode("latin-1")), "not in UTF-8, as Windows programs write them"),
        ("a.csv", TEXT.replace(b"b", "ö".encode("latin-1")), "not in UTF-8, as Windows programs write them"),
        ("a.csv", TEXT.replace(b",", b";").replace(b"Plan", b"Plan, old"), "separated by semicolons"),
        ("a.csv", b"sep=#\n" + TEXT, "a note for Excel and no header; delete it"),
        ("a.csv", b"Export of June\n" + TEXT, "is a title and no header; delete it"),
        ("a.csv", b"Export of June\n\nMade on 2026-07-01\n" + TEXT, "is a title and no header; delete it"),
        ("a.csv", b"Export of June,,,\n,,,\n" + TEXT, "is a title and no header; delete it"),
        ("a.csv", TEXT.partition(b"\n")[2], "holds values where names should be; put a line with the columns' names above it"),
        ("a.csv", b"Spent,Plan,Spent\n1,a,2\n", "two columns of this name"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_named_with_what_to_do(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for reader, read in READERS.items():
        with pytest.raises(ChurnError) as error:
            read(path)
        assert re.search(words, str(error.value)), f"{reader}: {error.value}"
        assert "\n" not in str(error.value), reader


@pytest.mark.parametrize("content", [zipped("xl/workbook.xml"), b"ARROW1\0\0", b"\xd0\xcf\x11\xe0"])
def test_score_names_them_too(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(InputError, match="is an "):
        make_plan(tmp_path / "a.csv", "digest", Terms())


def test_a_folder_as_spark_writes_it_is_one_table(tmp_path: Path) -> None:
    for number in range(3):
        FRAME.iloc[number : number + 1].to_parquet(tmp_path / f"part-{number:05d}.snappy.parquet")
    (tmp_path / "_SUCCESS").touch()
    (tmp_path / ".part-00000.crc").write_bytes(b"crc")
    data = read_dataset(tmp_path, CONTRACT)
    assert data.features["spent"].tolist() == [1.5, 2.5, 3.5]
    assert data.labelled.tolist() == [1, 0, 1]
    (tmp_path / "notes.csv").write_bytes(TEXT)
    with pytest.raises(InputError, match=r"notes\.csv: is no Parquet file"):
        read_dataset(tmp_path, CONTRACT)


def test_folders_that_are_no_table_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no Parquet file"):
        read_tabular_file(tmp_path)
    FRAME.to_parquet(tmp_path / "a.parquet")
    FRAME.assign(Spent="x").to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputError, match="do not have the same columns"):
        read_tabular_file(tmp_path)
    (tmp_path / "region=north").mkdir()
    with pytest.raises(InputError, match="which only `churn score` reads"):
        read_tabular_file(tmp_path)


@pytest.mark.parametrize("header", [b"[Spent],[1]", b"{Spent},{Plan}", b"ORCID,Plan", b"PARENT,BZh", b"Rar!,md5"])
def test_a_header_with_odd_names_is_a_header(tmp_path: Path, header: bytes) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(header + b"\n1,a\n2,b\n")
    assert list(read_tabular_file(path).columns) == header.decode().split(",")


@pytest.mark.parametrize(
    ("log", "what"), [("_delta_log/0.json", "Delta"), (".hoodie/x", "Hudi"), ("metadata/v1.metadata.json", "Iceberg")]
)
def test_a_folder_of_which_not_every_file_counts_is_named(tmp_path: Path, log: str, what: str) -> None:
    """Read as a folder of Spark's it would give the rows that were removed since, too."""
    FRAME.to_parquet(tmp_path / "a.parquet")
    (tmp_path / log).parent.mkdir()
    (tmp_path / log).touch()
    with pytest.raises(InputError, match=f"{what} table, of which not every file counts"):
        read_tabular_file(tmp_path)
    with pytest.raises(InputError, match=f"{what} table, of which not every file counts"):
        make_plan(tmp_path, "digest", Terms())


@pytest.mark.parametrize(
    "kind",
    [pa.decimal128(38, 4), pa.decimal256(60, 4), pa.float16(), pa.float32(), pa.large_string(), pa.string_view(), pa.int8()],
)
def test_columns_of_every_type_are_the_nearest_number(tmp_path: Path, kind: pa.DataType) -> None:
    texts = ["7", "11"] if pa.types.is_integer(kind) else ["0.5", "0.25"] if "float" in str(kind) else ["4539928.1807", "0.1"]
    if pa.types.is_decimal(kind):
        values = pa.array([Decimal(text) for text in texts], kind)
    else:
        values = pa.array(texts, kind) if "string" in str(kind) else pa.array(np.array(texts, np.float64)).cast(kind)
    pq.write_table(pa.table({"Spent": values, "Plan": ["a", "b"], "Churn": [True, False]}), tmp_path / "a.parquet")
    assert read_dataset(tmp_path / "a.parquet", CONTRACT).features["spent"].tolist() == [float(text) for text in texts]


def test_a_time_where_a_number_belongs_is_named_by_row_and_rule(tmp_path: Path) -> None:
    FRAME.assign(Spent=pd.Timestamp("2024-01-31")).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ChurnError, match="row 1, column 'spent': must be a number"):
        read_dataset(tmp_path / "a.parquet", CONTRACT)
