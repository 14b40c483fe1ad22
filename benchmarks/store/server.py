"""The benchmark's PostgreSQL: it syncs to the disk as in production, and tells the plan of all it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.postgres import running_cluster

SETTINGS = {
    # As in production.
    "fsync": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "session_preload_libraries": "auto_explain",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_buffers": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_nested_statements": "on",
    # To the client alone, who asks for it.
    "log_min_messages": "fatal",
}


@contextmanager
def postgres(folder: Path | None = None) -> Iterator[str]:
    """Start a server for a `with` block, on a socket, and give the URL of an empty database. ChurnError if it does not start."""
    with running_cluster(SETTINGS, folder) as cluster:
        yield cluster.url("postgres")
