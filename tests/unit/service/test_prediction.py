"""A prediction is scored, then logged, and only then counted, offered to the challenger and answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pytest

from churn.campaigns.control_group import ControlGroup
from churn.contract import load_contract
from churn.customers.columns import CustomerColumns
from churn.errors import NoModel, NoReasons, NoSegments, StoreError
from churn.store.records import PredictionRow
from service import prediction
from service.prediction import Extras, PredictionService
from service.request_context import CURRENT, RequestContext
from service.rollout.active_model import ActiveModel
from tests.unit.service.fakes import FEATURES, make_model, served_model, with_segments

CONTRACT = load_contract("telecom")
VALUES = [{"total_day_minutes": 300.0, "customer_service_calls": 4.0}.get(name) for name in CONTRACT.feature_names]
Done = Callable[[Exception | None], None]


class Journal:
    """Log, metrics and shadow in one: what was asked of each, in order. The log keeps rows when `settle` says so."""

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.waiting: list[Done] = []
        self.error: Exception | None = None

    def names(self) -> list[str]:
        return [name for name, *_ in self.said]

    def submit(self, rows: Sequence[PredictionRow], done: Done) -> None:
        self.said.append(("log", list(rows)))
        self.waiting.append(done)

    async def write(self, rows: Sequence[PredictionRow]) -> None:
        self.said.append(("log", list(rows)))
        if self.error is not None:
            raise self.error

    def settle(self, error: Exception | None = None) -> None:
        self.waiting.pop()(error)

    def count_one(self, row: PredictionRow, values: Sequence[Any]) -> None:
        self.said.append(("counted", row, values))

    def offer(self, row: PredictionRow, values: Sequence[Any]) -> None:
        self.said.append(("offered", row, values))

    def count_many(self, batch: Any) -> None:
        self.said.append(("counted", batch))

    def offer_many(self, batch: Any) -> None:
        self.said.append(("offered", batch))


class OneOptedOut:
    """Whoever is named `never` wants no contacts."""

    def __len__(self) -> int:
        return 1

    def has(self, name: str | None) -> bool:
        return name == "never"

    def among(self, names: Sequence[str | None], _asked: Any) -> Any:
        return np.array([self.has(name) for name in names])


def service(journal: Journal, model: Any = None, **parts: Any) -> PredictionService:
    active = ActiveModel()
    active.activate(served_model(make_model() if model is None else model, "disk"))
    fakes: Any = {
        "log": journal,
        "metrics": journal,
        "shadow": journal,
        "opt_outs": SimpleNamespace(current=OneOptedOut()),
        **parts,
    }
    return PredictionService(active, **fakes)


def answer(begun: PredictionService, journal: Journal, customer_id: str | None = None, more: Extras | None = None) -> Any:
    got: list[bytes | Exception] = []
    begun.begin_one(VALUES, customer_id, more, None, got.append)
    journal.settle()
    [response] = got
    assert isinstance(response, bytes)
    return orjson.loads(response)


def test_nothing_is_counted_or_answered_before_the_record_is_kept() -> None:
    journal, got = Journal(), list[bytes | Exception]()
    service(journal).begin_one(VALUES, "c1", None, None, got.append)
    assert (journal.names(), got) == (["log"], [])
    journal.settle()
    [(_, [row]), counted, offered] = journal.said
    assert (counted, offered) == (("counted", row, VALUES), ("offered", row, VALUES))
    [response] = got
    assert isinstance(response, bytes)
    said = orjson.loads(response)
    assert (said["prediction_id"], said["customer_id"], said["action"]) == (row.prediction_id, "c1", "contact")
    assert {"reasons", "segment"}.isdisjoint(said)


def test_a_record_that_is_not_kept_is_an_error_and_is_not_counted() -> None:
    journal, got = Journal(), list[bytes | Exception]()
    service(journal).begin_one(VALUES, "c1", None, None, got.append)
    error = StoreError("full")
    journal.settle(error)
    assert (journal.names(), got) == (["log"], [error])


def test_the_action_goes_by_the_control_group_and_by_who_wants_no_contacts() -> None:
    journal = Journal()
    assert answer(service(journal), journal, "never")["action"] == "none"
    assert answer(service(journal, control=ControlGroup(0.999_999)), journal, "c1")["action"] == "hold_out"
    assert journal.said[3][1][0].held_out


def test_what_is_asked_for_beside_the_prediction_is_in_the_answer() -> None:
    journal = Journal()
    begun = service(journal, with_segments(make_model()))
    said = answer(begun, journal, more=Extras(reasons=2, segment=True))
    assert said["segment"] == f"high {FEATURES[0]}"
    assert len(said["reasons"]) == 2
    assert "base_value" in said
    assert "segment" not in answer(begun, journal, more=Extras(reasons=1))
    assert answer(begun, journal, more=Extras(reasons=0))["reasons"] == []


def test_what_the_model_cannot_give_is_refused_before_anything_is_logged() -> None:
    journal = Journal()
    begun = service(journal)
    active = begun.active_model
    active.activate(replace(active.current(), explainer=None))
    for more, error in ((Extras(reasons=1), NoReasons), (Extras(segment=True), NoSegments)):
        with pytest.raises(error):
            begun.begin_one(VALUES, None, more, None, pytest.fail)
    assert journal.said == []
    with pytest.raises(NoModel):
        replace(begun, active_model=ActiveModel()).begin_one(VALUES, None, None, None, pytest.fail)


@pytest.mark.parametrize("reasons", [True, False])
@pytest.mark.parametrize("segments", [True, False])
def test_whether_it_can_be_answered(reasons: bool, segments: bool) -> None:
    begun = service(Journal())
    known: Any = {"explainer": object() if reasons else None, "segmenter": object() if segments else None}
    begun.active_model.activate(replace(begun.active_model.current(), **known))
    assert begun.can_answer(None)
    assert begun.can_answer(Extras())
    assert begun.can_answer(Extras(reasons=0)) is reasons
    assert begun.can_answer(Extras(segment=True)) is segments
    assert begun.can_answer(Extras(3, True)) is (reasons and segments)
    nothing = replace(begun, active_model=ActiveModel())
    assert not nothing.can_answer(None)
    assert not nothing.can_answer(Extras())


def test_who_waits_gets_the_answer_or_the_error() -> None:
    async def wait(error: Exception | None, *, cancelled: bool = False) -> bytes:
        journal = Journal()
        asked = asyncio.ensure_future(service(journal).predict_one(VALUES, "c1", None))
        await asyncio.sleep(0)
        assert not asked.done()
        if cancelled:
            asked.cancel()
            await asyncio.sleep(0)
        journal.settle(error)
        return await asked

    assert orjson.loads(asyncio.run(wait(None)))["customer_id"] == "c1"
    with pytest.raises(StoreError, match="full"):
        asyncio.run(wait(StoreError("full")))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(wait(None, cancelled=True))


def customers(count: int) -> CustomerColumns:
    values = {one.name: np.full(count, -1 if one.kind == "category" else np.nan) for one in CONTRACT.features}
    values = {name: found.astype(int) if CONTRACT[name].kind == "category" else found for name, found in values.items()}
    values["total_day_minutes"] = np.linspace(0, 300, count)
    return CustomerColumns(values, [*["never"] * (count - 1), "c"])


async def predict(begun: PredictionService, count: int, **asked: bool) -> Any:
    return await begun.predict_batch(begun.active_model.current(), customers(count), **asked)


@pytest.mark.parametrize(("rows", "threads"), [(4, 0), (5, 2)])
def test_a_batch_is_logged_whole_before_it_is_counted(rows: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[bool] = []

    async def run(work: Callable[[], Any], *, is_begun: bool = False) -> Any:
        begun.append(is_begun)
        return work()

    assert prediction.SMALL_BATCH_ROWS == 200
    monkeypatch.setattr(prediction, "SMALL_BATCH_ROWS", 4)
    monkeypatch.setattr(prediction, "CLIENT_WORK", SimpleNamespace(run=run))
    journal = Journal()
    batch = asyncio.run(predict(service(journal), rows))
    assert journal.names() == ["log", "counted", "offered"]
    assert [row.prediction_id for row in journal.said[0][1]] == list(batch.prediction_ids)
    assert journal.said[1:] == [("counted", batch), ("offered", batch)]
    assert begun == [False, True][:threads], "what is begun is not refused for want of room"
    assert batch.actions()[-2:] == ["none", "contact"]
    assert batch.segments is None
    with_names = service(journal, with_segments(make_model()))
    assert asyncio.run(predict(with_names, rows, segment=True)).segments is not None
    assert len(begun) == (threads and 5)


def test_a_large_batch_is_logged_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    assert prediction.LOGGED_AT_ONCE == 5_000
    monkeypatch.setattr(prediction, "LOGGED_AT_ONCE", 3)
    journal = Journal()
    batch = asyncio.run(predict(service(journal), 7))
    parts = [rows for name, rows in journal.said[:-2] if name == "log"]
    assert list(map(len, parts)) == [3, 3, 1]
    assert [row.prediction_id for rows in parts for row in rows] == list(batch.prediction_ids)


def test_a_batch_that_cannot_be_logged_or_named_is_not_counted() -> None:
    journal = Journal()
    journal.error = StoreError("full")
    with pytest.raises(StoreError):
        asyncio.run(predict(service(journal), 2))
    unnamed: Any = SimpleNamespace(version="1", require_segments=served_model(make_model(), "disk").require_segments)
    with pytest.raises(NoSegments):  # before anybody is scored
        asyncio.run(service(journal).predict_batch(unnamed, customers(2), segment=True))
    assert journal.names() == ["log"]


class Trace:
    """Notes which parts of a request are measured, and which end."""

    def __init__(self) -> None:
        self.spans: list[str] = []

    @contextmanager
    def child_span(self, name: str) -> Iterator[None]:
        yield
        self.spans.append(name)

    def start_child(self, name: str) -> Callable[[], None]:
        return lambda: self.spans.append(name)

    def end(self, *_: Any, **__: Any) -> None:
        """See `RequestTrace`."""


def test_a_request_knows_its_model_and_its_trace_both_parts() -> None:
    journal, context, trace = Journal(), RequestContext(), Trace()
    context.trace = trace
    begun = service(journal, make_model("7"))
    begun.begin_one(VALUES, None, None, context, lambda _: None)
    assert (context.model_version, trace.spans) == ("7", ["score"])
    journal.settle()
    assert trace.spans == ["score", "log"]
    context.model_version = None
    CURRENT.set(context)
    try:
        asyncio.run(predict(begun, 2))
    finally:
        CURRENT.set(None)
    assert (context.model_version, trace.spans) == ("7", ["score", "log"] * 2)
