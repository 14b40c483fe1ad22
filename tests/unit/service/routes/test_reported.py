"""Lists that are reported: read whole, in their order, up to a limit; answered with the names that the caller gave."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from churn.store.contacts.records import ContactReceipt
from churn.store.records import Outcome, OutcomeReceipt
from service.http.errors import TooLarge, Unprocessable, WrongMediaType
from service.routes import reported
from service.routes.reported import ReportedList, answer_reported, read_reported
from service.schemas.native import OutcomeItem

AT = datetime(2026, 1, 2, tzinfo=UTC)
KIND: Any = ReportedList("outcomes", OutcomeItem, ("churned", "corrects", "withdrawn"), lambda item: item.to_outcome(AT))
STATE: Any = SimpleNamespace(body_limits=None, settings=SimpleNamespace(max_batch_rows=3))


def read(monkeypatch: pytest.MonkeyPatch, body: bytes, media: str = "application/json") -> list[Any]:
    async def sent(_request: Any, _limits: Any) -> bytes:
        return body

    monkeypatch.setattr(reported, "read_payload", sent)
    request: Any = SimpleNamespace(headers={"content-type": media})
    return asyncio.run(read_reported(request, STATE, KIND))


def outcomes(count: int) -> bytes:
    return orjson.dumps({"outcomes": [{"prediction_id": f"p{n}", "churned": n == 1} for n in range(count)]})


def test_json_and_csv_say_the_same_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [Outcome(n == 1, AT, f"p{n}", None) for n in range(3)]
    assert read(monkeypatch, outcomes(3)) == expected
    assert read(monkeypatch, b"prediction_id,churned\np0,false\np1,true\np2,no\n", "text/csv") == expected


def test_more_than_the_limit_and_other_media_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TooLarge, match=r"At most 3 outcomes in one request\."):
        read(monkeypatch, outcomes(4))
    with pytest.raises(TooLarge):
        read(monkeypatch, b"prediction_id,churned\n" + b"p,true\n" * 4, "text/csv")
    with pytest.raises(WrongMediaType):
        read(monkeypatch, b"", "application/vnd.apache.parquet")
    with pytest.raises(Unprocessable) as error:
        read(monkeypatch, b'{"outcomes": [{"prediction_id": "p", "churned": true}, {"prediction_id": "p"}]}')
    assert [one.field for one in error.value.errors] == ["outcomes.1.churned"]


@pytest.mark.parametrize("at_once", [1, 2, 1_000])
def test_positions_are_answered_with_their_names(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reported, "ANSWERED_AT_ONCE", at_once)
    records = [Outcome(True, AT, f"p{n}", None) for n in range(3)] + [Outcome(True, AT, None, 'c"3')]
    receipt = OutcomeReceipt(accepted=1, duplicates=2, unknown=[0, 2, 3], conflicting=[])
    assert orjson.loads(asyncio.run(answer_reported(records, receipt))) == {
        "accepted": 1,
        "duplicates": 2,
        "unknown": [
            {"index": 0, "prediction_id": "p0", "customer_id": None},
            {"index": 2, "prediction_id": "p2", "customer_id": None},
            {"index": 3, "prediction_id": None, "customer_id": 'c"3'},
        ],
        "conflicting": [],
        "corrected": 0,
    }
    found = orjson.loads(asyncio.run(answer_reported(records, ContactReceipt(held_out=[1]))))
    assert found["held_out"] == [{"index": 1, "prediction_id": "p1", "customer_id": None}]
    assert set(found) == {"accepted", "duplicates", "unknown", "conflicting", "unasked", "held_out"}


def test_long_answers_are_written_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, int]] = []

    async def run(size: int, write: Any, *, max_inline: int) -> bytes:
        sizes.append((size, max_inline))
        found: bytes = write()
        return found

    monkeypatch.setattr(reported, "run_off_event_loop", run)
    records = [Outcome(True, AT, "p", None)] * 3
    asyncio.run(answer_reported(records, OutcomeReceipt(accepted=90_000, unknown=[0, 1], conflicting=[2])))
    assert sizes == [(3, 1_000)]
