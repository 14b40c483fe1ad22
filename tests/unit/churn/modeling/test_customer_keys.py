from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from churn.contract import Contract
from churn.customers.pseudonym import Pseudonymiser
from churn.data.dataset import read_dataset
from churn.modeling.customer_keys import content_bytes, draw, read_keys, rule_digest
from churn.simulation.simulate import simulate, write_csv

NONE = Pseudonymiser("")
KEY = Pseudonymiser("correct horse battery staple")


def test_both_draws_are_uniform_and_have_nothing_to_do_with_each_other() -> None:
    side, fold = draw("a key", (f"customer-{n}".encode() for n in range(20_000)))
    for drawn in (side, fold):
        assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(2000, abs=200)
    assert abs(np.corrcoef(side, fold)[0, 1]) < 0.03
    assert abs(np.corrcoef(side, draw("another key", (f"customer-{n}".encode() for n in range(20_000)))[0])[0, 1]) < 0.03


def test_draws_do_not_change_between_releases() -> None:
    # Whoever was trained on by an older release must not be judged on by a newer one.
    side, fold = draw("who is who 1", [b"id\x1fcustomer-1", b"id\x1f7", b"", "é".encode()])
    assert side.round(6).tolist() == [0.027255, 0.880089, 0.709296, 0.817206]
    assert fold.round(6).tolist() == [0.409362, 0.161039, 0.908787, 0.034602]
    assert [len(drawn) for drawn in draw("nobody", [])] == [0, 0]


def test_one_id_has_one_spelling() -> None:
    given = pd.Series([7, "7", 7.0, "7.0", " 7 ", "007", None, np.nan, "", "nan"], dtype=object)
    assert read_keys(given, NONE).tolist() == ["7"] * 5 + ["007"] + [None] * 4
    assert read_keys(pd.Series([7.0, np.nan]), NONE).tolist() == ["7", None]
    assert read_keys(pd.Series([7, 8]), NONE).tolist() == ["7", "8"]


def test_a_file_with_plain_ids_and_a_store_with_pseudonyms_name_the_same_customer() -> None:
    stored = KEY("c-1")
    assert read_keys(pd.Series(["c-1", stored, None]), KEY).tolist() == [stored, stored, None]
    assert read_keys(pd.Series(["c-1", stored]), NONE).tolist() == ["c-1", stored]


def test_a_content_is_the_same_however_it_is_written(contract: Contract, tmp_path: Path) -> None:
    folder = tmp_path
    data = simulate(contract, 200, 3)
    write_csv(data, contract, folder / "customers.csv")
    table = pd.read_csv(folder / "customers.csv")
    expected = content_bytes(data.features)
    assert len(set(expected)) == 200
    whole = pd.read_csv(io.StringIO(table.to_csv(index=False)), dtype=str)
    narrow = table.assign(**{name: table[name].astype(np.float32) for name in table.select_dtypes("float64")})
    for name, frame in (
        ("texts", whole),
        ("floats of 32 bits", narrow),
        ("columns in another order", table[table.columns[::-1]]),
    ):
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), folder / "customers.parquet")
        read = read_dataset(folder / "customers.parquet", contract, check_relations=False)
        assert content_bytes(read.features) == expected, name
    integers = data.features.assign(customer_service_calls=data.features["customer_service_calls"].astype(np.int64))
    assert content_bytes(integers) == expected


def test_a_content_is_every_value_of_the_row() -> None:
    frame = pd.DataFrame({"a": [1.0, -0.0, np.nan], "b": ["x", None, ""]})
    same = pd.DataFrame({"a": [1, 0, float("nan")], "b": ["x", np.nan, ""]})
    assert content_bytes(frame) == content_bytes(same)
    others = [frame.assign(a=[2.0, -0.0, np.nan]), frame.assign(b=["y", None, ""]), frame.rename(columns={"a": "c"})]
    assert all(content_bytes(other)[0] != content_bytes(frame)[0] for other in others)
    assert len(set(content_bytes(pd.DataFrame({"b": [None, "", "None"]})))) == 3
    assert content_bytes(frame.head(0)) == []


def test_a_rule_is_known_by_its_keys_and_by_the_columns_of_customers_without_ids() -> None:
    rules = [
        rule_digest("k", NONE, []),
        rule_digest("l", NONE, []),
        rule_digest("k", KEY, []),
        rule_digest("k", NONE, ["a", "b"]),
    ]
    assert len(set(rules)) == 4
    assert rule_digest("k", NONE, ["b", "a"]) == rules[3]
