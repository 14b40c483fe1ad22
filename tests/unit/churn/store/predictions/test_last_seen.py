"""What customers looked like when they were last seen: the same as reading everything and looking."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pytest

from churn.contract import load_contract
from churn.store.records import Prediction
from churn.store.store import Store
from tests.unit.churn.store.rows import NOON, prediction

CONTRACT = load_contract()


def logged(store: Store, *, seed: int, rows: int = 120) -> list[Prediction]:
    """Log customers who come again, some without ids, by two models, not in the order of their times."""
    rng = np.random.default_rng(seed)
    made = [
        replace(
            prediction(n, requested_at=NOON + timedelta(minutes=int(rng.integers(0, 90)))),
            customer_id=None if rng.random() < 0.2 else f"c{rng.integers(0, 25)}",
            model_version=str(rng.integers(1, 3)),
            churn_probability=n / rows,
        )
        for n in range(rows)
    ]
    for one in made:
        store.write_predictions([one])
    return made


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("until", [None, NOON + timedelta(minutes=45)])
def test_it_is_the_last_earlier_prediction_of_the_same_customer(store: Store, seed: int, until: datetime | None) -> None:
    made = logged(store, seed=seed)
    seqs = store.read_predictions(CONTRACT)["seq"].tolist()
    first = 80
    newest = {one.customer_id: n for n, one in enumerate(made) if n >= first and one.customer_id is not None}
    expected = {}
    for customer, now in newest.items():
        before = [n for n, one in enumerate(made[:first]) if one.customer_id == customer]
        before = [n for n in before if until is None or made[n].requested_at <= until]
        if before:
            last = max(before, key=lambda n: (made[n].requested_at, n))
            expected[seqs[now]] = (seqs[last], made[last].requested_at, made[last].model_version, made[last].churn_probability)
    nameless = [seqs[n] for n in range(first, len(made)) if made[n].customer_id is None]
    asked = [*(seqs[now] for now in newest.values()), *nameless]
    found = store.read_last_seen(CONTRACT, asked[::-1], before_seq=seqs[first], until=until)
    columns = ("seq", "requested_at", "model_version", "churn_probability")
    answers = zip(*(found[name] for name in columns), strict=True)
    assert dict(zip(found["now"], answers, strict=True)) == expected
    assert found["now"].is_monotonic_increasing
    assert list(found.columns[5:]) == CONTRACT.feature_names


def test_nobody_who_came_before_is_an_empty_frame(store: Store) -> None:
    logged(store, seed=1, rows=3)
    for asked in ([], [1, 2, 3]):
        found = store.read_last_seen(CONTRACT, asked, before_seq=1)
        assert (len(found), list(found.columns[5:])) == (0, CONTRACT.feature_names)
