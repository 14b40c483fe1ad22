from __future__ import annotations

import datetime
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from churn.contract import Column, Contract, Target
from churn.data.csv_chunks import MAX_FIELD
from churn.data.dataset import Dataset, read_dataset
from churn.errors import ContractError, InputError, Problem
from churn.simulation.simulate import simulate, write_csv

Reader = Callable[..., Dataset]
AREAS = "unknown level (known: 408, 415, 510)"
STATES = "unknown level (known: AK, AL, AR, AZ, CA, CO, CT, DC, DE, FL, GA, HI and 39 more)"


@pytest.fixture(scope="module")
def lines(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("data") / "customers.csv"
    write_csv(simulate(contract, 6, seed=3), contract, path)
    return path.read_text().splitlines()


@pytest.fixture
def read(contract: Contract, tmp_path: Path) -> Reader:
    def reader(content: str | bytes | list[str], name: str = "customers.csv", **options: Any) -> Dataset:
        text = "\n".join(content) + "\n" if isinstance(content, list) else content
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return read_dataset(path, contract, **options)

    return reader


def changed(lines: list[str], line: int, column: str, value: str) -> list[str]:
    """The file with another value at a line (the header is line 1) and column (as the source spells it)."""
    cells = lines[line - 1].split(",")
    cells[lines[0].split(",").index(column)] = value
    return [*lines[: line - 1], ",".join(cells), *lines[line:]]


def problems(read: Reader, content: Any, **options: Any) -> list[Problem]:
    with pytest.raises(ContractError) as error:
        read(content, **options)
    assert error.value.exit_code == 2
    assert "\n" not in str(error.value)
    return error.value.problems


def test_reads_the_real_customers(contract: Contract, real_data: Path) -> None:
    data = read_dataset(real_data, contract)
    raw = pd.read_csv(real_data, float_precision="round_trip")
    assert len(data) == 3333
    assert data.labelled.mean() == pytest.approx(0.1449, abs=1e-4)
    assert data.ignored_columns == []
    for column in contract.features:
        if column.kind in ("number", "integer"):
            np.testing.assert_array_equal(data.features[column.name], raw[column.source])
    assert (data.features["international_plan"] == (raw["International plan"] == "Yes")).all()
    assert (data.features["state"] == raw["State"]).all()


def test_keeps_order_types_and_file_name(read: Reader, lines: list[str], contract: Contract) -> None:
    reordered = [",".join(reversed(line.split(","))) for line in lines]
    data = read(reordered)
    assert list(data.features.columns) == contract.feature_names
    assert data.digest == read(lines).digest
    assert data.source == "customers.csv"
    assert str(data.labelled.dtype) == "int64"
    assert {str(data.features[name].dtype) for name in contract.numeric_features} == {"float64"}


def test_other_columns_are_listed_and_left_aside(read: Reader, lines: list[str]) -> None:
    data = read([lines[0] + ",Customer ID,Mood", *[f"{line}, {n} ,fine" for n, line in enumerate(lines[1:])]])
    assert data.ignored_columns == ["Mood"]
    assert data.customer_id is not None
    assert data.customer_id.tolist() == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    "spell",
    [
        pytest.param(lambda text: "\ufeff" + text, id="byte-order-mark"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="crlf"),
        pytest.param(lambda text: text.replace("\n", "\r"), id="cr"),
        pytest.param(lambda text: text.rstrip("\n"), id="no-last-line-break"),
        pytest.param(lambda text: text.replace("\n", "\n\n") + "\n\n", id="blank-lines"),
        pytest.param(lambda text: text.replace("415", '"415"').replace("State", '"State"'), id="quotes"),
        pytest.param(lambda text: text.replace(",", " , "), id="blanks-around"),
        pytest.param(lambda text: text.replace("Yes", "TRUE").replace("No", "0").replace("False", "0"), id="other-flags"),
        pytest.param(lambda text: text.replace("Total day minutes", "total_day_minutes"), id="contract's-spelling"),
    ],
)
def test_spellings_of_the_same_file(read: Reader, lines: list[str], spell: Callable[[str], str]) -> None:
    text = "\n".join(lines) + "\n"
    assert spell(text) != text
    assert read(spell(text)).digest == read(lines).digest


def test_a_compressed_file_reads_as_its_content(read: Reader, lines: list[str]) -> None:
    packed = gzip.compress("\n".join(lines).encode())
    assert read(packed, "customers.csv.gz").digest == read(lines).digest
    with pytest.raises(InputError, match="not readable"):
        read(packed[:-20], "customers.csv.gz")


@pytest.mark.parametrize("text", ["", " ", "NA", "nan", "NULL", "None"])
def test_every_usual_word_for_missing_is_a_missing_value(read: Reader, lines: list[str], text: str) -> None:
    content = changed(lines, 3, "Total day minutes", text)
    for column in ("State", "Voice mail plan"):
        content = changed(content, 3, column, text)
    row = read(content, check_relations=False).features.iloc[1]
    assert (np.isnan(row["total_day_minutes"]), np.isnan(row["voice_mail_plan"]), row["state"]) == (True, True, None)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("Total day minutes", "-0.1", "must be at least 0 minutes"),
        ("Total day minutes", "44640.5", "must be at most 44640 minutes"),
        ("Total day minutes", "1e999", "must be a finite number"),
        ("Total day minutes", "9" * 400, "must be a finite number"),
        ("Total day minutes", "9" * 30, "must be at most 44640 minutes"),
        ("Total day minutes", "inf", "must be a number"),
        ("Total day minutes", "1_000", "must be a number"),
        ("Total day minutes", "0x10", "must be a number"),
        ("Total day minutes", "12 min", "must be a number"),
        ("Total day minutes", "١٢", "must be a number"),
        ("Total day calls", "1.5", "must be a whole number"),
        ("International plan", "Maybe", "must be Yes or No"),
        ("State", "ZZ", STATES),
        ("State", "ks", STATES),
        ("Area code", "999", AREAS),
        ("Total day charge", "99.99", "must be total_day_minutes times 0.17, within 0.01"),
        ("Churn", "perhaps", "must be True or False"),
        ("Churn", "", "must be True or False, not blank; leave out rows whose outcome is not known yet"),
    ],
)
def test_a_wrong_value_names_row_column_and_rule(
    read: Reader, lines: list[str], contract: Contract, column: str, value: str, rule: str
) -> None:
    name = next((c.name for c in contract.columns if c.source == column), "churn")
    (found,) = problems(read, changed(lines, 4, column, value))
    assert (found.row, found.column, found.rule) == (4, name, rule)


@pytest.mark.parametrize("value", ["+12.5", "12.50", "1.25e1", "12.5", "0012.5"])
def test_spellings_of_a_number(read: Reader, lines: list[str], value: str) -> None:
    data = read(changed(lines, 3, "Total day minutes", value), check_relations=False)
    assert data.features["total_day_minutes"].iloc[1] == 12.5


def test_numbers_are_the_nearest_floats(read: Reader, lines: list[str]) -> None:
    # Some parsers are off by the last bit here, and a served probability would be, too.
    spelled = ["0.30000000000000004", "8.41", "2.2250738585072011e-308", "123.4567890123456789", "1.0000000000000002", "17.54"]
    content = [lines[0], *[changed(lines, n + 2, "Total day minutes", value)[n + 1] for n, value in enumerate(spelled)]]
    assert read(content, check_relations=False).features["total_day_minutes"].tolist() == [float(value) for value in spelled]


def test_rows_are_lines_of_the_file(read: Reader, lines: list[str]) -> None:
    content = changed(lines, 6, "State", "ZZ")
    assert problems(read, [*content[:2], "", "", *content[2:]])[0].row == 8
    # A quoted line break makes a row two lines long.
    content = changed(content, 3, "State", '"K\nS"')
    assert [(found.row, found.value) for found in problems(read, content)] == [(3, "K\nS"), (7, "ZZ")]


@pytest.mark.parametrize(("line", "fields"), [(2, 21), (4, 21), (4, 19), (7, 1)])
def test_a_ragged_row_is_an_error_that_names_it(read: Reader, lines: list[str], line: int, fields: int) -> None:
    cells = [*lines[line - 1].split(","), "9"][:fields]
    (found,) = problems(read, [*lines[: line - 1], ",".join(cells), *lines[line:]])
    assert (found.row, found.rule) == (line, f"must have 20 fields, as the header has, not {fields}")


def test_rows_longer_than_the_header_are_not_an_index(read: Reader, lines: list[str]) -> None:
    (found,) = problems(read, [lines[0], *[line + ",9" for line in lines[1:]]])
    assert found.row == 2


def test_missing_columns_are_all_named(read: Reader, lines: list[str]) -> None:
    header = lines[0].replace("State", "Province").replace("Churn", "Left")
    found = problems(read, [header, *lines[1:]])
    assert [problem.column for problem in found] == ["state", "churn"]
    assert "'State'" in found[0].rule


def test_columns_must_not_be_there_twice(read: Reader, lines: list[str]) -> None:
    (same,) = problems(read, [lines[0] + ",State", *[line + ",KS" for line in lines[1:]]])
    assert (same.column, same.rule) == ("State", "the file has two columns of this name")
    (other,) = problems(read, [lines[0] + ",state", *[line + ",KS" for line in lines[1:]]])
    assert (other.column, other.rule) == ("state", "column is there twice, as 'State' and as 'state'")
    assert problems(read, [lines[0] + ",churn", *[line + ",True" for line in lines[1:]]])[0].column == "churn"


def test_a_header_alone_has_no_rows(read: Reader, lines: list[str]) -> None:
    assert problems(read, lines[:1])[0].rule == "has no rows, only a header"
    with pytest.raises(InputError, match="header only"):
        read(lines[0])


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "it is empty"),
        (b"\n\n", "it is empty"),
        (bytes(range(256)) * 64, "binary"),
        ("State,Churn\nKS,True\n".encode("utf-16"), "UTF-16"),
        (b"State,Churn\nK\xe9,True\n", "not readable as CSV text in UTF-8"),
        (b'State,Churn\nKS,"' + b"x" * 9_000_000, "not readable as CSV|must have 2 fields"),
    ],
)
def test_what_is_no_csv_is_refused(read: Reader, content: bytes, rule: str) -> None:
    with pytest.raises(InputError, match=rule) as error:
        read(content)
    assert len(str(error.value)) < 500


def test_a_nul_byte_far_down_is_refused_with_its_line(read: Reader, lines: list[str]) -> None:
    many = [lines[0], *lines[1:] * 300]
    found = problems(read, changed(many, 1500, "Total day minutes", "1\x002"))
    assert (found[0].row, found[0].rule) == (1500, "holds a NUL byte, as binary files and UTF-16 do")


def test_a_huge_field_is_shown_by_its_beginning(read: Reader, lines: list[str]) -> None:
    (found,) = problems(read, changed(lines, 3, "State", "x" * 100_000))
    assert found.row == 3
    assert found.value is not None
    assert len(found.value) < 100
    (found,) = problems(read, changed(lines, 3, "State", "x" * MAX_FIELD))
    assert found.column == "state"


@pytest.mark.parametrize("quote", ["", '"'])
def test_a_field_is_as_long_as_every_reader_of_csv_takes_it(read: Reader, lines: list[str], quote: str) -> None:
    """Also one that pyarrow would read, in a file without a quote or with all of them where they belong."""
    (found,) = problems(read, changed(lines, 3, "State", quote + "x" * (MAX_FIELD + 1) + quote))
    assert (found.row, found.rule.split(";")[0]) == (3, "a field has more than 131,072 characters")


def test_a_file_that_is_not_there(contract: Contract, tmp_path: Path) -> None:
    for path, words in ((tmp_path / "nothing.csv", "no such file"), (tmp_path, "holds no Parquet file")):
        with pytest.raises(InputError, match=words):
            read_dataset(path, contract)


def test_many_problems_are_counted_and_the_first_listed(contract: Contract, read: Reader, tmp_path: Path) -> None:
    data = simulate(contract, 5_000, seed=1)
    broken = data.features.assign(total_eve_calls=-1.0, state="ZZ").assign(churn=data.labelled)
    broken.to_csv(tmp_path / "broken.csv", index=False)
    with pytest.raises(ContractError) as error:
        read_dataset(tmp_path / "broken.csv", contract)
    assert error.value.total == 10_000
    assert [problem.row for problem in error.value.problems] == [row for row in range(2, 12) for _ in range(2)]
    assert "(and 9999 more)" in str(error.value)


def test_relations_are_rules_for_training_data_only(read: Reader, lines: list[str]) -> None:
    content = changed(lines, 3, "Total day charge", "99.99")
    assert problems(read, content)[0].column == "total_day_charge"
    assert read(content, check_relations=False).features["total_day_charge"].iloc[1] == 99.99
    # Where one of the two is missing there is nothing to compare.
    assert len(read(changed(content, 3, "Total day minutes", ""))) == 6


@pytest.mark.parametrize(("charge", "kept"), [("0.15", False), ("0.16", True), ("0.18", True), ("0.19", False)])
def test_a_relation_holds_up_to_its_tolerance(read: Reader, lines: list[str], charge: str, kept: bool) -> None:
    content = changed(changed(lines, 3, "Total day minutes", "1"), 3, "Total day charge", charge)
    if kept:
        assert len(read(content)) == 6
    else:
        assert problems(read, content)[0].row == 3


def test_the_contracts_levels_win_over_the_common_ones(tmp_path: Path) -> None:
    target = Target(column="left", source="Stayed", true_level="False", false_level="True")
    shop = Contract(name="shop", target=target, columns=(Column(name="spent", source="Spent", kind="number"),))
    path = tmp_path / "shop.csv"
    path.write_text("Spent,Stayed\n1,True\n2,False\n")
    assert read_dataset(path, shop).labelled.tolist() == [0, 1]
    pd.DataFrame({"Spent": [1, 2], "Stayed": [True, False]}).to_parquet(tmp_path / "shop.parquet")
    assert read_dataset(tmp_path / "shop.parquet", shop).labelled.tolist() == [0, 1]


def test_text_stays_text_behind_a_byte_order_mark(read: Reader, lines: list[str]) -> None:
    reordered = [",".join([cells[2], *cells[:2], *cells[3:]]) for cells in (line.split(",") for line in lines)]
    reordered[1:] = ["0" + line for line in reordered[1:]]
    assert problems(read, "\ufeff" + "\n".join(reordered))[0].column == "area_code"


def test_unlabelled_data_need_no_outcome(read: Reader, lines: list[str]) -> None:
    bare = [line.rsplit(",", 1)[0] for line in lines]
    assert problems(read, bare)[0].column == "churn"
    data = read(bare, labelled=False)
    assert data.outcome is None
    with pytest.raises(InputError, match="needs the outcome column"):
        _ = data.labelled
    assert read(lines, labelled=False).outcome is not None
    assert read(changed(lines, 3, "Churn", ""), labelled=False).outcome is None
    assert problems(read, changed(lines, 3, "Churn", "perhaps"), labelled=False)[0].row == 3


def test_what_the_contract_needs_must_not_be_missing(tmp_path: Path) -> None:
    shop = Contract(
        name="shop",
        columns=(
            Column(name="spent", source="Spent", kind="number"),
            Column(name="plan", source="Plan", kind="flag"),
            # A level that is spelled like a missing value: Namibia.
            Column(name="country", source="Country", kind="category", levels=("NA", "ZA")),
            Column(name="number", source="Number", kind="category", role="id"),
        ),
    )
    path = tmp_path / "shop.csv"
    path.write_text("Spent,Plan,Country,Number,Churn\n1,Yes,NA,7,True\n,,,,False\n")
    with pytest.raises(ContractError) as error:
        read_dataset(path, shop)
    assert [(p.row, p.column, p.rule) for p in error.value.problems] == [
        (3, name, "must not be missing") for name in ("plan", "country")
    ]
    path.write_text("Spent,Plan,Country,Number,Churn\n1,Yes,NA,7,True\n2,no,ZA,,False\n")
    data = read_dataset(path, shop)
    assert data.features["country"].tolist() == ["NA", "ZA"]
    assert data.customer_id is not None
    assert data.customer_id.tolist() == ["7", None]


def parquet(contract: Contract, path: Path, **columns: Any) -> Path:
    data = simulate(contract, 4, seed=3)
    data.features.assign(**{"churn": data.labelled, **columns}).to_parquet(path)
    return path


def test_parquet_with_native_types_is_the_same_data(contract: Contract, tmp_path: Path) -> None:
    data = simulate(contract, 4, seed=3)
    features = data.features
    native = parquet(
        contract,
        tmp_path / "native.parquet",
        state=features["state"].astype("category"),
        area_code=features["area_code"].astype(int),
        international_plan=features["international_plan"].astype(bool),
        voice_mail_plan=features["voice_mail_plan"].astype("int8"),
        total_day_calls=features["total_day_calls"].astype("int64"),
        total_eve_calls=features["total_eve_calls"].astype("Int64"),
        churn=data.labelled.astype(bool),
    )
    assert read_dataset(native, contract).digest == data.digest
    assert read_dataset(parquet(contract, tmp_path / "plain.parquet"), contract).digest == data.digest


def test_parquet_nulls_are_missing(contract: Contract, tmp_path: Path) -> None:
    path = parquet(
        contract,
        tmp_path / "nulls.parquet",
        state=["KS", None, "KS", "KS"],
        area_code=[415.0, None, 408.0, 510.0],
        international_plan=pd.array([True, None, False, True], dtype="boolean"),
        total_day_calls=pd.array([1, None, 2, 3], dtype="Int64"),
        account_length=[None] * 4,
    )
    features = read_dataset(path, contract).features
    assert features["area_code"].tolist() == ["415", None, "408", "510"]
    assert features.isna().sum()[["state", "international_plan", "total_day_calls", "account_length"]].tolist() == [1, 1, 1, 4]


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("total_day_minutes", datetime.datetime(2026, 1, 1), "must be a number"),
        ("total_day_minutes", True, "must be a number"),
        ("total_day_minutes", "many", "must be a number"),
        ("total_day_minutes", -1.0, "must be at least 0 minutes"),
        ("total_day_minutes", np.inf, "must be a finite number"),
        ("total_day_calls", 2**62, "must be at most 10000 calls"),
        ("international_plan", 2, "must be Yes or No"),
        ("international_plan", datetime.date(2026, 1, 1), "must be Yes or No"),
        ("state", 7, STATES),
        ("area_code", 415.5, AREAS),
    ],
)
def test_a_wrong_parquet_value_names_its_row_from_1(
    contract: Contract, tmp_path: Path, column: str, value: Any, rule: str
) -> None:
    with pytest.raises(ContractError) as error:
        read_dataset(parquet(contract, tmp_path / "wrong.parquet", **{column: [value] * 4}), contract)
    assert [(p.row, p.column, p.rule) for p in error.value.problems] == [(row, column, rule) for row in (1, 2, 3, 4)]


def test_lists_in_parquet_are_wrong_values(contract: Contract, tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="'total_day_minutes': must be a number"):
        read_dataset(parquet(contract, tmp_path / "lists.parquet", total_day_minutes=[[1.0]] * 4), contract)


def test_a_truncated_parquet_file_is_refused(contract: Contract, tmp_path: Path) -> None:
    path = parquet(contract, tmp_path / "cut.parquet")
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(InputError, match="not readable as Parquet"):
        read_dataset(path, contract)
    path.write_text("State,Churn\nKS,True\n")
    with pytest.raises(InputError, match="not readable as Parquet"):
        read_dataset(path, contract)


def test_folder_names_are_not_columns(contract: Contract, tmp_path: Path) -> None:
    folder = tmp_path / "state=KS"
    folder.mkdir()
    data = simulate(contract, 4, seed=3)
    data.features.drop(columns="state").assign(churn=data.labelled).to_parquet(folder / "a.parquet")
    with pytest.raises(ContractError, match="'state': column is missing"):
        read_dataset(folder / "a.parquet", contract)
