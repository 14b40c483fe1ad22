"""How many predictions a second PostgreSQL takes, in groups as the log commits them, each synced to the disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

from churn.clock import now
from churn.ids import new_ids
from churn.store.records import TIME_FORMAT, PredictionRow
from churn.store.store import Store

# Rows a commit, and services that write at the same time.
CASES = ((1, 1), (50, 1), (500, 1), (5_000, 1), (500, 4))


def measure_inserts(url: str, texts: list[str], seconds: float) -> Iterator[dict[str, Any]]:
    """Write for so many seconds in each case."""
    # Plans are of no interest here, and cost time.
    url += f"&options={quote('-c auto_explain.log_min_duration=-1')}"
    for group, writers in CASES:
        with ThreadPoolExecutor(writers) as pool:
            counts = list(pool.map(lambda _: _write(url, texts, group, seconds), range(writers)))  # noqa: B023
        rows = sum(count for count, _ in counts)
        took = max(each for _, each in counts)
        yield {"group": group, "writers": writers, "rows_per_second": rows / took, "commits_per_second": rows / group / took}


def _write(url: str, texts: list[str], group: int, seconds: float) -> tuple[int, float]:
    store = Store.open(url)
    store.write_rows(_rows(texts, group))  # connects
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        store.write_rows(_rows(texts, group))
        count += group
    took = time.perf_counter() - started
    store.close()
    return count, took


def _rows(texts: list[str], group: int) -> list[PredictionRow]:
    at = now().strftime(TIME_FORMAT)
    return [
        PredictionRow(one, f"c-{hash(one) % 10**7}", at, "4", 0.25, 0.3, False, texts[n % len(texts)])
        for n, one in enumerate(new_ids(group))
    ]
