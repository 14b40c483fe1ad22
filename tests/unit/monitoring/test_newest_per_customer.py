"""No customer counts twice, in whatever order and in however many parts the window comes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from monitoring.newest_per_customer import iter_newest_per_customer, newest_per_customer


def window(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    ids = [None if rng.random() < 0.2 else f"c{rng.integers(0, 30)}" for _ in range(200)]
    return pd.DataFrame({"seq": np.arange(1, 201), "customer_id": pd.Series(ids, dtype=object)})


def expected(rows: pd.DataFrame) -> list[int]:
    newest = {who: seq for seq, who in zip(rows["seq"], rows["customer_id"], strict=True) if who is not None}
    return sorted([*newest.values(), *rows.loc[rows["customer_id"].isna(), "seq"]])


@pytest.mark.parametrize("seed", range(5))
def test_order_does_not_matter(seed: int) -> None:
    rows = window(seed)
    found = newest_per_customer(rows.sample(frac=1, random_state=seed))
    assert found["seq"].tolist() == expected(rows)
    assert (list(found.columns), found.index.tolist()) == (list(rows.columns), list(range(len(found))))


def test_rows_of_different_customers_are_put_in_order_and_get_no_column_of_their_own() -> None:
    found = newest_per_customer(pd.DataFrame({"seq": [3, 1, 2], "customer_id": ["a", "b", "c"]}))
    assert found.to_dict("list") == {"seq": [1, 2, 3], "customer_id": ["b", "c", "a"]}
    assert found.index.tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [1, 7, 64, 500])
def test_parts_do_not_matter(size: int) -> None:
    rows = window(9)
    backwards = rows[::-1]
    parts = [backwards.iloc[start : start + size] for start in range(0, len(rows), size)]
    assert sorted(pd.concat(list(iter_newest_per_customer(parts)))["seq"]) == expected(rows)


def test_without_ids_or_repetition_nothing_is_copied() -> None:
    rows = window(1).assign(customer_id=None)
    assert newest_per_customer(rows) is rows
