"""POST /campaign/candidates: whom of some customers to call, and why. The page at / asks for a file, piece by piece."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request
from numpy.typing import NDArray
from starlette.responses import Response

from churn.campaigns.call_list import MAX_REASONS, Call, csv_header, csv_line
from churn.campaigns.expected import Expected, Floats, expect, split_value, without_features
from churn.clock import now
from churn.customers.columns import CustomerColumns
from churn.customers.customer import EMPTY_CUSTOMER
from service.authorization import require
from service.formats.csv_text import read_csv
from service.formats.json_text import refuse
from service.formats.media import Media, parse_content_type
from service.formats.payload import read_off_event_loop, read_payload
from service.http.errors import WrongMediaType
from service.http.openapi import problems
from service.http.strict_query import StrictRoute
from service.schemas.campaign import CandidatesAnswer
from service.scoring.call_reasons import CallReasons
from service.scoring.scored_batch import ScoredBatch
from service.scoring.served_model import ServedModel
from service.state import State
from service.threads import CLIENT_WORK

router = APIRouter(route_class=StrictRoute, tags=["campaigns"], dependencies=[Depends(require("predict"))])
# Each may get reasons in words: some hundred microseconds of a thread.
MAX_ROWS = 2_000
_BODY = {"requestBody": {"required": True, "content": {Media.CSV.value: {"schema": {"type": "string"}}}}}


@router.post(
    "/campaign/candidates",
    response_model=CandidatesAnswer,
    responses=problems(401, 403, 413, 415, 422, 503),
    openapi_extra=_BODY,
)
async def find_candidates(request: Request, state: State) -> Response:
    """Score customers and return who is worth a call, without those who are to be left alone.

    Takes CSV with ids, at most 2,000 rows at once. Columns that the contract does not know are left aside. What is scored is
    logged; nobody counts as contacted by it.
    """
    if parse_content_type(request.headers.get("content-type", ""), (Media.CSV,)) is not Media.CSV:
        raise WrongMediaType("Send CSV, with the header Content-Type: text/csv.")
    body = await read_payload(request, state.body_limits)
    served = state.active_model.current()
    rules = state.rules_with_value
    customers = await read_off_event_loop(Media.CSV, len(body), lambda: read_csv(body, rules, MAX_ROWS))
    features, value, _ = split_value(customers, state.contract, served.info.profit)
    named = _check(features)
    batch = await state.predictions.predict_batch(served, features)
    expected = expect(batch.probabilities, value, served.info.profit)
    worth = np.flatnonzero(expected.gain > 0)
    since = now() - state.settings.contact_effect
    ids = [named[at] for at in worth.tolist()]
    why: dict[str, str] = dict(await state.outcome_threads.run(lambda: state.store.not_to_contact(ids, since)))
    control = state.predictions.control
    why |= {name: "control_group" for name in ids if name not in why and control.has(name)}
    called = np.array([at for at, name in zip(worth.tolist(), ids, strict=True) if name not in why], dtype=np.int64)
    content = await CLIENT_WORK.run(lambda: _answer(state, served, batch, (value, expected), called, Counter(why.values())))
    return Response(content, media_type="application/json")


def _check(customers: CustomerColumns) -> list[str]:
    """Return the customers' ids: each is there, once, and stands for somebody of whom something is known."""
    names = customers.customer_ids or [None] * len(customers)
    seen: set[str] = set()
    for row, (name, empty) in enumerate(zip(names, without_features(customers).tolist(), strict=True)):
        if name is None:
            refuse(f"rows.{row}.customer_id", "is missing: whoever is to be called needs one")
        if name in seen:
            refuse(f"rows.{row}.customer_id", "is there twice: whom would a call reach?")
        if empty:
            refuse(f"rows.{row}", EMPTY_CUSTOMER)
        seen.add(name)
    return [name for name in names if name is not None]


def _answer(
    state: State,
    served: ServedModel,
    batch: ScoredBatch,
    money: tuple[Floats, Expected],
    called: NDArray[np.int64],
    left_out: Counter[str],
) -> bytes:
    _, expected = money
    some = CustomerColumns({name: values[called] for name, values in batch.customers.values.items()})
    reasons = CallReasons(served.explainer, served.scorer.values, state.contract, MAX_REASONS).of(some)
    segmenter = served.segmenter
    numbers = [] if segmenter is None else segmenter.of_customers(some, state.contract).tolist()
    names: Iterable[str | None] = repeat(None) if segmenter is None else (segmenter.names[number] for number in numbers)
    candidates = [
        _candidate(batch, money, at, why, segment) for at, why, segment in zip(called.tolist(), reasons, names, strict=False)
    ]
    return orjson.dumps(
        {
            "model_version": served.version,
            "currency": served.info.profit.currency,
            "customers": len(batch.prediction_ids),
            "customer_ids": batch.customer_ids,
            "candidates": candidates,
            # A picture needs no more.
            "others_gain": np.round(expected.gain[expected.gain <= 0], 2).tolist(),
            "left_out": {name: left_out[name] for name in ("control_group", "opted_out", "contacted_lately")},
            "header": csv_header(segment=segmenter is not None),
        }
    )


def _candidate(
    batch: ScoredBatch, money: tuple[Floats, Expected], at: int, reasons: list[str], segment: str | None
) -> dict[str, Any]:
    """Return one customer of the list, by the place in the request, ready to be encoded as JSON."""
    value, expected = money
    name = batch.customer_ids[at] or ""
    call = Call.of(name, float(batch.probabilities[at]), float(value[at]), float(expected.gain[at]), reasons, segment)
    return {
        "index": at,
        "customer_id": name,
        "churn_probability": float(batch.probabilities[at]),
        "value": float(value[at]),
        "expected_gain": float(expected.gain[at]),
        "expected_saved": float(expected.saved[at]),
        "expected_cost": float(expected.cost[at]),
        "reasons": reasons,
        **({} if segment is None else {"segment": segment}),
        "line": csv_line(call),
    }
