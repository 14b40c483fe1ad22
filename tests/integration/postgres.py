"""A real PostgreSQL for the time of a test; skips with a reason where there are no programs to start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tools import postgres
from tools.postgres import Cluster as Server
from tools.postgres import NotHere, running_cluster

__all__ = ["Server", "find_programs", "postgres_server"]


def find_programs() -> Path:
    """Give the folder of the server programs; skip with a reason where there is none."""
    try:
        return postgres.find_programs()
    except NotHere as missing:
        pytest.skip(str(missing))


@contextmanager
def postgres_server() -> Iterator[Server]:
    """Start a server of our own; its databases are made and dropped through `Server.database`."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(running_cluster())
        except NotHere as missing:
            pytest.skip(str(missing))
        yield server
