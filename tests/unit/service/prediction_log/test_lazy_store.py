from __future__ import annotations

import pytest

from churn.errors import StoreError
from service.prediction_log.lazy_store import LazyStore
from tests.unit.service.fakes import FakeStore
from tests.unit.service.prediction_log.helpers import record

pytestmark = pytest.mark.anyio


async def test_lazy_store_opens_when_it_can_and_once(store: FakeStore) -> None:
    tries: list[str] = []

    def open_store(url: str) -> FakeStore:
        tries.append(url)
        if len(tries) < 3:
            raise StoreError("away")
        return store

    late = LazyStore("sqlite:///x", open_store)
    for method in (late.ping, lambda: late.write_rows([record()])):
        with pytest.raises(StoreError):
            method()
    late.write_rows([record()])
    late.write_outcomes([])
    late.write_contacts([])
    late.ping()
    assert (len(tries), len(store.rows)) == (3, 1)
    late.close()
    assert store.closed


async def test_lazy_store_that_never_opened_closes() -> None:
    LazyStore("sqlite:////nowhere/at/all/x.db").close()
