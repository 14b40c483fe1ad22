from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from service.app import ServiceApp, create_app
from tests.unit.service.fakes import FakeLastKnownGood, FakeRegistry, FakeStore, make_model, make_settings, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry(make_model("1"))


@pytest.fixture
def last_known_good() -> FakeLastKnownGood:
    return FakeLastKnownGood()


@pytest.fixture
def app(tmp_path: Path, registry: FakeRegistry, store: FakeStore, last_known_good: FakeLastKnownGood) -> ServiceApp:
    return create_app(make_settings(tmp_path), registry=registry, store=store, last_known_good=last_known_good.last_known_good())


@pytest.fixture
async def spoolless(
    tmp_path: Path, registry: FakeRegistry, store: FakeStore, last_known_good: FakeLastKnownGood
) -> AsyncIterator[httpx2.AsyncClient]:
    """A service that has nowhere to put predictions while the store is away."""
    app = create_app(
        make_settings(tmp_path, spool_max_bytes=0),
        registry=registry,
        store=store,
        last_known_good=last_known_good.last_known_good(),
    )
    async with running(app) as client:
        yield client


@pytest.fixture
async def client(app: ServiceApp) -> AsyncIterator[httpx2.AsyncClient]:
    async with running(app) as client:
        yield client
