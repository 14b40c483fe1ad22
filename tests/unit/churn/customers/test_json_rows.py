from __future__ import annotations

import numpy as np
import orjson
import pytest

from churn.contract import Column, Contract
from churn.customers.json_rows import customer_texts

CONTRACT = Contract(
    name="texts",
    columns=(
        Column(name="zone", source="Zone", kind="category", levels=('a"b', "},{", "ß\n"), nullable=True),
        Column(name="calls", source="Calls", kind="integer"),
        Column(name="plan", source="Plan", kind="flag"),
        Column(name="spent", source="Spent", kind="number"),
    ),
)


def in_full(values: dict[str, np.ndarray]) -> list[dict[str, object]]:
    """What each row says, without any short cut."""
    levels = [*CONTRACT["zone"].levels, None]
    rows = zip(*(values[name].tolist() for name in ("zone", "calls", "plan", "spent")), strict=True)
    known = [(levels[zone], *(None if np.isnan(v) else v for v in rest)) for zone, *rest in rows]
    return [
        {"zone": zone, "calls": calls, "plan": None if plan is None else plan == 1, "spent": spent}
        for zone, calls, plan, spent in known
    ]


@pytest.mark.parametrize("rows", [0, 1, 3, 500])
@pytest.mark.parametrize("calls", [(0, 50), (0, 10**6), (-5, 5), (2**53 - 1, 2**53)])
def test_texts_say_what_the_columns_do(rows: int, calls: tuple[int, int]) -> None:
    rng = np.random.default_rng(rows)
    values = {
        "zone": rng.integers(-1, 3, rows).astype(np.int32),
        "calls": np.where(rng.random(rows) < 0.2, np.nan, rng.integers(*calls, rows).astype(np.float64)),
        "plan": rng.choice([0.0, 1.0, np.nan], rows),
        "spent": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(0, 1e6, rows)),
    }
    texts = customer_texts(values, CONTRACT)
    assert [orjson.loads(text) for text in texts] == in_full(values)
    assert texts == [orjson.dumps(row).decode() for row in in_full(values)]


def test_a_column_that_is_all_missing_and_one_with_a_fraction() -> None:
    values = {
        "zone": np.full(8, -1),
        "calls": np.array([0.0, 1.0, 1.5, 0, 0, 0, 0, 0]),
        "plan": np.full(8, np.nan),
        "spent": np.full(16, np.nan)[::2],
    }
    assert [orjson.loads(text) for text in customer_texts(values, CONTRACT)] == in_full(values)
