"""CSV and Parquet files, zipped or not: what is read, and what is refused with which words."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.data import csv_chunks
from churn.data import files as module
from churn.data.files import TabularFile, bounded_lines, check_header, read_tabular_file
from churn.errors import ContractError, InputError


def write(folder: Path, content: str | bytes, name: str = "file.csv") -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def cells(file: TabularFile) -> dict[str, list[object]]:
    return {name: column.to_pylist() for name, column in file.columns.items()}


def refused(path: Path, kind: type[Exception] = InputError) -> str:
    with pytest.raises(kind) as caught:
        read_tabular_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    "content",
    [
        'a,b,c\n1,x,\n2,"y, z",NA\n',
        'a,b,c\r\n1,x,\r\n2,"y, z",NA',
        '\ufeffa,b,c\n\n1,x,\n\n2,"y, z",NA\n\n',
        ' a , b,c\n1,x,\n2,"y, z",NA\n',
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_csv_file_is_read_as_texts_cell_by_cell(content: str, zipped: bool, tmp_path: Path) -> None:
    data = content.encode()
    file = read_tabular_file(write(tmp_path, gzip.compress(data) if zipped else data, "any.name"))
    assert cells(file) == {"a": ["1", "2"], "b": ["x", "y, z"], "c": ["", "NA"]}
    assert (file.rows, file.path.name) == (2, "any.name")


def test_a_parquet_file_keeps_its_types_and_repeats_texts_once(tmp_path: Path) -> None:
    table = pa.table({" a ": [1.5, None], "b": ["x", "x"], "c": [b"\xff" * 200, b"y"]})
    pq.write_table(table, tmp_path / "any.csv")
    file = read_tabular_file(tmp_path / "any.csv")
    assert list(file.columns) == ["a", "b", "c"]
    assert (file.columns["a"].to_pylist(), file.columns["b"].to_pylist()) == ([1.5, None], ["x", "x"])
    assert pa.types.is_dictionary(file.columns["b"].type)
    assert [len(one) for one in file.columns["c"].to_pylist()] == [100, 1]
    assert file.lines([0, 1]) == {0: 1, 1: 2}


def test_a_folder_of_parquet_files_is_one_table(tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1.0], "b": ["x"]}), folder / "1.parquet")
    pq.write_table(pa.table({"a": [2.0], "b": pa.array([None], pa.string())}), folder / "2.parquet")
    file = read_tabular_file(folder)
    assert cells(file) == {"a": [1.0, 2.0], "b": ["x", None]}
    assert file.lines([1]) == {1: 2}
    pq.write_table(pa.table({"a": ["text"], "b": ["x"]}), folder / "3.parquet")
    assert refused(folder).startswith("its files do not have the same columns (")


def test_a_line_is_numbered_as_people_count_them(tmp_path: Path) -> None:
    file = TabularFile(write(tmp_path, 'a,b\n1,x\n\n2,"two\nlines"\n3,z\n'), {}, 3)
    assert file.lines([0, 1, 2]) == {0: 2, 1: 4, 2: 6}
    assert file.lines([2]) == {2: 6}
    assert file.lines([9]) == {}


def test_a_ragged_row_is_named_with_its_line_and_all_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path, "a,b\n1,2\n3\n4,5,6\n")
    assert refused(path, ContractError) == "row 3: must have 2 fields, as the header has, not 1 (and 1 more)"


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    for content in ("a,a\n1,2\n", "a, a \n1,2\n"):
        assert "the file has two columns of this name" in refused(write(tmp_path, content), ContractError)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty, or a header only"),
        ("a;b|c\n1;2|3\n", "separated by semicolons"),
        ("a,b\n1,\u00fc\n".encode("latin-1"), "not in UTF-8"),
        ("a,b\n1,2\n".encode("utf-16-le"), "it holds NUL bytes"),
        (gzip.compress(b"a,b\n1,2\n")[:-9], "not readable as CSV text in UTF-8"),
        (gzip.compress(b"a,b\n1,2\n" * 50)[:30] + b"\xff" * 20, "not readable as CSV text in UTF-8"),
        (b"PAR1broken", "not readable as Parquet"),
        (b"PAR1" + b"x" * 50 + b"PAR1", "not readable as Parquet"),
    ],
)
def test_what_cannot_be_read_says_why(content: bytes | str, words: str, tmp_path: Path) -> None:
    assert words in refused(write(tmp_path, content))


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    assert read_tabular_file(path).rows == 1

    def grow(*_: object) -> None:
        with path.open("a") as file:
            file.write("3,4\n")

    monkeypatch.setattr(module, "_check_text", grow)
    with pytest.raises(InputError, match="was changed while it was read"):
        read_tabular_file(path)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    assert refused(tmp_path / "gone.csv") == "no such file"


def test_a_quote_that_is_not_closed_makes_a_line_longer_than_any_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINE_LENGTH", 2**20)
    path = write(tmp_path, 'a,b\n1,"' + "x" * (2**20 + 10) + "\n")
    assert "a line is longer than 4 MiB; is a quote not closed?" in refused(path)


def test_lines_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(module, "MAX_LINE_LENGTH", 4)
    assert list(bounded_lines(io.StringIO("abc\nabcd"))) == ["abc\n", "abcd"]
    with pytest.raises(ValueError, match="straddling"):
        list(bounded_lines(io.StringIO("abcd\n")))


def test_more_columns_than_any_contract_has_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_chunks, "MAX_COLUMNS", 2)
    pq.write_table(pa.table({"a": [1], "b": [1], "c": [1]}), tmp_path / "three.parquet")
    for path in (write(tmp_path, "a,b,c\n1,2,3\n"), tmp_path / "three.parquet"):
        assert "it has 3 columns; 2 are the most" in refused(path)
    assert read_tabular_file(write(tmp_path, "a,b\n1,2\n")).rows == 1


def test_a_file_that_unpacks_to_more_than_any_table_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNPACKED_BYTES", 2_000)
    monkeypatch.setattr(module, "MAX_UNPACKED_TIMES", 1)
    path = write(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 5_000))
    assert "times its size, as no table does" in refused(path)
    assert read_tabular_file(write(tmp_path, gzip.compress(b"a,b\n" + b"1,2\n" * 400))).rows == 400
    assert read_tabular_file(write(tmp_path, b"a,b\n" + b"1,2\n" * 5_000)).rows == 5_000  # it does not unpack
    pq.write_table(pa.table({"a": pa.array([1.0] * 50_000)}), tmp_path / "same.parquet")
    assert "it unpacks to more than" in refused(tmp_path / "same.parquet")
    pq.write_table(pa.table({"a": pa.array([1.0] * 50)}), tmp_path / "few.parquet")
    assert read_tabular_file(tmp_path / "few.parquet").rows == 50


def test_a_first_line_that_is_no_header_is_refused_with_the_source_s_name() -> None:
    check_header("x", ["a", "b"], ["1", "2"])
    with pytest.raises(InputError, match=r"^x: the first line \('sep=#'\) is a note for Excel"):
        check_header("x", ["sep=#"], [])
