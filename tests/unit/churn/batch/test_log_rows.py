"""Rows of `churn score --log`: numbered, the same ones again, in small chunks, from any row on."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow.csv
import pytest

from churn.batch import log_rows
from churn.batch.log_rows import RowMaker, chunks
from churn.batch.model import Scorer
from churn.batch.plan import Plan, Terms, make_plan
from tests.integration.files_to_score import customers, make_scorer

pytestmark = pytest.mark.usefixtures("small_pieces")
ROWS, TERMS = 130, Terms()
MOMENT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    return make_scorer()


@pytest.fixture
def plan(tmp_path: Path, scorer: Scorer) -> Plan:
    path = tmp_path / "in.csv"
    pyarrow.csv.write_csv(customers(ROWS), path)
    return make_plan(path, scorer.model.digest, TERMS)


@pytest.mark.parametrize("skip", [0, 49, 50, ROWS - 1, ROWS])
def test_every_row_after_those_skipped_comes_once_in_order_and_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch, scorer: Scorer, plan: Plan, skip: int
) -> None:
    monkeypatch.setattr(log_rows, "CHUNK_ROWS", 50)
    found = list(chunks(scorer, plan, TERMS, 2, skip))
    assert [int(number) for chunk in found for number in chunk.numbers] == list(range(skip, ROWS))
    assert all(0 < len(chunk.numbers) == len(chunk.customers) == len(chunk.probabilities) <= 50 for chunk in found)


def test_the_same_rows_are_made_again_and_their_ids_tell_their_numbers(scorer: Scorer, plan: Plan) -> None:
    maker = RowMaker(scorer, scorer.model.digest.encode(), MOMENT)
    once, again = ([row for chunk in chunks(scorer, plan, TERMS, 1, 0) for row in maker.rows(chunk)] for _ in range(2))
    assert once == again
    assert [maker.number(row.prediction_id) for row in once] == list(range(ROWS))
    assert len({row.prediction_id for row in once}) == ROWS


def test_with_a_pseudonym_no_plain_id_is_in_a_row(scorer: Scorer, plan: Plan) -> None:
    plain, hidden = (
        [row.customer_id for chunk in chunks(scorer, plan, TERMS, 1, 0) for row in maker.rows(chunk)]
        for maker in (
            RowMaker(scorer, b"digest", MOMENT),
            RowMaker(scorer, b"digest", MOMENT, pseudonym=lambda customer_id: f"hidden-{customer_id}"),
        )
    )
    assert any(plain)
    assert hidden == [None if one is None else f"hidden-{one}" for one in plain]
