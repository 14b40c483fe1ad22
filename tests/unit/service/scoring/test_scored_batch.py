"""Answers for many customers: who is to be contacted, and the rows that go into the log."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from churn.contract import load_contract
from churn.customers.columns import CustomerColumns
from churn.store.records import PredictionRow
from service.scoring.scored_batch import BatchSegments, ScoredBatch
from service.scoring.served_model import action_of

CONTRACT = load_contract("telecom")
# Every combination of: churn, held out of those who churn, opted out.
CASES = [(churn, held_out and churn, opted_out) for churn, held_out, opted_out in product((False, True), repeat=3)]


def batch(*, ids: bool = True, opted_out: bool = True) -> ScoredBatch:
    count = len(CASES)
    churn, held_out, out = (np.array(column) for column in zip(*CASES, strict=True))
    values = {one.name: np.full(count, -1 if one.kind == "category" else np.nan) for one in CONTRACT.features}
    values["total_day_minutes"] = np.arange(count) / 10
    values = {name: found.astype(int) if CONTRACT[name].kind == "category" else found for name, found in values.items()}
    return ScoredBatch(
        CustomerColumns(values, [f"c{n}" if n % 2 else None for n in range(count)] if ids else None),
        [f"p{n}" for n in range(count)],
        np.where(churn, 0.75, 0.25),
        churn,
        "7",
        0.5,
        "2026-03-01 12:00:00.000000",
        held_out,
        out if opted_out else None,
        BatchSegments(np.array([n % 2 for n in range(count)], dtype=np.int8), ["high", "typical"]),
    )


@pytest.mark.parametrize("some", [slice(None), slice(2, 5), slice(6, None), slice(3, 3)])
def test_actions_are_those_of_single_answers(some: slice) -> None:
    assert batch().actions(some) == [action_of(*case) for case in CASES][some]
    assert batch(opted_out=False).actions(some) == [action_of(churn, held_out) for churn, held_out, _ in CASES][some]


def test_without_ids_nobody_is_named() -> None:
    assert batch(ids=False).customer_ids == [None] * len(CASES)
    assert list(batch().customer_ids) == [None, "c1", None, "c3", None, "c5", None, "c7"]


@pytest.mark.parametrize(("start", "end"), [(0, None), (0, 3), (3, 6), (6, 100)])
def test_rows_of_the_log_are_the_answers_of_those_customers(start: int, end: int | None) -> None:
    made = batch()
    rows = made.rows(CONTRACT, start, end)
    expected = range(len(CASES))[start:end]
    assert [row.prediction_id for row in rows] == [f"p{n}" for n in expected]
    for n, row in zip(expected, rows, strict=True):
        churn, held_out, _ = CASES[n]
        said = PredictionRow(
            f"p{n}",
            f"c{n}" if n % 2 else None,
            made.requested_at,
            "7",
            0.75 if churn else 0.25,
            0.5,
            churn,
            row.features,
            held_out,
        )
        assert row == said
        assert {type(value) for value in row} <= {str, float, bool, type(None)}, "no numpy in the log"
        assert f'"total_day_minutes":{n / 10}' in row.features.replace(" ", "")


def test_segments_are_named() -> None:
    segments = batch().segments
    assert segments is not None
    assert segments.of(slice(1, 4)) == ["typical", "high", "typical"]
