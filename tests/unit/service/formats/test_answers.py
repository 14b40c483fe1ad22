"""Answers to batches are made piece by piece, and are the same as if they were made at once."""

from __future__ import annotations

import orjson
import pytest

from churn.contract import Contract
from service.formats import answers
from service.scoring.scored_batch import ScoredBatch


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
