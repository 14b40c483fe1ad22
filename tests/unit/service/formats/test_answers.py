"""Answers to batches are made piece by piece, and are the same as if they were made at once."""

from __future__ import annotations

import orjson
import pytest

from churn.contract import Contract
from service.formats import answers
from service.formats.records import from_records
from service.formats.validation import ColumnRules
from service.schemas.native import RequestModels
from service.scoring.scored_batch import ScoredBatch
from tests.unit.service.fakes import make_model, served_model


@pytest.fixture(scope="module")
def batch(contract: Contract) -> ScoredBatch:
    rules = ColumnRules(contract, RequestModels.from_contract(contract, 100).customer)
    customers = [{"total_day_minutes": float(n), "state": "OH", "customer_id": f'c"{n}' if n % 2 else None} for n in range(25)]
    return served_model(make_model("3"), "registry").score_columns(from_records(customers, rules, "customers", 100))


@pytest.mark.parametrize("piece", [1, 7, 24, 25, 26])
def test_pieces_of_json_make_the_whole(batch: ScoredBatch, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    (whole,) = answers.json_answer(batch)
    monkeypatch.setattr(answers, "PIECE_ROWS", piece)
    pieces = list(answers.json_answer(batch))
    assert (len(pieces), b"".join(pieces)) == (-(-25 // piece), whole)
    document = orjson.loads(whole)
    assert document["model_version"] == "3"
    assert [one["prediction_id"] for one in document["predictions"]] == list(batch.prediction_ids)
    assert [one["customer_id"] for one in document["predictions"]] == [f'c"{n}' if n % 2 else None for n in range(25)]
    assert [one["churn_probability"] for one in document["predictions"]] == batch.probabilities.tolist()


@pytest.mark.parametrize("piece", [1, 7, 24, 25, 26])
def test_pieces_of_the_records_make_the_whole(batch: ScoredBatch, contract: Contract, piece: int) -> None:
    pieces = [batch.rows(contract, start, start + piece) for start in range(0, 25, piece)]
    assert [row for rows in pieces for row in rows] == batch.rows(contract)
    assert len(batch.rows(contract)) == 25
