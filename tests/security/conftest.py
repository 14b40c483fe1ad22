from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from service.app import ServiceApp, create_app
from tests.unit.service.fakes import KEYS, FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def small_heap() -> None:
    """Leave what other tests of this process left behind out of every collection: to measure memory takes one each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def make_app(tmp_path: Path, store: FakeStore) -> Callable[..., ServiceApp]:
    """Make the real app, on stand-ins for registry and store."""

    def make(**changes: Any) -> ServiceApp:
        registry = FakeRegistry(make_model("1"))
        return create_app(
            make_settings(tmp_path, **changes),
            registry=registry,
            store=store,
            last_known_good=FakeLastKnownGood().last_known_good(),
        )

    return make


@pytest.fixture
async def open_client(make_app: Callable[..., ServiceApp]) -> AsyncIterator[httpx2.AsyncClient]:
    """A service on loopback without keys."""
    async with running(make_app()) as client:
        yield client


@pytest.fixture
async def keyed_client(make_app: Callable[..., ServiceApp]) -> AsyncIterator[httpx2.AsyncClient]:
    """A service with a key a scope."""
    async with running(make_app(api_keys=KEYS)) as client:
        yield client
