"""What a batch is answered with: the same columns in every format, in the order of the customers."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO
from typing import Any

import orjson

from churn.customers.spreadsheet import safe_text
from service.scoring.scored_batch import ScoredBatch

SEGMENT = "segment"
COLUMNS = ("prediction_id", "customer_id", "churn_probability", "churn", "action", "threshold", "model_version")
# Rows in one piece of a streamed answer.
PIECE_ROWS = 10_000


def json_answer(batch: ScoredBatch) -> Iterator[bytes]:
    """Encode a batch as `service.schemas.native.BatchAnswer`, piece by piece.

    The objects of all predictions would take twice the memory of their text, and that as much as what was read.
    """
    before = b'{"model_version":%b,"predictions":[' % orjson.dumps(batch.model_version)
    rows = len(batch.prediction_ids)
    for start in range(0, max(rows, 1), PIECE_ROWS):
        end = start + PIECE_ROWS
        yield b"%b%b%b" % (before, _json_predictions(batch, slice(start, end)), b"]}" if end >= rows else b"")
        before = b","


def _json_predictions(batch: ScoredBatch, some: slice) -> bytes:
    """Encode some predictions as JSON objects with commas between them."""
    threshold, version = batch.threshold, batch.model_version
    predictions: list[dict[str, Any]] = [
        {
            "prediction_id": prediction_id,
            "customer_id": customer_id,
            "churn_probability": probability,
            "churn": churn,
            "action": action,
            "threshold": threshold,
            "model_version": version,
        }
        for prediction_id, customer_id, probability, churn, action in zip(
            batch.prediction_ids[some],
            batch.customer_ids[some],
            batch.probabilities[some].tolist(),
            batch.churn[some].tolist(),
            batch.actions(some),
            strict=True,
        )
    ]
    if batch.segments is not None:
        for prediction, segment in zip(predictions, batch.segments.of(some), strict=True):
            prediction[SEGMENT] = segment
    return orjson.dumps(predictions)[1:-1]


def csv_answer(batch: ScoredBatch) -> Iterator[bytes]:
    """Encode a batch as CSV, piece by piece. Flags are true and false, as in JSON; ids are escaped so that none is a formula."""
    ids, customers, probabilities = batch.prediction_ids, batch.customer_ids, batch.probabilities
    for start in range(0, len(ids), PIECE_ROWS):
        text = StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        if start == 0:
            writer.writerow(COLUMNS if batch.segments is None else (*COLUMNS, SEGMENT))
        end = start + PIECE_ROWS
        rows = zip(
            ids[start:end],
            map(safe_text, customers[start:end]),
            probabilities[start:end].tolist(),
            ("true" if churn else "false" for churn in batch.churn[start:end].tolist()),
            batch.actions(slice(start, end)),
            strict=True,
        )
        written: Iterator[tuple[Any, ...]] = ((*row, batch.threshold, batch.model_version) for row in rows)
        if batch.segments is not None:
            # A name is the contract's words: it may begin like a formula.
            named = map(safe_text, batch.segments.of(slice(start, end)))
            written = ((*row, segment) for row, segment in zip(written, named, strict=True))
        writer.writerows(written)
        yield text.getvalue().encode()
