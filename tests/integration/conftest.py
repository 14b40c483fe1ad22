"""The store on both databases. One PostgreSQL server for all tests of a process, an empty database for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from churn.store.store import Store
from tests.integration.postgres import Server, postgres_server


@pytest.fixture(scope="session", autouse=True)
def patient() -> Iterator[None]:
    """A service that starts waits for its first model as long as that takes on this machine."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("service.rollout.champion_follower.MAX_FIRST_POLL_SECONDS", 300.0)
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with postgres_server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'state' / 'store.db'}"
        return
    server: Server = request.getfixturevalue("postgres")
    with server.database() as address:
        yield address


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store.open(url)
    yield opened
    opened.close()
