from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from churn.contract import Contract
from churn.data.csv_chunks import MAX_COLUMNS
from churn.data.dataset import read_dataset
from service.formats.csv_text import read_csv
from service.formats.validation import ColumnRules
from service.http.errors import TooLarge, Unprocessable


def test_texts_mean_what_they_say(rules: ColumnRules) -> None:
    body = (
        "\ufefftotal_day_minutes,international_plan,area_code,state,customer_id,total_day_calls\r\n"
        '265.1,Yes,415,OH,"a, ""b""",3\r\n'
        " 1e2 ,0,415.0,,,NA\r\n"
        ",TRUE,null,KS,c,3.0\r\n"
        "+007.,no,NaN,OH,,.5e1\r\n"
    )
    got = read_csv(body.encode(), rules, 100)
    area = rules.contract["area_code"].levels.index("415")
    np.testing.assert_array_equal(got.values["total_day_minutes"], [265.1, 100.0, np.nan, 7.0])
    np.testing.assert_array_equal(got.values["international_plan"], [1.0, 0.0, 1.0, 0.0])
    np.testing.assert_array_equal(got.values["area_code"], [area, area, -1, -1])
    np.testing.assert_array_equal(got.values["total_day_calls"], [3.0, np.nan, 3.0, 5.0])
    assert got.values["state"][1] == -1
    assert list(got.customer_ids or []) == ['a, "b"', None, "c", None]


def test_empty_columns_behind_the_others_are_none_and_an_index_is_named(rules: ColumnRules) -> None:
    got = read_csv(b"total_day_minutes,state,,\n1,OH,,\n2,KS, ,\n", rules, 100)
    np.testing.assert_array_equal(got.values["total_day_minutes"], [1.0, 2.0])
    with pytest.raises(Unprocessable) as error:
        read_csv(b",total_day_minutes\n0,1\n", rules, 100)
    assert error.value.errors[0].problem == "a column without a name (an index? pandas leaves it out with index=False)"
    # As MLflow's clients may: there every unknown column is left out.
    assert len(read_csv(b"total_day_minutes,state,\n1,OH,x\n", rules.ignoring_unknown(), 100)) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"total_day_minutes\n", "body"),
        (b"total_day_minutes\n\xff\n", "body"),
        (b"total_day_minutes\n1\x00\n", "body"),
        (b"total_day_minutes,total_day_minutes\n1,2\n", "header.total_day_minutes"),
        (b"total_day_minutes,shoe_size\n1,2\n", "header.shoe_size"),
        (b"total_day_minutes,state\n1,OH\n1\n", "rows.1"),
        (b"total_day_minutes\n1\n1,2\n", "rows.1"),
        (b'total_day_minutes\n"1\n', "line 2"),
        (b'total_day_minutes\n"1"2\n', "line 2"),
        (b"total_day_minutes\n" + b"1" * 200_000 + b"\n", "line 2"),
        (b"total_day_minutes\n1\nabc\n", "rows.1.total_day_minutes"),
        (b"total_day_minutes\ninf\n", "rows.0.total_day_minutes"),
        (b"total_day_minutes\n1_0\n", "rows.0.total_day_minutes"),
        ("total_day_minutes\n\u0661\n".encode(), "rows.0.total_day_minutes"),
        (b"total_day_minutes\n1e999\n", "rows.0.total_day_minutes"),
        (b"total_day_minutes,total_day_calls\n1,1.5\n", "rows.0.total_day_calls"),
        (b"total_day_minutes,international_plan\n1,maybe\n", "rows.0.international_plan"),
        (b"total_day_minutes,state\n1,oh\n", "rows.0.state"),
        (b"total_day_minutes,state\n1,OH\n,\n", "rows.1"),
        (b"total_day_minutes,state,,\n1,OH,,\n2,OH,,x\n", "rows.1"),
        (b",total_day_minutes\n0,1\n", "header."),
    ],
)
def test_what_is_wrong_is_named(rules: ColumnRules, body: bytes, field: str) -> None:
    with pytest.raises(Unprocessable) as error:
        read_csv(body, rules, 100)
    assert [one.field for one in error.value.errors] == [field]


def test_too_many_rows_are_told_without_reading_them_all(rules: ColumnRules) -> None:
    with pytest.raises(TooLarge):
        read_csv(b"total_day_minutes\n" + b"1\n" * 101 + b'"broken', rules, 100)
    assert len(read_csv(b"total_day_minutes\n" + b"1\n" * 100, rules, 100)) == 100


def test_real_customers_are_read_as_for_training(rules: ColumnRules, contract: Contract, real_data: Path) -> None:
    frame = read_dataset(real_data, contract).features.head(500)
    got = read_csv(frame.to_csv(index=False).encode(), rules, 1000).frame(contract)
    for name in contract.feature_names:
        assert got[name].tolist() == frame[name].tolist()


def test_a_header_of_more_columns_than_any_contract_has_is_refused_before_a_text_is_made_of_each(rules: ColumnRules) -> None:
    body = ",".join(f"name-{n:040d}" for n in range(MAX_COLUMNS + 1)).encode()
    tracemalloc.start()
    with pytest.raises(Unprocessable) as caught:
        read_csv(body, rules, 10)
    assert [(one.field, one.problem) for one in caught.value.errors] == [
        ("header", f"has {MAX_COLUMNS + 1} columns; {MAX_COLUMNS} are the most")
    ]
    assert tracemalloc.get_traced_memory()[1] < 10 * len(body)
    tracemalloc.stop()


def test_reading_ends_at_the_first_row_that_is_too_long(rules: ColumnRules) -> None:
    with pytest.raises(Unprocessable) as caught:
        read_csv(b"total_day_minutes\n1\n2,3\n" + b"4,5,6\n" * 1000, rules, 10)
    assert [one.field for one in caught.value.errors] == ["rows.1"]
